"""Tables and figures of trained segmentations."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import Patch
from PIL import Image

METRICS = ("miou", "pixel_accuracy")
CURVES = ("epoch", "train_loss", "validation_miou", "validation_pixel_accuracy", "validation_loss", "seconds")
SHEET_BYTES = 600_000

# Colours of the classes, in the order of CamVid's numbers: distinct by lightness where hues may not be.
COLOURS = (
    "#B8E2F2",  # sky
    "#8A7A70",  # building
    "#F5E663",  # pole
    "#4B2E60",  # road
    "#C79BD2",  # pavement
    "#2F7A3E",  # tree
    "#F28E2B",  # sign
    "#C8C8C8",  # fence
    "#0B4FA3",  # car
    "#D7263D",  # pedestrian
    "#1FC8B4",  # bicyclist
)
LINES = {"MUXNet-m": "#D55E00", "MobileNetV2": "#0072B2", "ResNet18": "#009E73"}  # Okabe and Ito
Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Trained:
    """A network's name, such as "MUXNet-m + C1", and the folder of its training."""

    name: str
    folder: Path

    def scores(self) -> dict[str, Any]:
        """The scores that `camvid.py` wrote."""
        return dict(json.loads((self.folder / "scores.json").read_text(encoding="utf-8")))

    def log(self) -> list[dict[str, str]]:
        """The validated epochs."""
        with (self.folder / "log.csv").open(encoding="utf-8") as file:
            return [row for row in csv.DictReader(file) if row["validation_miou"]]


def report(trained: Sequence[Trained], pairs: Sequence[Pair], classes: Sequence[str], out: Path) -> None:
    """Write results.csv, curves.csv, curves.png and pictures.png to `out`; `pairs` are those of the sheet."""
    out.mkdir(parents=True, exist_ok=True)
    _results(trained, out / "results.csv")
    _curves_table(trained, out / "curves.csv")
    if trained:
        curves(trained, out / "curves.png")
        sheet(trained, pairs, classes, out / "pictures.png")


def _results(trained: Sequence[Trained], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["network", "metric", "value", "epochs", "seconds"])
        for one in trained:
            scores = one.scores()
            rows = [(name, scores["test"][name]) for name in METRICS]
            rows += [(f"{name}_multi_scale", scores["multi_scale"][name]) for name in METRICS]
            rows += [(f"iou_{name}", value) for name, value in scores["test"]["class_ious"].items()]
            for metric, value in rows:
                shown = "" if value is None else f"{value:.2f}"
                writer.writerow([one.name, metric, shown, scores["epochs"], scores["seconds"]])


def _curves_table(trained: Sequence[Trained], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["network", *CURVES])
        for one in trained:
            for row in one.log():
                numbers = [f"{float(row[name]):.4g}" for name in CURVES[1:]]
                writer.writerow([one.name, row["epoch"], *numbers])


def curves(trained: Sequence[Trained], path: Path) -> None:
    """Validation mIoU by epoch, a panel for each head."""
    heads = list(dict.fromkeys(one.name.rpartition(" + ")[2] for one in trained))
    figure, axes = plt.subplots(
        1, len(heads), figsize=(3.6 * len(heads), 2.9), sharey=True, squeeze=False, layout="constrained"
    )
    for axis, head in zip(axes[0], heads, strict=True):
        for one in trained:
            backbone, _, own = one.name.rpartition(" + ")
            if own == head:
                rows = one.log()
                axis.plot(
                    [int(row["epoch"]) for row in rows],
                    [float(row["validation_miou"]) for row in rows],
                    color=LINES.get(backbone),
                    label=f"{backbone} ({one.scores()['test']['miou']:.1f} on the test)",
                )
        axis.set_title(head, loc="left", fontsize=10)
        axis.set_xlabel("epoch")
        axis.legend(frameon=False, fontsize=8, loc="lower right")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].set_ylabel("validation mIoU (%)")
    figure.savefig(path, dpi=160)
    plt.close(figure)


def sheet(trained: Sequence[Trained], pairs: Sequence[Pair], classes: Sequence[str], path: Path) -> None:
    """Input, ground truth and predictions, one row per image; below 600 KB."""
    predictions = []
    for one in trained:
        with np.load(one.folder / "sheet.npz", allow_pickle=False) as file:
            predictions.append(file["predicted"])
    height, width = pairs[0][1].shape
    columns, rows = 2 + len(trained), len(pairs)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(1.75 * columns, 1.75 * height / width * rows + 0.75),
        squeeze=False,
        gridspec_kw={"wspace": 0.03, "hspace": 0.03},
    )
    figure.subplots_adjust(
        left=0.005, right=0.995, top=1 - 0.25 / figure.get_figheight(), bottom=0.5 / figure.get_figheight()
    )
    for row, (image, mask) in enumerate(pairs):
        tiles = [image.transpose(1, 2, 0), coloured(mask), *(coloured(p[row]) for p in predictions)]
        for axis, tile in zip(axes[row], tiles, strict=True):
            axis.imshow(tile, interpolation="nearest")
            axis.set_axis_off()
    for axis, title in zip(axes[0], ["input", "truth", *(one.name for one in trained)], strict=True):
        axis.set_title(title, fontsize=9, pad=3)
    handles = [Patch(color=colour, label=name) for colour, name in zip(COLOURS, classes, strict=True)]
    handles.append(Patch(facecolor="white", edgecolor="grey", label="does not count"))
    figure.legend(
        handles=handles,
        ncols=len(handles),
        loc="lower center",
        frameon=False,
        fontsize=8,
        handlelength=1.0,
        columnspacing=1.0,
    )
    figure.savefig(path, dpi=130)
    plt.close(figure)
    if path.stat().st_size > SHEET_BYTES:  # photographs compress badly: a palette serves as well
        with Image.open(path) as whole:
            whole.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def coloured(mask: np.ndarray) -> np.ndarray:
    """Classes (h, w) as colours (h, w, 3); white if ignored."""
    table = np.full((256, 3), 255, dtype=np.uint8)
    for number, colour in enumerate(COLOURS):
        table[number] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return table[mask]
