"""Executors run trials: in this process, on Ray workers, or on a virtual clock. Only the Ray executor imports Ray.

Make one with `EXECUTORS[name](evaluate, settings, required=...)`; `settings` is the dataclass in
`SETTINGS[name]`, whose defaults run on this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from nas.core.checks import check_known
from nas.core.errors import ConfigError
from nas.core.evaluator import Evaluate
from nas.core.executor import Executor
from nas.core.plugins import make, ship_by_value
from nas.executors.serial import SerialExecutor
from nas.executors.settings import RaySettings, SerialSettings, SimulatedSettings
from nas.executors.simulated import SimulatedExecutor
from nas.executors.worker import run_trial

MakeExecutor = Callable[[Evaluate, frozenset[str]], Executor]  # the second argument: names to return
AnyExecutor = str | Mapping[str, Any] | MakeExecutor


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


def executor_factory(executor: AnyExecutor, settings: Any = None) -> tuple[MakeExecutor, Any]:
    """The factory of an executor from (evaluate, required names), and its settings.

    `executor` is a name, a mapping of the name and settings as in a config, or a factory, which is returned; `settings` are
    those in `SETTINGS`, a mapping of some of them, or None for their defaults. Raises `ConfigError` for another name, setting or type.
    """
    if isinstance(executor, Mapping):
        given = {key: value for key, value in executor.items() if key != "name"}
        if given and settings is not None:
            raise ConfigError(
                f"executor_settings: executor has settings already ({', '.join(map(str, given))}); give all in one of the two"
            )
        name, settings = executor.get("name"), given or settings
    elif callable(executor):
        return executor, settings
    else:
        name = executor
    if not isinstance(name, str):
        raise ConfigError(
            f"executor: expected one of {', '.join(EXECUTORS)}, a mapping such as "
            f'{{"name": "ray", "workers": 4}}, or a function that makes one, got {executor!r:.200}'
        )
    check_known("executor", name, EXECUTORS)
    factory, kind = EXECUTORS[name], SETTINGS[name]
    if isinstance(settings, Mapping):
        settings = make("executor", kind, settings, name)
    elif settings is None:
        settings = kind()
    elif not isinstance(settings, kind):
        raise ConfigError(
            f"executor_settings: expected a {kind.__name__} or a mapping for executor {name!r}, got "
            f"{type(settings).__name__}"
        )
    return lambda evaluate, required: factory(evaluate, settings, required=required), settings


__all__ = [
    "executor_factory", "EXECUTORS", "SETTINGS", "ExecutorFactory", "RaySettings", "SerialExecutor",
    "SerialSettings", "SimulatedExecutor", "SimulatedSettings", "run_trial", "ship_by_value",
]  # fmt: skip
