"""A search with every part made: what `nas.search` and a config both come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from nas.core.evaluator import Evaluate
from nas.core.executor import Executor
from nas.core.problem import Problem
from nas.engine.callbacks import AnyCallback
from nas.engine.initial import AnyArchitecture
from nas.engine.loop import LoopSettings
from nas.engine.plan import NamedAlgorithm
from nas.engine.stopping import StopRule
from nas.engine.warm_start import AnySource

MakeExecutor = Callable[[Evaluate, frozenset[str]], Executor]  # from the names that it must return


@dataclass(frozen=True, kw_only=True)
class SearchSpec:
    """Everything that `nas.engine.run.run` needs, as objects: no name is looked up after it is made.

    `algorithm_settings` None: defaults that suit the budget. `executor_settings` is for people to read; `remote` tells
    that workers are on other machines, so that data need not be here. `record` is put into config.json. `code` are modules
    that the search is made of beside those of its objects; their files are named relative to `base`. The other fields are
    arguments of `nas.search`.
    """

    problem: Problem
    algorithm: NamedAlgorithm
    algorithm_settings: Any = None
    executor: MakeExecutor
    executor_settings: Any = None
    loop: LoopSettings
    out: Path | None = None
    resume: bool = False
    keep_weights: bool = True
    warm_start: AnySource | None = None
    initial: Sequence[AnyArchitecture] = ()
    stop: Sequence[StopRule] = ()
    callbacks: Sequence[AnyCallback] = ()
    accept_changed_code: bool = False
    csv: bool = False
    plots: bool = True
    record: Mapping[str, Any] | None = None
    code: Sequence[ModuleType] = ()
    base: Path | None = None

    @property
    def remote(self) -> bool:
        """Whether workers are on a cluster that the search joins."""
        return getattr(self.executor_settings, "address", None) is not None
