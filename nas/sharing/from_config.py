"""The evaluator `shared` and supernets, as configs name them. Importing this loads no torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.core.evaluator import Evaluate
from nas.core.plugins import make
from nas.core.space import SearchSpace
from nas.sharing.settings import FinalSettings, SupernetSettings, TrustSettings
from nas.spaces.making import make_space
from nas.training.from_config import trained_on
from nas.training.recipe import Recipe

T = TypeVar("T")
_NAMES = ("shared", "training")  # evaluators whose settings describe a supernet
_TRAINED = ("data", "recipe", "threads", "device")
_SEARCHED = ("final", "trust")  # of a search alone


def shared(
    *,
    space: SearchSpace,
    data: Any = "digits",
    recipe: Any = None,
    supernet: Any = None,
    final: Any = None,
    trust: Any = None,
    threads: int = 1,
    device: str | None = None,
    described_by: Mapping[str, Any] | None = None,
) -> Evaluate:
    """Evaluate most candidates with the weights of a supernet, and train the best at the end.

    `data` (a name, a path, or a mapping with `name`) and `recipe` are those of the supernet's training. `supernet` is the folder of a trained one, or
    has the settings of its training (`epochs`, `lr`, `random`, `seed`, `shrink`, `smallest`, `limits`), which then begins the search. `final` (`epochs`, `networks`, `start`: scratch or
    inherited) describes own trainings, `trust` (`networks`, `after`, `threshold`) those that measure inherited values; false: none. `described_by`, the
    space and the evaluator as a config has them, is stored with the supernet.
    """
    from nas.sharing.evaluator import SharedEvaluator

    trainer: Any = trained_on(
        None, {"data": data, "recipe": recipe, "threads": threads, "device": device}, space
    )
    own = supernet
    if not isinstance(supernet, (str, os.PathLike)) or not str(supernet).strip():
        if supernet is not None and not isinstance(supernet, Mapping):
            raise ConfigError(
                f"evaluator shared: supernet: expected a folder or a mapping such as {{epochs: 50}}, got {supernet!r:.200}"
            )
        own = _supernet(supernet or {}, "shared")
    return SharedEvaluator(
        space,
        trainer.data,
        trainer.recipe,
        own,
        threads,
        device,
        _settings(FinalSettings, final, "final"),
        _settings(TrustSettings, trust, "trust"),
        described_by=described_by,
    )


def _supernet(given: Mapping[str, Any], evaluator: str) -> SupernetSettings:
    if "name" in given:  # `--set evaluator.supernet.epochs=9` where the config has a folder
        raise ConfigError(
            f"evaluator {evaluator}: supernet: the folder {given['name']!r:.200} of a trained supernet takes no settings; remove the folder or the settings"
        )
    made: SupernetSettings = make(f"evaluator {evaluator}:", SupernetSettings, given, "supernet")
    return made


def _settings(kind: type[T], given: Any, name: str) -> T | None:
    """The settings of a mapping, the defaults for None; None for false."""
    if given is False:
        return None
    if given is not None and not isinstance(given, Mapping):
        raise ConfigError(f"evaluator shared: {name}: expected a mapping or false, got {given!r:.200}")
    made: T = make("evaluator shared:", kind, given or {}, name)
    return made


EVALUATORS: dict[str, Callable[..., Evaluate]] = {"shared": shared}


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
    if name not in _NAMES:
        raise ConfigError(f"evaluator {name!r}: a supernet needs the evaluator {' or '.join(_NAMES)}")
    known = (*_TRAINED, "supernet", *(_SEARCHED if name == "shared" else ()))
    for key in settings:
        if key not in known:
            raise ConfigError(
                f"evaluator {name}: {key!r} has no meaning for a supernet{did_you_mean(key, known)}; it has: {', '.join(known)}"
            )
    own = settings.pop("supernet", None) or {}
    for key in _SEARCHED:
        settings.pop(key, None)
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
        _supernet(own, name),
        trainer.threads,
        trainer.device,
        {"space": dict(space), "evaluator": dict(evaluator)},
    )
