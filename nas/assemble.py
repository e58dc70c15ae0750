"""From a config to the parts of a search. The one place in `nas` that knows the spaces that come with it."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.algorithms import ALGORITHMS
from nas.callbacks import AnyCallback, as_callback
from nas.callbacks.registry import CALLBACKS
from nas.config import HalvingPart, ObjectivePart, Part, SearchConfig
from nas.engine.stopping import StopRule, stop_rules
from nas.errors import ConfigError
from nas.executors import SETTINGS
from nas.interfaces import Evaluate, SearchSpace
from nas.loop import LoopSettings
from nas.objectives import OBJECTIVES, Objective
from nas.peers import PEERS
from nas.plugins import find, make
from nas.problem import Problem

if TYPE_CHECKING:
    from nas.training.halving import Halving

CONFIGS = Path(__file__).parent / "configs"


def spaces() -> Mapping[str, Callable[..., SearchSpace]]:
    """The spaces that come with the framework, by name."""
    registry: Mapping[str, Callable[..., SearchSpace]] = importlib.import_module(
        "search_spaces"
    ).SEARCH_SPACES
    return {**registry, "segmentation": segmentation_space}


def evaluators() -> Mapping[str, Callable[..., Evaluate]]:
    """The evaluators that come with the framework, by name."""
    registry: Mapping[str, Callable[..., Evaluate]] = importlib.import_module("search_spaces").TABLES
    return {"training": training, "segmentation": segmentation, **registry}


def surrogates() -> Mapping[str, Any]:
    """The predictors that come with the framework, by name."""
    registry: Mapping[str, Any] = getattr(importlib.import_module("surrogates"), "SURROGATES", {})
    return registry


def training(
    *,
    space: SearchSpace,
    data: Any = "digits",
    recipe: Any = None,
    threads: int = 1,
    device: str | None = None,
    proxies: Sequence[str] = (),
    robustness: Mapping[str, Any] | None = None,
) -> Evaluate:
    """Train each candidate on `data` (a name, or a mapping with `name`) by `recipe` (a mapping).

    `proxies` names zero-cost proxies to report beside (docs/proxies.md). `robustness` has the settings of
    `nas.training.robustness.Robustness`, which then judges each trained network on corrupted pictures too.
    """
    from nas.training import TrainingEvaluator, data_from_config, recipe_from_config

    described = data_from_config(_named(data))
    also: tuple[Any, ...] = ()
    if robustness is not None:
        from nas.training.robustness import Robustness

        also = (make("robustness", Robustness, robustness, "robustness"),)
    evaluator = TrainingEvaluator(
        space,  # type: ignore[arg-type]
        described,
        recipe_from_config(recipe or {}),
        threads,
        device,
        also=also,
    )
    if not proxies:
        return evaluator
    from nas.training.proxies import WithProxies

    return WithProxies(evaluator, tuple(proxies))


def segmentation_space(
    *,
    backbone: Any = "muxnet-imagenet",
    head: Any = "c1",
    picture: Sequence[int] | None = None,
    num_classes: int | None = None,
    in_channels: int | None = None,
) -> SearchSpace:
    """Segmentation networks: every architecture of `backbone` (a space) with one `head` (c1 or ppm).

    Both are a name, or a mapping with `name`; costs are those of the whole network for one image. Its size `picture`
    [height, width], classes and channels follow the data; give `picture` where images have several sizes.
    """
    from nas.tasks.segmentation.settings import HeadSettings
    from nas.tasks.segmentation.space import SegmentationSpace

    body = make_space(Part.model_validate(_named(backbone)))
    settings: HeadSettings = make("head", HeadSettings, _named(head), "of a segmentation")
    return SegmentationSpace(body, settings, picture, num_classes=num_classes, in_channels=in_channels)


def segmentation(
    *,
    space: SearchSpace,
    data: Mapping[str, Any],
    recipe: Any = None,
    task: Mapping[str, Any] | None = None,
    threads: int = 1,
    device: str | None = None,
) -> Evaluate:
    """Train each candidate of a `segmentation` space on `data` (a mapping with `name`) by `recipe`.

    `task` holds the settings of augmentation, class weights and test (docs/segmentation.md).
    """
    from nas.tasks.segmentation.data import masks_from_config
    from nas.tasks.segmentation.task import segmentation as segmentation_task
    from nas.training import TrainingEvaluator, recipe_from_config

    settled = make("task", segmentation_task, task or {}, "segmentation")
    how = recipe_from_config({"base": "camvid", **(recipe or {})})
    described = masks_from_config(data)
    return TrainingEvaluator(space, described, how, threads, device, task=settled)  # type: ignore[arg-type]


def _named(value: Any) -> Any:
    """A mapping with `name`, for a name alone."""
    return {"name": value} if isinstance(value, str) else value


def built_in_config(space: str) -> Path | None:
    """The default search of a space that comes with the framework."""
    path = CONFIGS / f"{space}.yaml"
    return path if path.is_file() else None


@dataclasses.dataclass(frozen=True)
class Assembly:
    """What `nas.search` needs, made from a config."""

    problem: Problem
    algorithm: Callable[..., Any]
    algorithm_name: str
    algorithm_settings: Any
    executor_settings: Any
    loop: LoopSettings
    stop: tuple[StopRule, ...] = ()
    callbacks: tuple[AnyCallback, ...] = ()


def algorithms() -> Mapping[str, Any]:
    """The algorithms that come with the framework, and those of other packages that it can drive, by name."""
    return {**ALGORITHMS, **PEERS}


def make_problem(config: SearchConfig, base: Path | None = None) -> Problem:
    """The space, the objectives and what measures them. Raises `ConfigError` for whatever cannot be made."""
    space = make_space(config.space, base)
    return Problem(
        space,
        [_objective(part, base) for part in config.objectives],
        _evaluator(config.evaluator, space, base),
        config.limits,
    )


def assemble(
    config: SearchConfig,
    base: Path | None = None,
    planned: int | None = None,
    problem: Problem | None = None,
) -> Assembly:
    """Make every part of a search; relative paths in the config count from `base`.

    Defaults that follow the budget follow `planned`, where a run that is resumed was started with another one.
    `problem` is what `make_problem` made of the same config before, if it did.
    Raises `ConfigError` for whatever cannot be made; nothing is started.
    """
    problem = problem or make_problem(config, base)
    algorithm = find("algorithm", config.algorithm.name, algorithms(), base)
    loop = LoopSettings(
        evaluations=config.budget.evaluations,
        seconds=config.budget.seconds,
        at_least=config.budget.at_least,
        quiet_s=config.quiet_s,
        seed=config.seed,
        concurrency=config.concurrency,
        ordered=config.ordered,
        fidelity=config.fidelity,
        halving=_halving(config.halving),
        max_failures=config.max_failures,
    )
    return Assembly(
        problem,
        algorithm,
        config.algorithm.name,
        _algorithm_settings(config.algorithm, algorithm, problem, planned or config.budget.evaluations),
        executor_settings(config.executor),
        loop,
        stop_rules(config.stop, problem),
        tuple(_callback(part, base) for part in config.callbacks),
    )


def _halving(part: HalvingPart | None) -> Halving | None:
    if part is None:
        return None
    from nas.training import Halving

    return Halving(part.first, part.last, part.eta)


def make_space(part: Part, base: Path | None = None) -> SearchSpace:
    """A space from its name and settings."""
    found = find("space", part.name, spaces(), base)
    space = _instance("space", found, part)
    if not isinstance(space, SearchSpace):
        raise ConfigError(f"space {part.name!r}: expected a SearchSpace, got {type(space).__name__}")
    return space


def _evaluator(part: Part | None, space: SearchSpace, base: Path | None) -> Evaluate | None:
    if part is None:
        return None
    registry = evaluators()
    found = find("evaluator", part.name, registry, base)
    if part.name in registry or isinstance(found, type):
        found = make("evaluator", found, part.settings, part.name, space=space)
    elif part.settings:
        raise ConfigError(
            f"evaluator {part.name!r} is no class, so it takes no settings: {', '.join(part.settings)}"
        )
    if not callable(found):
        raise ConfigError(
            f"evaluator {part.name!r}: expected a function of a trial, got {type(found).__name__}"
        )
    return found  # type: ignore[no-any-return]


def _callback(part: Part, base: Path | None) -> AnyCallback:
    """A class is made with the settings; an object, or a function of the state, is as it is."""
    found = find("callback", part.name, CALLBACKS, base)
    if isinstance(found, type):
        found = make("callback", found, part.settings, part.name)
    elif part.settings:
        raise ConfigError(
            f"callback {part.name!r} is no class, so it takes no settings: {', '.join(part.settings)}"
        )
    return as_callback(found)


def _instance(kind: str, found: Any, part: Part) -> Any:
    """An object as it is; a class or a registered function is called with the settings."""
    if callable(found) and not isinstance(found, SearchSpace):
        return make(kind, found, part.settings, part.name)
    if part.settings:
        raise ConfigError(
            f"{kind} {part.name!r} is made already, so it takes no settings: {', '.join(part.settings)}"
        )
    return found


def _objective(part: ObjectivePart, base: Path | None) -> Objective:
    changes = part.model_dump(exclude={"name", "function", "settings"}, exclude_none=True)
    if part.settings is not None:
        changes["for_space"] = _with_settings(part.name, part.settings)
    if part.function is not None:
        function = find("objective", part.function, {}, base)
        return Objective(part.name, function=function, **changes)
    if ":" in part.name:
        found = find("objective", part.name, OBJECTIVES, base)
        if not isinstance(found, Objective):
            raise ConfigError(
                f"objective {part.name!r}: expected an Objective, got {type(found).__name__}; for a plain function "
                f"write {{name: {part.name.rpartition(':')[2]}, function: '{part.name}'}}"
            )
        return dataclasses.replace(found, **changes)
    if part.name in OBJECTIVES:
        return dataclasses.replace(OBJECTIVES[part.name], **changes)
    if changes:  # something the evaluator or the space's cost reports under this name
        return Objective(part.name, **changes)
    found = find("objective", part.name, OBJECTIVES, base)
    return found  # type: ignore[no-any-return]


def _with_settings(name: str, settings: Mapping[str, Any]) -> Callable[..., Any]:
    """What makes the function of a built-in objective, with the user's settings."""
    found = OBJECTIVES.get(name)
    if found is None or found.for_space is None:
        known = [n for n, o in OBJECTIVES.items() if o.for_space is not None]
        raise ConfigError(f"objective {name!r}: takes no settings; those that do: {', '.join(known)}")
    return functools.partial(found.for_space, **settings)


def _algorithm_settings(part: Part, algorithm: Any, problem: Problem, planned: int) -> Any:
    if not hasattr(algorithm, "Settings"):
        return part.settings or None
    settings = make("algorithm", algorithm.Settings, part.settings, part.name)
    default = algorithm.default_settings(problem.n_objectives, planned)
    return dataclasses.replace(default, **{key: getattr(settings, key) for key in part.settings})


def executor_settings(part: Part) -> Any:
    """The settings of an executor. Raises `ConfigError` for a name or a setting that there is not."""
    if part.name not in SETTINGS:
        find("executor", part.name, SETTINGS)
    return make("executor", SETTINGS[part.name], part.settings, part.name)
