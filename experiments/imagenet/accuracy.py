"""Top-1 and top-5 of networks on ImageNet's validation images and on the three sets of ImageNet-V2.

Run: python experiments/imagenet/accuracy.py --weights FOLDER [--v1 imagenet/val] [--v2 FOLDER] [--networks ...]

`--weights` holds NETWORK.pt for every network to evaluate (`weights.pt` of a training, or the output of `nas weights
convert`). `--v1` is ImageNet's folder of validation images, one folder per class (n01440764, ...). `--v2` is the folder
with the three unpacked sets (see `V2_SETS`), one folder per class, 0 to 999; missing sets are left out. Images are
resized and cut to 224 pixels as in training (the central 87.5%). Rows of earlier calls for other networks and sets are
kept. Writes results/accuracy.csv.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from imagenet_rows import RESULTS, chosen, read, write
from torch import nn

from nas.core.errors import ConfigError, DataError
from nas.training.data.base import IntArray, MemoryPictures, Splits
from nas.training.data.encoded import TYPICAL, EncodedImages, Reading
from nas.training.data.tree import inside
from nas.training.feed import Feed, feed_of
from nas.training.judging import put_weights
from nas.training.loop import Score, judge
from search_spaces.networks import create_network

V1 = "v1"
V2_SETS = {
    "v2-matched-frequency": "imagenetv2-matched-frequency-format-val",
    "v2-threshold-0.7": "imagenetv2-threshold0.7-format-val",
    "v2-top-images": "imagenetv2-top-images-format-val",
}
SIDE, CLASSES = 224, 1000


def held_out(folder: Path, num_classes: int = CLASSES, side: int = SIDE) -> Feed:
    """The images of a folder with one folder per class, for evaluation.

    Folders named by numbers give the class (ImageNet-V2); other names are numbered in their order, and every class
    must have one (ImageNet). Raises `DataError` for a folder that is neither.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a folder with one folder a class; it is not there")
    folders = [folder / name for name in inside(str(folder)).visible]
    files: list[str] = []
    labels: list[int] = []
    for label, held_in in zip(_labels(folder, folders, num_classes), folders, strict=True):
        found = [str(held_in / name) for name in inside(str(held_in)).images]
        files += found
        labels += [label] * len(found)
    if not files:
        raise DataError(f"{folder}: expected images in its class folders, found none")
    mean, std = TYPICAL[3]
    held = EncodedImages(files, None, np.array(labels, np.int64), Reading(resolution=side))
    nothing = MemoryPictures(np.empty((0, 3, side, side), np.uint8), np.empty(0, np.int64))
    names = tuple(str(i) for i in range(num_classes))
    where = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return feed_of(held, Splits(nothing, nothing, held, names, mean, std), side, True, where)


def _labels(folder: Path, folders: list[Path], num_classes: int) -> IntArray:
    names = [one.name for one in folders]
    if names and all(name.isdecimal() for name in names):
        labels = np.array([int(name) for name in names], np.int64)
        if labels.max() >= num_classes:
            raise DataError(f"{folder}: expected class folders 0 to {num_classes - 1}, got {labels.max()}")
        return labels
    if len(names) != num_classes:
        raise DataError(
            f"{folder}: expected {num_classes} class folders (or numbered ones), got {len(names)}"
        )
    return np.arange(num_classes)


def sets_of(v1: Path | None, v2: Path | None) -> dict[str, Path]:
    """The folders to evaluate on, by the set's name. Raises `ConfigError` without any."""
    found = {} if v1 is None else {V1: v1}
    if v2 is not None:
        found |= {name: v2 / part for name, part in V2_SETS.items() if (v2 / part).is_dir()}
    if not found:
        raise ConfigError(
            f"--v1, --v2: expected a folder of images, or one that holds {', '.join(V2_SETS.values())}"
        )
    return found


def scores(
    network: nn.Module, sets: dict[str, Path], num_classes: int = CLASSES
) -> Iterator[tuple[str, Score]]:
    """The scores of a network on every set."""
    for name, folder in sets.items():
        yield name, judge(network, held_out(folder, num_classes), num_classes)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--v1", type=Path)
    parser.add_argument("--v2", type=Path)
    parser.add_argument("--networks", nargs="+", default=[])
    parser.add_argument("--out", type=Path, default=RESULTS / "accuracy.csv")
    asked = parser.parse_args()
    sets = sets_of(asked.v1, asked.v2)
    names = [name for name in chosen(asked.networks) if (asked.weights / f"{name}.pt").is_file()]
    if not names:
        raise ConfigError(
            f"--weights: expected NETWORK.pt in {asked.weights}, such as muxnet_m.pt; found none"
        )
    where = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows: list[dict[str, object]] = []
    for name in names:
        network = create_network(name)
        put_weights(network, asked.weights / f"{name}.pt")
        network.to(device=where, memory_format=torch.channels_last)  # type: ignore[call-overload]
        for which, score in scores(network, sets):
            rows.append(
                {
                    "network": name,
                    "set": which,
                    "pictures": score.pictures,
                    "top1": round(100 - score.error, 3),
                    "top5": round(100 - score.top5_error, 3),
                }
            )
            print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    judged = {(row["network"], row["set"]) for row in rows}
    write(asked.out, [row for row in read(asked.out) if (row["network"], row["set"]) not in judged] + rows)


if __name__ == "__main__":
    main()
