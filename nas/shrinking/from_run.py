"""A network of a finished run as the original of another."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.core.errors import ConfigError
from nas.core.files import absolute
from nas.core.trust import Named, named_code, where_of
from nas.engine.kept_weights import FOLDER, weights_entry
from nas.export.load_network import run_config
from nas.export.picks import choose
from nas.runs.history import FILE
from nas.runs.reading import load_run
from nas.shrinking.from_config import SHRINKABLE
from nas.shrinking.models import means_path


@dataclass(frozen=True)
class Picked:
    """A picked network: its description for a config, its weights, and the data of its search.

    `space` is the space as the run's own config has it, with files relative to `base`.
    """

    model: dict[str, Any]
    weights: Path
    data: Any
    space: dict[str, Any]
    base: Path | None

    @property
    def code(self) -> list[Named]:
        """The code that builds the network."""
        return named_code({"space": self.space}, self.base)


def is_run(model: str | os.PathLike[str]) -> bool:
    """Whether a model names the folder of a run. Raises `ConfigError` for another folder or file, and a path that does not exist."""
    path = Path(model)
    if (path / FILE).is_file():
        return True
    if isinstance(model, os.PathLike) or means_path(model):
        if path.is_dir():
            why = f"the folder holds no run ({FILE}): name the folder of a run"
        elif path.suffix == ".py":
            why = f"name its function that returns the network too, such as {path}:make_model"
        elif path.is_file():
            why = "expected the network, not a file: name file.py:function, a listed network or the folder of a run; give its weights with --weights"
        else:
            why = "the folder does not exist: name the folder of a run, file.py:function or a listed network (nas list models)"
        raise ConfigError(f"model {path}: {why}")
    return False


def picked(run: str | Path, pick: str = "knee") -> Picked:
    """The network of a run's front that `pick` names, as for `nas export`; runs no code.

    Raises `ConfigError` for a pick without a match, and a run from Python; `DataError` if the run kept no weights of it.
    """
    folder = absolute(run)
    table, _ = load_run(folder)
    architecture = choose(table, [pick])[0].architecture
    weights = folder / FOLDER / weights_entry(folder, architecture)["file"]
    config, base = run_config(folder)
    own = config.space.model_dump(mode="json")
    space = _absolute(own, base)
    if space["name"] == SHRINKABLE:
        space.pop("weights", None)  # those of the smaller network replace them
    if space["name"] == "segmentation":
        raise ConfigError(f"{run}: expected a run that searches classifiers, not segmentations")
    evaluator = {} if config.evaluator is None else config.evaluator.settings
    model = {"space": space, "architecture": architecture}
    return Picked(model, weights, evaluator.get("data"), own, base)


def _absolute(value: Any, base: Path | None) -> Any:
    """Plain values with absolute paths of the files that they name code in."""
    if isinstance(value, Mapping):
        return {key: _absolute(inner, base) for key, inner in value.items()}
    if isinstance(value, list):
        return [_absolute(inner, base) for inner in value]
    place, colon, attribute = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    return f"{where_of(place, base)}:{attribute}" if colon and place.endswith(".py") else value
