"""The functions of a declared space that build networks and give their exact costs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from nas.core.errors import ConfigError
from nas.core.records import Block
from nas.core.task_spec import TaskSpec
from nas.spaces.choices import Choices
from nas.spaces.rules import ask
from nas.spaces.sharing import shared_name

if TYPE_CHECKING:  # torch is imported only to trace a network
    from torch import nn

Function = Callable[..., Any]
T = TypeVar("T")

DEFAULT_TASK = TaskSpec(3, 10, (32, 32))
_ASSUMED = (
    "; 32 x 32 pixels are assumed where no data give the size: for others declare space = space.for_task(nas.TaskSpec(in_channels, num_classes, "
    "(height, width)))"
)
_OF_TASK = ("num_classes", "in_channels", "image_size")


@dataclass(frozen=True)
class Networks:
    """`build`, `cost` and `shared_name` of the space `name`, if declared."""

    name: str
    build: Function | None = None
    cost: Function | None = None
    shared_name: Function | None = None

    @property
    def lacks(self) -> frozenset[str]:
        """The abilities without a function; costs follow from `build`."""
        if self.build is not None:
            return frozenset(["blocks"] if self.cost is not None else [])
        return frozenset(["build", "blocks"] if self.cost is not None else ["build", "blocks", "cost"])

    def network(self, choices: Choices, task: TaskSpec) -> nn.Module:
        """Build a network. Raises `ConfigError` with the choices."""
        if self.build is None:
            raise ConfigError(
                f"space {self.name!r} builds no networks; decorate a function with @space.build"
            )
        network = ask("build", self.build, choices, **self._accepted("build", task))
        if not callable(getattr(network, "named_parameters", None)):
            raise ConfigError(
                f"build: expected a torch.nn.Module for {choices}, got {type(network).__name__}"
            )
        return network  # type: ignore[no-any-return]

    def costs(self, choices: Choices, task: TaskSpec) -> dict[str, float]:
        """The costs by name. Raises `ConfigError` with the choices."""
        if self.cost is not None:
            costs = ask("cost", self.cost, choices, **self._accepted("cost", task))
            if not isinstance(costs, Mapping) or not costs or not all(isinstance(key, str) for key in costs):
                raise ConfigError(
                    f"cost: expected a mapping of names to numbers for {choices}, got {costs!r:.200}"
                )
            return dict(costs)
        if self.build is None:
            raise ConfigError(
                f"space {self.name!r} has neither networks nor costs; decorate a function with @space.build or @space.cost"
            )
        from nas.spaces.tracing import trace

        return self._traced(trace, choices, task)

    def blocks(self, choices: Choices, task: TaskSpec) -> list[Block]:
        """The layers of the network, with costs that sum to `costs`. Raises `ConfigError` with the choices."""
        from nas.spaces.layers import layers

        return self._traced(layers, choices, task)

    def shared(self, choices: Choices, parameters: tuple[str, ...], name: str) -> str:
        """The shared name of a network's parameter. Raises `ConfigError` with the choices."""
        if self.shared_name is None:
            return shared_name(choices, parameters, name)
        found = ask("shared_name", partial(self.shared_name, name=name), choices)
        if not isinstance(found, str):
            raise ConfigError(f"shared_name: expected a text for {name!r} of {choices}, got {found!r:.200}")
        return found

    @cached_property
    def _takes(self) -> dict[str, tuple[str, ...]]:
        return {"build": _keywords(self.build), "cost": _keywords(self.cost)}

    def _accepted(self, kind: str, task: TaskSpec) -> dict[str, Any]:
        """The keyword arguments of a task that a function takes."""
        return {name: getattr(task, name) for name in self._takes[kind]}

    def _traced(self, count: Callable[..., T], choices: Choices, task: TaskSpec) -> T:
        assert task.image_size is not None
        try:
            return count(lambda: self.network(choices, task), (task.in_channels, *task.image_size))
        except ConfigError as error:
            text = str(error) if str(choices) in str(error) else f"build: failed for {choices}: {error}"
            raise ConfigError(text + (_ASSUMED if task is DEFAULT_TASK else "")) from error


def checked_function(kind: str, function: Any) -> Function:
    """The function. Raises `ConfigError` for anything else."""
    if not callable(function) or isinstance(function, type):
        raise ConfigError(
            f"{kind}: expected a function of the choices, or an architecture, got {function!r:.200}"
        )
    return function  # type: ignore[no-any-return]


def _keywords(function: Function | None) -> tuple[str, ...]:
    """The names in `_OF_TASK` that a function takes by keyword."""
    if function is None:
        return ()
    try:
        parameters = list(inspect.signature(function).parameters.values())[1:]
    except (TypeError, ValueError):
        return ()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return _OF_TASK
    return tuple(p.name for p in parameters if p.name in _OF_TASK and p.kind is not p.POSITIONAL_ONLY)
