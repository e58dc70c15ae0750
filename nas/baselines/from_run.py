"""What a run fixes for its baselines: data, recipe, epochs, objectives, limits, executor."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.config.schema import Part, SearchConfig, check_config
from nas.core.errors import ConfigError
from nas.core.objectives import OBJECTIVES, Limit
from nas.core.task_spec import TaskSpec
from nas.engine.plan import TASK
from nas.export.load_network import run_config
from nas.runs.history import FILE
from nas.runs.log_file import well_formed
from nas.runs.reading import load_run
from nas.runs.run_folder import RunTable
from nas.shrinking.from_config import TUNED, tuning_recipe
from nas.training.recipe import Recipe, recipe_from_config

NAMED = ("evaluator", "executor", "target")  # parts of the config whose code is needed
_SAME = ("data", "recipe", "threads", "device")


@dataclass(frozen=True)
class Given:
    """A run with its config, before anything is decided: `base` is the folder of its relative paths."""

    folder: Path
    table: RunTable
    config: SearchConfig
    base: Path | None
    task: TaskSpec | None  # as recorded


@dataclass(frozen=True)
class Terms:
    """How the baselines of a run are trained and evaluated.

    `config` has the evaluator `training` with the run's data and recipe, and the objectives that other networks have; `left_out`
    gives the reason for each other one, by name. `epochs` are those of each network; `changed` are the settings that differ from
    those of the run's own trainings, "" if none. `notes` are sentences about what is not comparable.
    """

    config: SearchConfig
    epochs: int
    changed: str
    left_out: Mapping[str, str]
    notes: tuple[str, ...]


def given_run(folder: Path, data: Any = None, training: Mapping[str, Any] | None = None) -> Given:
    """Read a finished or running run; runs no code.

    `data` and `training` are those of a run from Python, whose folder does not name them. Raises `HistoryError` without a run,
    `ConfigError` for a run from Python without `data`, and for data of a run that names its own.
    """
    table, meta = load_run(folder)
    with well_formed(folder / FILE):
        identity = meta.get("identity") or {}
        task = TaskSpec.from_json(identity.get(TASK))
        recorded = (meta.get("config") or {}).get("config")
        if recorded:
            if data is not None or training is not None:
                raise ConfigError(f"data, training: {folder} names its own data and recipe; remove them")
            config, base = run_config(folder)
            return Given(folder, table, config, base, task)
        if data is None:
            raise ConfigError(
                f"{folder} was started from Python and does not name its data: nas.baseline({str(folder)!r}, data=..., training=...) "
                "with those of the search"
            )
        return Given(folder, table, _of_python(meta, identity, data, training or {}), None, task)


def _of_python(
    meta: Mapping[str, Any], identity: Mapping[str, Any], data: Any, training: Mapping[str, Any]
) -> SearchConfig:
    """A config with what the log of a run from Python has, and its user's data and recipe."""
    if "data" in training:
        raise ConfigError("training: 'data' is given twice; remove it from training")
    own = (identity.get("own_trainings") or {}).get("epochs")
    objectives = [
        o["name"]
        if o["name"] in OBJECTIVES
        else {key: o[key] for key in ("name", "unit", "maximize", "cheap") if key in o}
        for o in meta["objectives"]
    ]
    return check_config(
        {
            "space": "python",
            "objectives": objectives,
            "limits": identity.get("limits") or list(meta["limits"]),
            "target": identity.get("target"),
            "evaluator": {"name": "training", **training, "data": data},
            "executor": "serial",
            "seed": identity.get("seed") or 0,
            "fidelity": identity.get("fidelity") or own,
            "halving": identity.get("halving"),
        }
    )


def terms_of(given: Given, epochs: int | None = None, changes: Mapping[str, Any] | None = None) -> Terms:
    """The terms of a run's baselines, with other `epochs` and `changes` of the recipe if they are given.

    Raises `ConfigError` for a run whose evaluator does not train classifiers, for one whose candidates are not trained by themselves,
    unless `epochs` are given, and for wrong settings.
    """
    config, changes = given.config, dict(changes or {})
    if epochs is None:
        epochs = changes.pop("epochs", None)
    elif changes.pop("epochs", epochs) != epochs:
        raise ConfigError("epochs: given twice, with two values; give one")
    if epochs is not None and (isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1):
        raise ConfigError(f"epochs: expected a whole number of at least 1, got {epochs!r}")
    settings, own, notes = _training(given)
    recipe = recipe_from_config(settings["recipe"])
    now = recipe_from_config({**settings["recipe"], **changes})
    chosen = epochs or own or 0
    if not chosen:
        raise ConfigError(
            f"{given.folder}: its candidates start from weights of another network, so no number of epochs makes the trainings of "
            "baselines, from random weights, equal to theirs; give one: --epochs N (epochs=N in Python)"
        )
    changed = ([] if chosen == own else [f"epochs={chosen}"]) + _differences(recipe, now)
    settings["recipe"] = {**_plain(now), "epochs": chosen}
    kept, left_out = _objectives(
        config, shared=config.evaluator is not None and config.evaluator.name == "shared"
    )
    limits = [text for text in config.limits if Limit.parse(text).objective not in left_out]
    if not kept:
        raise ConfigError(
            f"{given.folder}: no objective of the run exists for other networks: "
            + "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        )
    evaluator = {"name": "training", **settings}
    update = {"objectives": kept, "limits": limits, "evaluator": Part(**evaluator)}
    return Terms(config.model_copy(update=update), chosen, ", ".join(changed), left_out, tuple(notes))


def _training(given: Given) -> tuple[dict[str, Any], int | None, list[str]]:
    """The settings of the evaluator `training`, the epochs of the front's members (None: no comparable number), and notes."""
    config, part = given.config, given.config.evaluator
    settings = {} if part is None else part.settings
    recipe = settings.get("recipe") or {}
    if not isinstance(recipe, Mapping):
        raise ConfigError(f"recipe: expected a mapping, got {recipe!r:.200}")
    if part is not None and part.name == "training":
        budget = config.halving.last if config.halving is not None else config.fidelity
        epochs = recipe_from_config(dict(recipe)).epochs if budget is None else int(budget)
        return {**settings, "recipe": dict(recipe)}, epochs, []
    same = {name: settings[name] for name in _SAME if name in settings} | {"recipe": dict(recipe)}
    if part is not None and part.name == "shared":
        final = settings.get("final")
        if final is False:
            return same, None, ["The front has inherited errors: its members were not trained by themselves."]
        final = final if isinstance(final, Mapping) else {}
        epochs = int(final.get("epochs") or recipe_from_config(dict(recipe)).epochs)
        inherits = final.get("start", "scratch") != "scratch"
        note = "The members of the front were trained from inherited weights, baselines from random ones."
        return same, epochs, [note] if inherits else []
    if part is not None and part.name == TUNED:
        from nas.shrinking.start import recipe_of_original  # imports torch

        train = config.space.settings.get("train")
        original = recipe_of_original(train, recipe_from_config(tuning_recipe(settings.get("recipe"))))
        more = {"robustness": settings["robustness"]} if "robustness" in settings else {}
        note = "The candidates inherited trained weights and were fine-tuned; baselines start from random weights."
        return {**same, **more, "recipe": _plain(original)}, None, [note]
    named = "none" if part is None else part.name
    raise ConfigError(
        f"{given.folder}: its evaluator ({named}) does not train classifiers on images, so there is no training to give to other networks; "
        "expected a run with the evaluator training or shared"
    )


def _plain(recipe: Recipe) -> dict[str, Any]:
    return {f.name: getattr(recipe, f.name) for f in dataclasses.fields(recipe)}


def _differences(then: Recipe, now: Recipe) -> list[str]:
    """The settings of a recipe that differ, besides the epochs."""
    before, after = _plain(then), _plain(now)
    found = []
    for name, value in after.items():
        if name != "epochs" and value != before[name]:
            text = (
                "+".join(value)
                if isinstance(value, tuple)
                else f"{value:g}"
                if isinstance(value, float)
                else str(value)
            )
            found.append(f"{name}={text}")
    return found


def _objectives(config: SearchConfig, shared: bool) -> tuple[Sequence[Any], dict[str, str]]:
    """The objectives that exist for other networks than those of the run's space, and the reasons of the others."""
    kept, left_out = [], {}
    for part in config.objectives:
        reason = ""
        if part.function is not None or ":" in part.name:
            reason = "a function of the architectures of the run's space"
        elif part.name not in OBJECTIVES and part.cheap:
            reason = "a cost that the run's space defines"
        elif shared and part.name.startswith("inherited_"):
            reason = "a value of shared weights"
        if reason:
            left_out[part.name.rpartition(":")[2]] = reason
        else:
            kept.append(part)
    return kept, left_out
