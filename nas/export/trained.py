"""A network that `nas train` has trained, to be exported: what its folder says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from nas.errors import DataError
from nas.export.making import TRAINED, Described, Made, Scores, epochs
from nas.export.standalone import Pictures

_FOLDERS = re.compile(r"""(['"])/(?:[^'"]*/)?([^/'"]*)\1""")  # of a path within a text form


@dataclass(frozen=True)
class Trained:
    """The folder of a finished training: its `config.json` and `result.json`."""

    folder: Path
    config: Mapping[str, Any]
    result: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Trained:
        """Raises `DataError` for a training that has not ended, a damaged file, or one of an earlier version."""
        if not ((folder / "result.json").is_file() and (folder / "weights.pt").is_file()):
            raise DataError(f"{folder}: its training has not ended; go on with the command that began it")
        found = cls(folder, read_object(folder / "config.json"), read_object(folder / "result.json"))
        try:
            found.pictures, found.sizes, found.resolution, found.task  # noqa: B018
            return found
        except (KeyError, TypeError, ValueError, AttributeError):
            raise DataError(
                f"{folder}: its config.json and result.json do not say what pictures the network takes; the command that "
                f"began the training, given once more, writes what is missing and trains nothing again"
            ) from None

    @property
    def task(self) -> str:
        """classification, segmentation or detection."""
        return str(self.config["task"]).split("(")[0].lower()

    @property
    def resolution(self) -> int | None:
        """The side of the pictures, where the recipe says it."""
        side = self.config["recipe"]["resolution"]
        return None if side is None else int(side)

    @property
    def pictures(self) -> Pictures:
        """What the network takes."""
        said = self.result["pictures"]
        channels, height, width = (int(n) for n in said["shape"])
        mean, std = (tuple(float(x) for x in said[key]) for key in ("mean", "std"))
        return Pictures((channels, height, width), mean, std, tuple(str(name) for name in said["classes"]))

    @property
    def sizes(self) -> dict[str, int]:
        """Pictures of every split."""
        return {str(name): int(count) for name, count in self.result["pictures"]["sizes"].items()}

    @property
    def story(self) -> str:
        """Where the weights come from, in a sentence."""
        count, seed = int(self.result["epochs"]), self.config.get("seed", "unknown")
        return f"The weights are of a training in full by `nas train`: {epochs(count)}, seed {seed}."

    def made(self, network: nn.Module, boxes: bool) -> Made:
        """The network, with its weights and in evaluation mode, and what the folder says of it."""
        text = str(self.config["data"])
        return Made(
            network,
            self.pictures,
            None,
            TRAINED,
            self.story,
            Described(text.split("(")[0], _FOLDERS.sub(r"\1\2\1", text)),
            self.config["recipe"],
            self.sizes,
            self._scores("validation", self.result.get("last"), "validation_"),
            self._scores("test", self.result.get("test"), ""),
            boxes,
        )

    def _scores(self, split: str, said: Any, prefix: str) -> Scores | None:
        """The numbers of a part of `result.json` whose names begin so."""
        if not isinstance(said, Mapping):
            return None
        numbers = {
            name.removeprefix(prefix): float(value)
            for name, value in said.items()
            if name.startswith(prefix) and name != "pictures" and isinstance(value, (int, float))
        }
        return Scores(numbers, self.sizes.get(split, 0)) if numbers else None


def read_object(file: Path) -> dict[str, Any]:
    """A JSON file that holds an object. Raises `DataError` naming it."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"expected an object, got {type(found).__name__}")
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({error})") from None
    return found
