"""Prepare a shrink run: complete its config from the data, check the network, train or load it, and keep it with the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nas.config.assemble import assemble, make_problem
from nas.config.schema import SearchConfig, check_config
from nas.core.errors import ConfigError
from nas.core.files import absolute
from nas.core.problem import Problem
from nas.core.space import SearchSpace
from nas.core.task_spec import TaskSpec
from nas.engine.run import check_spec
from nas.engine.settle import settled
from nas.runs.files import check_new
from nas.shrinking.from_config import SHRINKABLE, TUNED, tuning_recipe
from nas.shrinking.models import AnyModel, built_model, normal_model, recipe_of_model
from nas.shrinking.original import Say, keep_original, train_original
from nas.shrinking.ranking import MAGNITUDE, check_ranking, scores_by
from nas.shrinking.spaces import check_limits, initial_design, shrinkable
from nas.shrinking.weights import load_weights
from nas.training import recipe_from_config
from nas.training.from_config import data_source
from nas.training.recipe import Recipe
from nas.training.task import Classification, spec_of

SCRATCH: dict[str, Any] = {"epochs": 30}  # changes of the default recipe to train an original network


def shrinks(config: SearchConfig) -> bool:
    """Whether a config is that of a shrink run."""
    return config.space.name == SHRINKABLE


def prepared(
    config: SearchConfig, base: Path | None, out: Path, say: Say = lambda line: None
) -> tuple[SearchConfig, Problem]:
    """The config of a new shrink run that depends on the run's folder and the data alone, and its problem.

    Finds the classes, channels and image size from the data; builds the network and loads its weights, or trains it by the
    recipe `space.train` and reports progress to `say`; evaluates it; writes `out/original/original.pt`. The initial design becomes
    the whole network and the uniform ones within the limits, unless the config has one.

    Raises `ConfigError` and `DataError`, before any training, for a network or weights that do not fit the data, a limit that no
    candidate meets, and settings with which the search cannot start.
    """
    check_new(absolute(out))
    settings = dict(config.space.settings)
    given = settings.pop("train", None)
    if "model" not in settings:
        raise ConfigError("space module: needs the setting 'model', such as my_net.py:make_model")
    settings["model"] = normal_model(settings["model"])
    config = _with_resolution(config, settings["model"], base)
    task, data, recipe = _data(config, settings)
    network = built_model(settings["model"], task, base)
    if settings.get("weights") is not None:
        if given is not None:
            raise ConfigError("space module: train: not used with weights; remove one of the two")
        load_weights(network, _from(base, str(settings["weights"])))
    ranking = check_ranking(settings.get("ranking", MAGNITUDE))
    space = shrinkable(network, task, settings.get("keep") or (), settings.get("resolutions"), say=say)
    check_limits(space, config.limits)
    if settings.get("weights") is None:
        sized = _with_space(config, {**settings, **task.as_json()})
        check_spec(assemble(sized, base, problem=make_problem(sized, base, space)))
        evaluator = {} if config.evaluator is None else config.evaluator.settings
        network = train_original(
            lambda: built_model(settings["model"], task, base),
            settings["model"],
            data,
            recipe_of_original(given, recipe),
            out,
            seed=config.seed,
            threads=int(evaluator.get("threads", 1)),
            device=evaluator.get("device"),
            say=say,
        )
        space = space.with_weights(network)
    scores = scores_by(ranking, space, data, recipe)
    ranked = space if scores is None else space.ranked(scores)

    def keep(values: Mapping[str, float]) -> Path:
        return keep_original(network, task, values, out, scores)

    return _completed(config, settings, ranked, keep, task, base)


def _with_resolution(config: SearchConfig, model: AnyModel, base: Path | None) -> SearchConfig:
    """The config with the image side of the model in the recipe, if the model has one."""
    if config.evaluator is None:
        return config
    plain = config.model_dump(mode="json")
    recipe = recipe_of_model(model, plain["evaluator"].get("recipe"), base)
    if recipe is not None:
        plain["evaluator"]["recipe"] = recipe
    return check_config(plain)


def _with_space(config: SearchConfig, settings: Mapping[str, Any]) -> SearchConfig:
    """The config with these settings of its space."""
    return check_config({**config.model_dump(mode="json"), "space": {"name": config.space.name, **settings}})


def _data(config: SearchConfig, settings: Mapping[str, Any]) -> tuple[TaskSpec, Any, Recipe]:
    """The task, the data and the recipe of the evaluator. Raises `ConfigError` where it is not `tuning`."""
    part = config.evaluator
    if part is None or part.name != TUNED:
        raise ConfigError(
            f"space module: expected the evaluator {TUNED}, which fine-tunes its networks, got {None if part is None else part.name!r}"
        )
    data = data_source(part.settings.get("data", "digits"))
    recipe = recipe_from_config(tuning_recipe(part.settings.get("recipe")))
    task = spec_of(Classification(), data, recipe)
    for name in ("num_classes", "in_channels"):
        if settings.get(name) is not None:
            task.count(name, settings[name])
    if task.image_size is None:
        raise ConfigError(
            "data: the images have several sizes; set the side to resize them to: evaluator.recipe.resolution=SIDE"
        )
    return task, data, recipe


def recipe_of_original(given: Any, tuned: Recipe) -> Recipe:
    """The recipe to train an original network from random weights: `given`, with the images of the fine-tuning."""
    if given is not None and not isinstance(given, Mapping):
        raise ConfigError(
            f"space module: train: expected a mapping such as {{epochs: 30}}, got {given!r:.200}"
        )
    same = {
        name: getattr(tuned, name)
        for name in ("resolution", "channels_last", "batch_size", "subset", "max_pictures", "augment")
    }
    settings = dict(given or {})
    return recipe_from_config(settings if "base" in settings else {**SCRATCH, **same, **settings})


def _from(base: Path | None, file: str) -> Path:
    return Path(file) if base is None else base / file


def _completed(
    config: SearchConfig,
    settings: dict[str, Any],
    space: SearchSpace,
    keep: Callable[[Mapping[str, float]], Path],
    task: TaskSpec,
    base: Path | None,
) -> tuple[SearchConfig, Problem]:
    """The config with the data's sizes, the run's own weights and the values of the original network, which `keep` writes."""
    assert config.evaluator is not None
    file = keep({})
    plain = config.model_dump(mode="json")
    plain["space"] = {"name": config.space.name, **settings, **task.as_json(), "weights": str(file)}
    evaluator: Any = make_problem(check_config(plain), base, space).evaluate
    values = getattr(evaluator, "evaluator", evaluator).original_values()
    keep(values)
    plain["evaluator"] = {**plain["evaluator"], "original": values}
    problem = make_problem(check_config(plain), base, space)
    if not plain["initial"]:
        plain["initial"] = starting_texts(settled(problem), config.budget.evaluations)
    return check_config(plain), problem


def starting_texts(problem: Problem, evaluations: int | None) -> list[str]:
    """The initial design within the limits on exact costs: the whole network, then the uniform ones."""
    found = [a for a in initial_design(problem.space) if problem.cheap_violation(a) <= 0]
    return [problem.space.format(a) for a in found][:evaluations]
