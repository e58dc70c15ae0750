"""The search spaces that come with the framework, one folder each. A new one is a folder and a line here.

Each entry is loaded when it is used, so that listing the names loads none.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


class Lazy:
    """A class or function that is imported when it is first called."""

    def __init__(self, module: str, name: str, method: str = "") -> None:
        self._module, self._name, self._method = module, name, method
        self.__name__ = name

    def _target(self) -> Any:
        found = getattr(import_module(self._module), self._name)
        return getattr(found, self._method) if self._method else found

    @property
    def __signature__(self) -> Any:
        import inspect

        return inspect.signature(self._target())

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return (self._target().__doc__ or "").strip().splitlines()[0]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Make it."""
        return self._target()(*args, **kwargs)


SEARCH_SPACES: dict[str, Callable[..., Any]] = {
    "muxnet-tiny": Lazy("search_spaces.muxnet.by_preset", "tiny"),
    "muxnet-cifar": Lazy("search_spaces.muxnet.by_preset", "cifar"),
    "muxnet-imagenet": Lazy("search_spaces.muxnet.by_preset", "imagenet"),
    "nasbench101": Lazy("search_spaces.nasbench101", "NASBench101"),
    "nasbench101-table": Lazy("search_spaces.nasbench101.table_config", "tabular_space"),
    "nasbench201": Lazy("search_spaces.nasbench201", "NASBench201"),
}

# Evaluators that look a candidate up instead of training it.
TABLES: dict[str, Callable[..., Any]] = {
    "nasbench101-table": Lazy("search_spaces.nasbench101.table_config", "table_evaluator"),
    "nasbench101-evoxbench": Lazy("search_spaces.nasbench101.table_config", "evoxbench_evaluator"),
    "nasbench201-table": Lazy("search_spaces.nasbench201.table_config", "table_evaluator"),
}
