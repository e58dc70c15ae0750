"""The training behind a file of weights: the image size, and the settings that read the data."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas.core.errors import DataError
from nas.core.json_text import read_json
from nas.training import weights

_RESOLUTION = re.compile(r"\bresolution=(\d+)")
_PLACE = "path"  # the user gives the place of the data


@dataclass(frozen=True)
class TrainedAs:
    """Known facts of a training: the recipe's `resolution`, the class that read the data, and its settings."""

    resolution: int | None = None
    data: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def read_alike(self, source: Any, given: Collection[str]) -> Any:
        """The data set read as in the training, except the `given` settings; a set of another kind unchanged."""
        if type(source).__name__ != self.data or not dataclasses.is_dataclass(source):
            return source
        known = {f.name for f in dataclasses.fields(source)} - {_PLACE, *given}
        return dataclasses.replace(source, **{k: v for k, v in self.settings.items() if k in known})  # type: ignore[type-var]


def trained_as(file: Path) -> TrainedAs:
    """The facts in `export.json` or `config.json` beside the weights, or in their file; empty without any."""
    exported = _exported(file.with_name("export.json"))
    if exported is not None:
        return exported
    try:
        config = read_json(file.with_name("config.json").read_text(encoding="utf-8"))
        side = config["recipe"]["resolution"]
        return TrainedAs(side if isinstance(side, int) else None, *_described(str(config["data"])))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    try:
        said = weights.read(file).get("settings")
    except DataError:
        return TrainedAs()
    if not isinstance(said, str):
        return TrainedAs()
    data, _, recipe = said.partition(" Recipe(")
    side = _RESOLUTION.search(recipe)
    return TrainedAs(None if side is None else int(side[1]), *_described(data))


def _exported(index: Path) -> TrainedAs | None:
    """The notes of `nas export` beside the weights; None without them."""
    try:
        said = read_json(index.read_text(encoding="utf-8"))
        _, height, width = said["input"]
        return TrainedAs(int(height) if height == width else None, *_described(str(said.get("data", ""))))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _described(text: str) -> tuple[str, dict[str, Any]]:
    """Name and plain settings from the text form of a data set, such as `Folder(path='a', resolution=16)`."""
    try:
        call = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return "", {}
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return "", {}
    settings = {}
    for keyword in call.keywords:
        try:
            settings[str(keyword.arg)] = ast.literal_eval(keyword.value)
        except ValueError:  # not a plain value
            continue
    return call.func.id, settings
