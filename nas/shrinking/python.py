"""A shrink run from Python: the space, the evaluator and the original network, from objects."""

from __future__ import annotations

import copy
import dataclasses
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nas.core.errors import ConfigError
from nas.core.plugins import make
from nas.core.records import FloatArray
from nas.core.task_spec import TaskSpec
from nas.runs.code_of_strangers import allow_in_python
from nas.runs.original import original_file
from nas.shrinking.evaluator import TuningEvaluator
from nas.shrinking.from_config import tuning, tuning_recipe
from nas.shrinking.from_run import Picked, is_run, picked
from nas.shrinking.models import (
    built_model,
    called_with,
    check_cuttable,
    checked_network,
    normal_model,
    recipe_of_model,
)
from nas.shrinking.original import Say, keep_original, kept_values, train_original
from nas.shrinking.ranking import TAYLOR, check_ranking, kept_scores, scores_by
from nas.shrinking.spaces import check_limits, shrinkable
from nas.shrinking.start import recipe_of_original
from nas.shrinking.weights import load_weights
from nas.training import recipe_from_config
from nas.training.from_config import data_source
from nas.training.task import Classification, spec_of

Model = nn.Module | Callable[..., nn.Module] | str | os.PathLike[str] | Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Asked:
    """The arguments of `nas.shrink` that describe the original network and its fine-tuning."""

    model: Model
    data: Any
    weights: str | os.PathLike[str] | None
    keep: Sequence[str]
    ranking: str
    pick: str
    training: Mapping[str, Any]
    train: Mapping[str, Any] | None
    limits: Sequence[Any]
    out: Path | None
    resume: bool
    seed: int
    trust: bool


def shrinking_parts(
    asked: Asked,
    say: Say,
    measured: Callable[[Any, TuningEvaluator], Any],
    check: Callable[[Any, TuningEvaluator], None],
) -> tuple[Any, TuningEvaluator]:
    """The space of the smaller networks and their evaluator; trains the original network where it has no weights.

    `measured` returns, for a space and an evaluator, the evaluator that also measures the other objectives of the search;
    `check` raises where a search with them cannot start, and is called before the original network is trained.

    Raises `ConfigError` and `DataError` before any training for a network, weights or limits that do not fit.
    """
    found = _picked(asked)
    data = found.data if asked.data is None and found is not None else asked.data
    if data is None:
        raise ConfigError("data: expected the images that the network was trained on, got None")
    model: Any = asked.model if found is None else found.model
    if isinstance(model, (str, Mapping)):
        model = normal_model(model)
        settings = recipe_of_model(model, asked.training.get("recipe"), Path.cwd())
        asked = dataclasses.replace(asked, training={**asked.training, "recipe": settings})
    source, recipe = (data_source(data), recipe_from_config(tuning_recipe(asked.training.get("recipe"))))
    task = spec_of(Classification(), source, recipe)
    build = _builder(model, task)
    network = build()
    kept = asked.out is not None and asked.resume and original_file(asked.out).is_file()
    weights = found.weights if found is not None else asked.weights
    if kept and asked.out is not None:
        load_weights(network, original_file(asked.out))
    elif weights is not None:
        load_weights(network, os.fspath(weights))
    check_ranking(asked.ranking)
    space = shrinkable(network, task, asked.keep, say=say)
    check_limits(space, asked.limits)
    if not kept and weights is None and not isinstance(asked.model, nn.Module):
        check(space, _tuning(asked, space, source))
        network = _trained(asked, build, source, recipe_of_original(asked.train, recipe), say)
        space = space.with_weights(network)
    elif asked.train is not None:
        raise ConfigError("train: not used with a network that has weights; remove train")
    if kept and asked.out is not None and asked.ranking == TAYLOR:
        scores: Mapping[str, FloatArray] | None = kept_scores(original_file(asked.out))
    else:
        scores = scores_by(asked.ranking, space, source, recipe)
    space = space if scores is None else space.ranked(scores)

    def keep(values: Mapping[str, float]) -> None:
        if asked.out is not None:
            keep_original(network, task, values, asked.out, scores)

    return space, _evaluator(asked, space, source, keep, kept, measured)


def _picked(asked: Asked) -> Picked | None:
    if not isinstance(asked.model, (str, os.PathLike)) or not is_run(asked.model):
        return None
    if asked.weights is not None:
        raise ConfigError(
            f"weights: {asked.model} is a run, which has the weights of its networks; remove weights"
        )
    found = picked(os.fspath(asked.model), asked.pick)
    what = f"nas.shrink({os.fspath(asked.model)!r})"
    with allow_in_python({"space": found.space}, found.base, ["space"], asked.trust, what):
        return found


def _builder(model: Any, task: TaskSpec) -> Callable[[], nn.Module]:
    if isinstance(model, nn.Module):
        check_cuttable(model, type(model).__name__)  # some such networks cannot be copied
        return lambda: checked_network(copy.deepcopy(model), task, type(model).__name__)
    if isinstance(model, (str, Mapping)):
        return lambda: built_model(model, task, Path.cwd())
    sizes = {"num_classes": task.num_classes, "in_channels": task.in_channels}
    name = str(getattr(model, "__name__", type(model).__name__))

    def build() -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return checked_network(called_with(model, sizes, f"model {name}"), task, name)

    return build


def _trained(asked: Asked, build: Callable[[], nn.Module], data: Any, recipe: Any, say: Say) -> nn.Module:
    model: Any = asked.model
    named = (
        model if isinstance(model, (str, Mapping)) else getattr(model, "__qualname__", type(model).__name__)
    )
    more: dict[str, Any] = {"seed": asked.seed, "threads": int(asked.training.get("threads", 1)), "say": say}
    more["device"] = asked.training.get("device")
    if asked.out is not None:
        return train_original(build, named, data, recipe, asked.out, **more)
    with tempfile.TemporaryDirectory() as folder:
        return train_original(build, named, data, recipe, Path(folder), **more)


def _tuning(asked: Asked, space: Any, data: Any) -> TuningEvaluator:
    """The evaluator without values of the original network."""
    evaluator = make("evaluator", tuning, {**asked.training, "data": data}, "tuning", space=space)
    assert isinstance(evaluator, TuningEvaluator)
    return evaluator


def _evaluator(
    asked: Asked,
    space: Any,
    data: Any,
    keep: Callable[[Mapping[str, float]], None],
    kept: bool,
    measured: Callable[[Any, TuningEvaluator], Any],
) -> TuningEvaluator:
    """The evaluator with the values of the original network, which `keep` writes to the run's folder."""
    evaluator = _tuning(asked, space, data)
    if kept and asked.out is not None:
        values = kept_values(asked.out)
    else:
        values = measured(space, evaluator).original_values()
        keep(values)
    return dataclasses.replace(evaluator, original=values)
