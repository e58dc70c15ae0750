"""Executors run trials: in this process, on Ray workers, or on a virtual clock. Only the Ray executor imports Ray.

Make one with `EXECUTORS[name](evaluate, settings, required=...)`; `settings` is the dataclass in
`SETTINGS[name]`, whose defaults run on this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from nas.core.checks import check_known
from nas.core.evaluator import Evaluate
from nas.core.executor import Executor
from nas.core.plugins import ship_by_value
from nas.executors.serial import SerialExecutor
from nas.executors.settings import RaySettings, SerialSettings, SimulatedSettings
from nas.executors.simulated import SimulatedExecutor
from nas.executors.worker import run_trial


class ExecutorFactory(Protocol):
    """Makes an executor for one evaluator; `settings` is an instance from `SETTINGS`, or None for defaults."""

    def __call__(
        self, evaluate: Evaluate, settings: Any = None, *, required: frozenset[str] | None = None
    ) -> Executor: ...


def _ray(evaluate: Evaluate, settings: Any = None, *, required: frozenset[str] | None = None) -> Executor:
    from nas.executors.ray import RayExecutor  # late: importing ray takes half a second

    return RayExecutor(evaluate, settings, required=required)


EXECUTORS: Mapping[str, ExecutorFactory] = {
    "serial": SerialExecutor,
    "ray": _ray,
    "simulated": SimulatedExecutor,
}
SETTINGS: Mapping[str, type[Any]] = {
    "serial": SerialSettings,
    "ray": RaySettings,
    "simulated": SimulatedSettings,
}


def executor_factory(
    executor: str | Callable[[Evaluate, frozenset[str]], Executor], settings: Any = None
) -> Callable[[Evaluate, frozenset[str]], Executor]:
    """The factory of an executor from (evaluate, required names), by name or given as a function.

    Raises `ConfigError` for an unknown name.
    """
    if not isinstance(executor, str):
        return executor
    check_known("executor", executor, EXECUTORS)
    make = EXECUTORS[executor]
    return lambda evaluate, required: make(evaluate, settings, required=required)


__all__ = [
    "executor_factory", "EXECUTORS", "SETTINGS", "ExecutorFactory", "RaySettings", "SerialExecutor",
    "SerialSettings", "SimulatedExecutor", "SimulatedSettings", "run_trial", "ship_by_value",
]  # fmt: skip
