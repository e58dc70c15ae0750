"""The space `module` and the evaluator `tuning`, as configs name them. Importing this loads no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.core.errors import ConfigError
from nas.core.evaluator import Evaluate
from nas.core.space import SearchSpace
from nas.core.task_spec import TaskSpec, as_size
from nas.training.from_config import trained_on

TUNING: dict[str, Any] = {"epochs": 3, "lr": 0.01, "warmup_epochs": 0.0}  # changes of the default recipe
SHRINKABLE = "module"  # the space's name
TUNED = "tuning"  # the evaluator's name


def module(
    *,
    model: Any,
    weights: str | None = None,
    keep: Sequence[str] = (),
    resolutions: Sequence[int] | None = None,
    ranking: str = "magnitude",
    num_classes: int | None = None,
    in_channels: int | None = None,
    image_size: Any = None,
    base: Path | None = None,
) -> SearchSpace:
    """The smaller networks within `model`, with its `weights` (docs/shrink.md).

    `model` is `file.py:function`, a listed network, or a mapping of `space` and `architecture`; `weights` a file of tensors, and
    `keep` the names of modules to leave alone. `ranking` of channels is `magnitude` or `taylor` (`nas.shrinking.ranking`). `num_classes`, `in_channels` and `image_size` are those of the data: `nas shrink`
    and `nas search` set them.
    """
    from nas.shrinking.models import built_model
    from nas.shrinking.ranking import TAYLOR, check_ranking, kept_scores
    from nas.shrinking.spaces import shrinkable
    from nas.shrinking.weights import load_weights

    if num_classes is None or in_channels is None or image_size is None:
        raise ConfigError(
            "space module: num_classes, in_channels and image_size are those of the data; nas shrink and nas search find "
            "them, elsewhere set them"
        )
    task = TaskSpec(in_channels, num_classes, as_size("space module: image_size", image_size))
    network = built_model(model, task, base)
    check_ranking(ranking)
    scores = None
    if weights is not None:
        file = Path(weights) if base is None else base / weights
        load_weights(network, file)
        scores = kept_scores(file) if ranking == TAYLOR else None
    found: SearchSpace = shrinkable(network, task, keep, resolutions, scores)
    return found


def tuning(
    *,
    space: SearchSpace,
    data: Any = "digits",
    recipe: Any = None,
    distillation: float = 0.5,
    original: Mapping[str, float] | None = None,
    threads: int = 1,
    device: str | None = None,
    robustness: Mapping[str, Any] | None = None,
    companions: Sequence[str] | None = None,
) -> Evaluate:
    """Fine-tune each candidate of the space `module` from its inherited weights (docs/shrink.md).

    `data`, `robustness` and `companions` are those of the evaluator `training`; `recipe` too, by default 3 epochs with a rate that
    falls from 0.01. `distillation` is the share of the loss that compares the output with that of the original network.
    `original` has the values of the original network, which `nas shrink` records.
    """
    from nas.shrinking.evaluator import TuningEvaluator

    given = {"data": data, "recipe": tuning_recipe(recipe), "threads": threads, "device": device}
    more = {"robustness": robustness, "companions": companions}
    trainer: Any = trained_on(None, {**given, **more}, space)
    values = {f.name: getattr(trainer, f.name) for f in dataclasses.fields(trainer)}
    if companions is None:
        values["companions"] = None
    return TuningEvaluator(**values, distillation=distillation, original=original)


def tuning_recipe(given: Any) -> dict[str, Any]:
    """The settings of a recipe, with the defaults of fine-tuning unless it has a `base`. Raises `ConfigError`."""
    settings = {} if given is None else given
    if not isinstance(settings, Mapping):
        raise ConfigError(f"recipe: expected a mapping such as {{epochs: 3, lr: 0.01}}, got {given!r:.200}")
    return dict(settings) if "base" in settings else {**TUNING, **settings}


EVALUATORS: dict[str, Callable[..., Evaluate]] = {TUNED: tuning}
SPACES: dict[str, Callable[..., SearchSpace]] = {SHRINKABLE: module}
