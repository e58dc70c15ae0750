"""Build the specification of a search from a config; every name is resolved here, once."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from nas.config.schema import ObjectivePart, Part, SearchConfig
from nas.core.algorithm import Algorithm
from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.core.evaluator import Evaluate
from nas.core.executor import Executor
from nas.core.kinds import check_called, check_class, check_own, takes
from nas.core.objectives import OBJECTIVES, Objective
from nas.core.plugins import check_settings, find, make, registry
from nas.core.problem import Problem
from nas.core.space import SearchSpace
from nas.deployment.target import read_target, recorded_target
from nas.deployment.wiring import with_deployment
from nas.engine.callbacks import AnyCallback, Callback, as_callback
from nas.engine.plan import NamedAlgorithm, settings_of
from nas.engine.run import SearchSpec
from nas.engine.stopping import stop_rules
from nas.executors import EXECUTORS, MakeExecutor, executor_factory
from nas.spaces.making import make_space

CONFIGS = Path(__file__).parent / "searches"


def built_in_config(space: str) -> Path | None:
    """The built-in search config of a space."""
    path = CONFIGS / f"{space}.yaml"
    return path if path.is_file() else None


def make_problem(config: SearchConfig, base: Path | None = None, space: SearchSpace | None = None) -> Problem:
    """The space (that of the config, unless it is given), the objectives and the evaluator. Raises `ConfigError`."""
    if space is None:
        space = make_space(config.space.name, config.space.settings, base)
    target = None if config.target is None else read_target(config.target, base)
    parts = with_deployment(
        space,
        [_objective(part, base) for part in config.objectives],
        _evaluator(config, space, base),
        config.limits,
        target,
    )
    return Problem(space, *parts[:3], quantities=parts.quantities, deployment=parts.deployment)


def assemble(
    config: SearchConfig, base: Path | None = None, planned: int | None = None, problem: Problem | None = None
) -> SearchSpec:
    """Make every part of a search but its folder; relative paths in the config are relative to `base`.

    Defaults that depend on the budget use `planned`, the budget of the first start of a resumed run.
    `problem` is the result of `make_problem` for the same config, if available.
    Raises `ConfigError`; starts nothing.
    """
    problem = problem or make_problem(config, base)
    algorithm = find_algorithm(config.algorithm.name, base)
    executor, settings = make_executor(config.executor, base)
    loop = config.loop
    planned = planned or config.budget.evaluations
    return SearchSpec(
        problem=problem,
        algorithm=algorithm,
        algorithm_settings=settings_of(
            config.algorithm.name, algorithm.make, config.algorithm.settings, problem, planned
        ),
        executor=executor,
        executor_settings=settings,
        loop=loop,
        keep_weights=config.keep_weights,
        warm_start=config.warm_start,
        initial=config.initial,
        stop=stop_rules(config.stop, problem),
        callbacks=tuple(_callback(part, base) for part in config.callbacks),
        csv=config.csv,
        record={
            "search": config.model_dump(mode="json"),
            "base": None if base is None else str(base),
            "target": recorded_target(config.target, base),
        },
        base=base,
    )


_TRIAL = "a function of a trial"


def _evaluator(config: SearchConfig, space: SearchSpace, base: Path | None) -> Evaluate | None:
    part = config.evaluator
    if part is None:
        return None
    built_in = part.name in registry("evaluator")
    found = find("evaluator", part.name, base)
    if built_in or isinstance(found, type):
        if isinstance(found, type) and not takes("space", found):  # only an evaluator's class does
            check_class("evaluator", part.name, found, f"{_TRIAL}, or a class of such objects", "__call__")
        parts = {"space": config.space, "evaluator": part}
        plain = {key: {"name": one.name, **one.settings} for key, one in parts.items()}
        own = {"described_by": plain} if built_in else {}  # for what it stores
        found = make("evaluator", found, part.settings, part.name, space=space, **own)
    elif part.settings:
        raise ConfigError(
            f"evaluator {part.name!r} is a function; remove its settings: {', '.join(part.settings)}"
        )
    if not built_in:
        check_called("evaluator", part.name, found, _TRIAL, 1)
    return found  # type: ignore[no-any-return]


def _callback(part: Part, base: Path | None) -> AnyCallback:
    """Instantiate a class with the settings; return an object or a function of the state unchanged."""
    found = find("callback", part.name, base)
    if isinstance(found, type):
        if not issubclass(found, Callback):
            check_class(
                "callback", part.name, found, "a nas.Callback, or a function of the state", "__call__"
            )
        found = make("callback", found, part.settings, part.name)
    elif part.settings:
        raise ConfigError(
            f"callback {part.name!r} is not a class; remove its settings: {', '.join(part.settings)}"
        )
    if callable(found) and not isinstance(found, Callback):
        check_called("callback", part.name, found, "a nas.Callback, or a function of the state", 1)
    return as_callback(found)


def find_algorithm(name: str, base: Path | None = None) -> NamedAlgorithm:
    """An algorithm by its name. Raises `ConfigError` for an unsuitable object, without calling it."""
    found = find("algorithm", name, base)
    if name in registry("algorithm"):
        return NamedAlgorithm(name, found)
    if isinstance(found, type):
        if not issubclass(found, Algorithm):
            raise ConfigError(f"algorithm {name!r}: expected a nas.Algorithm, got the class {found.__name__}")
        return NamedAlgorithm(found.__name__, found)
    said = getattr(found, "__name__", type(found).__name__)
    check_own("algorithm", name, found, "a nas.Algorithm")
    try:
        check_called("algorithm", name, found, "a nas.Algorithm", 3)
    except ConfigError as error:
        raise ConfigError(
            f"algorithm {said}: cannot be made from (problem, rng, settings): {error}"
        ) from None
    return NamedAlgorithm(said, found)


_EXECUTOR = "an executor: a class with submit, collect, close and free, or a function that makes one"


def make_executor(part: Part, base: Path | None = None) -> tuple[MakeExecutor, Any]:
    """The factory of the executor from (evaluate, names it must return), and its settings.

    Your executor is a class or factory function of (evaluate, settings, required) if it has `Settings`, a frozen
    dataclass; else its settings are keyword arguments besides `evaluate` and, if accepted, `required`.
    Raises `ConfigError` for an unsuitable name, type or setting; starts nothing.
    """
    if part.name in EXECUTORS:
        return executor_factory(part.name, part.settings)
    found = find("executor", part.name, base)
    if isinstance(found, type):
        check_class("executor", part.name, found, _EXECUTOR, "submit", "collect", "close")
    elif not callable(found):
        raise ConfigError(f"executor {part.name!r}: expected {_EXECUTOR}, got {type(found).__name__}")
    check_own("executor", part.name, found, _EXECUTOR)
    return _own_executor(part, found)


def _own_executor(part: Part, found: Callable[..., Any]) -> tuple[MakeExecutor, Any]:
    kind = getattr(found, "Settings", None)
    settings = None if kind is None else make("executor", kind, part.settings, part.name)
    try:
        names = list(inspect.signature(found).parameters)
    except (TypeError, ValueError):
        raise ConfigError(
            f"executor {part.name!r}: expected {_EXECUTOR}; its arguments cannot be read"
        ) from None
    if not names:
        raise ConfigError(f"executor {part.name!r}: expected {_EXECUTOR}; it takes no evaluator")
    first, given = names[0], part.settings if kind is None else {}
    if kind is None and "settings" in names:
        settings, given = part.settings or None, {}
    # a function of (evaluate, names) may call its second argument anything
    second = "required" if "required" in names or kind is not None or len(names) < 2 else names[1]
    fixed = {first: None, second: frozenset[str](), "settings": settings}
    check_settings("executor", found, given, part.name, **fixed)

    def made(evaluate: Evaluate, required: frozenset[str]) -> Executor:
        given_here = {first: evaluate, second: required, "settings": settings}
        executor = make("executor", found, given, part.name, **given_here)
        missing = [name for name in ("submit", "collect", "close", "free") if not hasattr(executor, name)]
        if missing:
            raise ConfigError(
                f"executor {part.name!r}: expected {_EXECUTOR}; {type(executor).__name__} has no {', '.join(missing)}"
            )
        return executor  # type: ignore[no-any-return]

    return made, settings if kind is not None else SimpleNamespace(**part.settings)


def _objective(part: ObjectivePart, base: Path | None) -> Objective:
    changes = part.model_dump(exclude={"name", "function", "settings"}, exclude_none=True)
    if part.settings is not None:
        changes["for_space"] = _with_settings(part.name, part.settings)
    if part.function is not None:
        function = find("objective", part.function, base)
        check_called("objective", part.function, function, "a function of an architecture", 1)
        return Objective(part.name, function=function, **changes)
    if ":" in part.name:
        found = find("objective", part.name, base)
        if not isinstance(found, Objective):
            if isinstance(found, type) or not callable(found):
                raise ConfigError(
                    f"objective {part.name!r}: expected an Objective or a function of an Architecture, got "
                    f"{'the class ' + found.__name__ if isinstance(found, type) else type(found).__name__}"
                )
            check_called("objective", part.name, found, "an Objective or a function of an Architecture", 1)
            found = Objective(part.name.rpartition(":")[2], function=found)
        return dataclasses.replace(found, **changes)
    if part.name in OBJECTIVES:
        return dataclasses.replace(OBJECTIVES[part.name], **changes)
    if changes:  # a value of this name from the evaluator or the space's cost
        return Objective(part.name, **changes)
    raise ConfigError(
        f"objective: unknown {part.name!r}{did_you_mean(part.name, OBJECTIVES)}; known: {', '.join(OBJECTIVES)}; for a value of "
        f"your evaluator: {{name: {part.name}, maximize: false}}; for your function: path/file.py:name"
    )


def _with_settings(name: str, settings: Mapping[str, Any]) -> Callable[..., Any]:
    """The factory of a built-in objective's function, with the user's settings."""
    found = OBJECTIVES.get(name)
    if found is None or found.for_space is None:
        known = [n for n, o in OBJECTIVES.items() if o.for_space is not None]
        raise ConfigError(f"objective {name!r}: takes no settings; those that do: {', '.join(known)}")
    return functools.partial(found.for_space, **settings)
