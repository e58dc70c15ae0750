"""A supernet as the config of a search describes it: the space, and the settings of its evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.core.plugins import make
from nas.core.space import SearchSpace
from nas.sharing.training import SupernetSettings
from nas.spaces.making import make_space
from nas.training.from_config import trained_on
from nas.training.recipe import Recipe

EVALUATORS = ("shared", "training")  # whose settings describe a supernet
_TRAINED = ("data", "recipe", "threads", "device")


@dataclass(frozen=True)
class Described:
    """A supernet before its training; `config` has plain values that describe its space and evaluator."""

    space: SearchSpace
    data: Any
    recipe: Recipe
    settings: SupernetSettings
    threads: int
    device: str | None
    config: Mapping[str, Any]


def described(space: Mapping[str, Any], evaluator: Mapping[str, Any], base: Path | None = None) -> Described:
    """The supernet of a space and an evaluator, each a mapping with `name`; paths of code start at `base`.

    Raises `ConfigError` for another evaluator, an unknown or wrong setting, or a space that builds no networks.
    """
    settings = dict(evaluator)
    name = settings.pop("name")
    if name not in EVALUATORS:
        raise ConfigError(f"evaluator {name!r}: a supernet needs the evaluator {' or '.join(EVALUATORS)}")
    known = (*_TRAINED, "supernet")
    for key in settings:
        if key not in known:
            raise ConfigError(
                f"evaluator {name}: {key!r} has no meaning for a supernet{did_you_mean(key, known)}; it has: {', '.join(known)}"
            )
    own = settings.pop("supernet", None) or {}
    if not isinstance(own, Mapping):
        raise ConfigError(
            f"supernet: expected a mapping such as {{epochs: 50}}, got {own!r:.200}: a trained supernet needs no training"
        )
    made = make_space(str(space["name"]), {key: value for key, value in space.items() if key != "name"}, base)
    trainer: Any = trained_on(None, settings, made)
    return Described(
        made,
        trainer.data,
        trainer.recipe,
        make("supernet", SupernetSettings, own, "supernet"),
        trainer.threads,
        trainer.device,
        {"space": dict(space), "evaluator": dict(evaluator)},
    )
