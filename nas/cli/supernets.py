"""`nas supernet train` and `nas supernet evaluate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from nas.cli.console import output, print_json, this_command
from nas.cli.notices import notices
from nas.config.schema import check_config, override, read_config
from nas.core.errors import ConfigError
from nas.core.text import command, counted
from nas.core.trust import Trusted, named_code
from nas.runs.code_of_strangers import allowing


def run_supernet_training(config: Path, settings: Sequence[str], out: Path | None) -> None:
    """`nas supernet train`; exits with 130 if interrupted."""
    from nas.sharing.from_config import described
    from nas.sharing.training import default_folder, train_supernet

    parts = _parts(config, settings)
    code = named_code(parts, config.parent)
    Trusted().remember(code)
    supernet = described(parts["space"], parts["evaluator"], config.parent)
    space, data, recipe, own = supernet.space, supernet.data, supernet.recipe, supernet.settings
    folder = out or default_folder(space, data, recipe, own, supernet.device)
    epochs = own.recipe(recipe).epochs
    _say(f"Supernet of {space.name}: {counted(epochs, 'epoch')}, in {folder}")
    try:
        with notices():
            trained = train_supernet(
                space,
                data,
                recipe,
                folder,
                settings=own,
                threads=supernet.threads,
                device=supernet.device,
                on_epoch=lambda row: _say(progress_line(row, epochs)),
                config=supernet.config,
            )
    except KeyboardInterrupt:
        _say(f"Interrupted; continue with: {this_command()}")
        raise typer.Exit(130) from None
    again: list[str | Path] = []
    if code:  # the folder's own config would not run it
        again = ["--config", config, *(word for text in settings for word in ("--set", text))]
    largest = trained.space.format(trained.extremes.largest)
    line = command("nas", "supernet", "evaluate", folder, largest, *again)
    _say(f"Evaluate a network, such as the largest, with its weights: {line}")


def run_supernet_evaluation(
    folder: Path, text: str, config: Path | None, settings: Sequence[str], as_json: bool
) -> None:
    """`nas supernet evaluate`."""
    from nas.sharing.from_config import described
    from nas.sharing.store import load_supernet, read_about
    from nas.sharing.training import evaluate_inherited

    if settings and config is None:
        raise ConfigError("--set changes a config: name it with --config")
    about = read_about(folder)
    parts, base = (
        (_of_folder(folder, about), None) if config is None else (_parts(config, settings), config.parent)
    )
    with allowing(named_code(parts, base) if config is not None else []):
        supernet = described(parts["space"], parts["evaluator"], base)
    recipe = supernet.settings.recipe(supernet.recipe)
    with notices(errors=as_json):
        trained = load_supernet(folder, supernet.space, data=supernet.data)
        architecture = trained.space.canonical(trained.space.parse(text))
        score = evaluate_inherited(trained, architecture, supernet.data, recipe, supernet.threads)
    if as_json:
        print_json({"inherited_error": score.error, "inherited_loss": score.loss})
        return
    _say(f"inherited_error  {score.error:8.2f} %")
    _say(f"inherited_loss   {score.loss:8.4f}")


def progress_line(row: Mapping[str, float], epochs: int) -> str:
    """An epoch of the log as one line."""
    parts = [f"epoch {int(row['epoch'])}/{epochs}", f"loss {row['train_loss']:.4f}"]
    shown = [(n, row[f"{n}_error"]) for n in ("largest", "smallest", "random") if f"{n}_error" in row]
    if shown:
        parts.append("error: " + ", ".join(f"{name} {value:.2f}%" for name, value in shown))
    return "  ".join([*parts, f"{row['seconds']:.1f} s"])


def _parts(config: Path, settings: Sequence[str]) -> dict[str, Any]:
    """The space and evaluator of a config as mappings with `name`. Raises `ConfigError`."""
    from nas.sharing.limited import cost_limits

    checked = check_config(override(read_config(config), settings))
    if checked.evaluator is None:
        raise ConfigError(f"config: {config} has no evaluator; a supernet needs its data")
    named = {"space": checked.space, "evaluator": checked.evaluator}
    parts = {key: {"name": part.name, **part.settings} for key, part in named.items()}
    own = parts["evaluator"].get("supernet") or {}
    if checked.limits and isinstance(own, Mapping):  # as a search with this config
        parts["evaluator"]["supernet"] = {"limits": list(cost_limits(checked.limits)), **own}
    return parts


def _of_folder(folder: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """The space and evaluator that the folder of a supernet names, none of them by code."""
    config = about.get("config")
    parts = config if isinstance(config, Mapping) else {}
    if not all(isinstance(parts.get(k), Mapping) and "name" in parts[k] for k in ("space", "evaluator")):
        raise ConfigError(
            f"{folder} does not name its space and data (its supernet was trained from Python); name the config: --config FILE.yaml"
        )
    found = {key: dict(parts[key]) for key in ("space", "evaluator")}
    if named_code(found, None):
        raise ConfigError(
            f"{folder} names code of its space or data; to run that code, name the config yourself: --config FILE.yaml"
        )
    return found


def _say(line: str) -> None:
    output().print(line)
