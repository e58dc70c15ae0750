"""Read a network trained by `nas train` from its folder, for export."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from nas.core.errors import DataError
from nas.core.json_text import read_json
from nas.core.text import counted
from nas.export.making import TRAINED, Described, Made, Scores
from nas.export.standalone import ImageSpec

_FOLDERS = re.compile(r"""(['"])/(?:[^'"]*/)?([^/'"]*)\1""")  # of a path within a text form


@dataclass(frozen=True)
class Trained:
    """A finished training, read from its `config.json` and `result.json`.

    `task` is classification, segmentation or detection, `resolution` the image side if the recipe sets it,
    `sizes` the number of images of every split.
    """

    task: str
    resolution: int | None
    images: ImageSpec
    sizes: Mapping[str, int]
    recipe: Mapping[str, Any]
    data: Described
    story: str
    validation: Scores | None
    test: Scores | None
    torch: str

    @classmethod
    def read(cls, folder: Path) -> Trained:
        """Read a folder. Raises `DataError` for an unfinished training, a damaged file or one of an earlier version."""
        if not ((folder / "result.json").is_file() and (folder / "weights.pt").is_file()):
            raise DataError(f"{folder}: the training is not finished; repeat its command to continue")
        config, result = read_object(folder / "config.json"), read_object(folder / "result.json")
        try:
            return cls._of(config, result)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise DataError(
                f"{folder}: config.json and result.json do not describe the images of the network; repeat the command "
                f"of the training to add the missing parts (it does not train again)"
            ) from None

    @classmethod
    def _of(cls, config: Mapping[str, Any], result: Mapping[str, Any]) -> Trained:
        said, recipe, data = result["pictures"], config["recipe"], str(config["data"])
        channels, height, width = (int(n) for n in said["shape"])
        mean, std = (tuple(float(x) for x in said[key]) for key in ("mean", "std"))
        sizes = {str(name): int(count) for name, count in said["sizes"].items()}
        return cls(
            task=str(config["task"]).split("(")[0].lower(),
            resolution=None if recipe["resolution"] is None else int(recipe["resolution"]),
            images=ImageSpec((channels, height, width), mean, std, tuple(map(str, said["classes"]))),
            sizes=sizes,
            recipe=dict(recipe),
            data=Described(data.split("(")[0], _FOLDERS.sub(r"\1\2\1", data)),
            story=f"The weights are from a full training by `nas train`: {counted(int(result['epochs']), 'epoch')}, seed "
            f"{config['seed']}.",
            validation=_scores(result.get("last"), "validation_", sizes["validation"]),
            test=_scores(result.get("test"), "", sizes["test"]),
            torch=str(config.get("torch", "")),
        )

    def made(self, network: nn.Module, boxes: bool) -> Made:
        """The network with its weights, in evaluation mode, and its description."""
        return Made(
            network,
            self.images,
            None,
            TRAINED,
            self.story,
            self.data,
            self.recipe,
            self.sizes,
            self.validation,
            self.test,
            boxes,
        )


def _scores(said: Any, prefix: str, images: int) -> Scores | None:
    """The numbers of a part of `result.json` whose names have the prefix."""
    if not isinstance(said, Mapping):
        return None
    numbers = {
        name.removeprefix(prefix): float(value)
        for name, value in said.items()
        if name.startswith(prefix) and name != "pictures" and isinstance(value, (int, float))
    }
    return Scores(numbers, images) if numbers else None


def read_object(file: Path) -> dict[str, Any]:
    """A JSON file that holds an object. Raises `DataError` naming it."""
    try:
        found = read_json(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"expected an object, got {type(found).__name__}")
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({error})") from None
    return found
