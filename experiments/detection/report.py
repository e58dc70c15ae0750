"""Write the results of `train.py`: `results.csv`, `results.md`, `curves.csv`, `curves.png`, `pictures.png`.

    python experiments/detection/report.py --images detection_images.parquet --boxes detection_boxes.parquet runs/detection/*

COCO's average precision is added where faster-coco-eval is installed (`pip install '.[detection]'`).
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that it runs as a script

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image

from nas.core.errors import ConfigError
from nas.report.plots_axes import BLUE, FAINT, INK, VERMILLION
from nas.training.tasks.detection.coco import coco_precisions
from nas.training.tasks.detection.data import DetectionParquet, load
from nas.training.tasks.detection.data.base import Annotated, Objects
from nas.training.tasks.detection.metrics import Seen

HERE = Path(__file__).resolve().parent
LINES = (BLUE, VERMILLION, INK)
CLASS_COLOURS = (VERMILLION, "#000000", BLUE)  # platelets, red, white cells: distinct on pale violet images
SHOWN = 0.5  # lowest score of a drawn detection
ROWS = 4  # images on the sheet
SHEET_BYTES = 600_000
CURVES = ("train_loss", "validation_loss", "validation_map", "validation_map_11")
SELECTION = "Nothing was selected on validation or test images: the weights are those after the last pass."
CORNERS = ["left", "top", "right", "bottom"]


def write_report(folders: Sequence[Path], data: DetectionParquet, results: Path) -> None:
    """Write every file; several folders of one network are its seeds."""
    results.mkdir(parents=True, exist_ok=True)
    splits = load(data)
    runs = [_read(folder) for folder in folders]
    for run in runs:
        run["coco"] = _coco(run, splits.test, splits.class_names)
    table = _table(runs)
    table.to_csv(results / "results.csv", index=False)
    (results / "results.md").write_text(_text(table, runs, len(splits.train)), encoding="utf-8")
    curves = pd.concat([run["log"] for run in runs])
    curves.round(4).to_csv(results / "curves.csv", index=False)
    _draw_curves(curves, results / "curves.png")
    _draw_sheet(runs, splits.test, splits.class_names, results / "pictures.png")


def _read(folder: Path) -> dict[str, Any]:
    run: dict[str, Any] = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    log = pd.read_csv(folder / "log.csv")
    log.insert(0, "passes", log["epoch"] * run["passes_an_epoch"])
    log.insert(0, "seed", run["seed"])
    log.insert(0, "network", run["network"])
    run["log"] = log[["network", "seed", "passes", *CURVES]]
    run["detections"] = pd.read_csv(folder / "detections.csv", dtype={"picture": str})
    return run


def _coco(run: dict[str, Any], test: Annotated, names: tuple[str, ...]) -> dict[str, float]:
    """COCO's numbers in percent, from the stored detections; empty without the package."""
    groups = dict(list(run["detections"].groupby("picture")))
    index = {name: i for i, name in enumerate(names)}
    seen = []
    for image, size in zip(test.names, test.sizes, strict=True):
        mine = groups.get(image, run["detections"].iloc[:0])
        boxes = mine[CORNERS].to_numpy(dtype=float) / np.tile(size, 2)
        seen.append(
            Seen(
                boxes, mine["score"].to_numpy(dtype=float), mine["label"].map(index).to_numpy(dtype=np.int64)
            )
        )
    try:
        found = coco_precisions(seen, test.objects, test.sizes, len(names))
    except ConfigError as error:
        print(f"left out: {error}")
        return {}
    return {f"test_coco_{name}": 100 * value for name, value in found.items()}


def _table(runs: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """`network, metric, value, epochs, seconds`: means over seeds, percent; epochs are passes over the training images."""
    rows = []
    for run in runs:
        test, validation = run["scores"]["test"], run["scores"]["validation"]
        values = {
            "test_map": test["map"],
            "test_map_11": test["map_11"],
            **{f"test_ap_{name}": value for name, value in test["class_aps"].items()},
            **run["coco"],
            "validation_map": validation["map"],
            "validation_map_11": validation["map_11"],
        }
        rows += [
            {
                "network": run["network"],
                "metric": name,
                "value": value,
                "epochs": run["passes"],
                "seconds": run["seconds"],
            }
            for name, value in values.items()
        ]
    table = pd.DataFrame(rows).groupby(["network", "metric"], sort=False).mean().reset_index()
    return table.round({"value": 2, "seconds": 0, "epochs": 0}).astype({"epochs": int, "seconds": int})


def _text(table: pd.DataFrame, runs: Sequence[dict[str, Any]], images: int) -> str:
    """The table as Markdown."""
    first = runs[0]
    seeds = len({run["seed"] for run in runs})
    wide = table.pivot(index="network", columns="metric", values="value").loc[list(table["network"].unique())]
    columns = {
        "test_map": "mAP",
        "test_map_11": "mAP, 11 points",
        **{f"test_ap_{name}": f"AP {name}" for name in first["class_names"]},
        "test_coco_ap": "COCO AP",
        "test_coco_ap_75": "COCO AP75",
        "validation_map": "validation mAP",
    }
    shown = [c for c in columns if c in wide]
    lines = [
        f"Blood cells (BCCD), test images, percent; {first['resolution']}x{first['resolution']} pixels, from scratch on {images} "
        f"images, {'one seed' if seeds == 1 else f'mean of {seeds} seeds'}, {first['device']}. {SELECTION}",
        "",
        "| network | " + " | ".join(columns[c] for c in shown) + " | passes | minutes |",
        "|---|" + "---:|" * (len(shown) + 2),
    ]
    for network, row in wide.iterrows():
        spent = table[table["network"] == network].iloc[0]
        cells = [*(f"{row[c]:.1f}" for c in shown), f"{spent['epochs']:,}", f"{spent['seconds'] / 60:.1f}"]
        lines.append(f"| {network} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _draw_curves(curves: pd.DataFrame, path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for colour, (network, group) in zip(LINES, curves.groupby("network", sort=False), strict=False):
        for seed, one in group.groupby("seed"):
            named = {"label": network} if seed == group["seed"].min() else {}
            left.plot(one["passes"], one["train_loss"], color=colour, lw=1.6, **named)
            left.plot(one["passes"], one["validation_loss"], color=colour, lw=1.2, ls="--")
            right.plot(one["passes"], one["validation_map"], color=colour, lw=1.6, **named)
    left.set(xlabel="passes over the training images", ylabel="multibox loss")
    right.set(xlabel="passes over the training images", ylabel="mAP on validation images, %", ylim=(0, 100))
    styles = [Line2D([], [], color=FAINT, lw=1.6), Line2D([], [], color=FAINT, lw=1.2, ls="--")]
    left.legend(styles, ["training (augmented)", "validation"], frameon=False)
    right.legend(frameon=False, loc="lower right")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#dddddd", lw=0.6)
    figure.savefig(path, dpi=160)
    plt.close(figure)


def _draw_sheet(runs: Sequence[dict[str, Any]], test: Annotated, names: tuple[str, ...], path: Path) -> None:
    """Draw ground truth and each network's detections (first seed), one row per image, evenly spread over the test set."""
    firsts = list({run["network"]: run for run in reversed(runs)}.values())[::-1]
    rows = np.linspace(0, len(test) - 1, ROWS).round().astype(int)
    width, height = test.sizes[0]
    size = (2.9 * (1 + len(firsts)), 2.9 * ROWS * height / width + 0.6)
    figure, grid = plt.subplots(ROWS, 1 + len(firsts), figsize=size, layout="constrained", squeeze=False)
    for axes, title in zip(grid[0], ["truth", *(run["network"] for run in firsts)], strict=True):
        axes.set_title(title, fontsize=10)
    for line, index in zip(grid, rows, strict=True):
        _image(line[0], test, index, _true(test.objects[index], test.sizes[index], names))
        for axes, run in zip(line[1:], firsts, strict=True):
            seen = run["detections"]
            mine = seen[(seen["picture"] == test.names[index]) & (seen["score"] >= SHOWN)]
            boxes = [
                (names.index(k), tuple(b), s)
                for k, b, s in zip(mine["label"], mine[CORNERS].to_numpy(), mine["score"], strict=True)
            ]
            _image(axes, test, index, boxes)
    keys = [Rectangle((0, 0), 1, 1, fill=False, ec=CLASS_COLOURS[i % 3], lw=1.5) for i in range(len(names))]
    figure.legend(keys, names, loc="outside lower center", ncols=len(names), frameon=False, fontsize=9)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=110)
    plt.close(figure)
    _save_small(drawn, path)


Boxes = list[tuple[int, tuple[float, ...], float | None]]


def _true(objects: Objects, size: np.ndarray, names: tuple[str, ...]) -> Boxes:
    return [
        (int(k), tuple(b), None)
        for k, b in zip(objects.labels, objects.boxes * np.tile(size, 2), strict=True)
    ]


def _image(axes: Axes, test: Annotated, index: int, boxes: Boxes) -> None:
    width, height = test.sizes[index]
    axes.imshow(test.images[index].transpose(1, 2, 0), extent=(0, width, height, 0), interpolation="bilinear")
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    for label, (left, top, right, bottom), score in boxes:
        colour = CLASS_COLOURS[label % len(CLASS_COLOURS)]
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, ec=colour, lw=1.1))
        if score is not None:
            axes.text(
                left + 3, top + 3, f"{100 * score:.0f}", color=colour, fontsize=5, va="top", clip_on=True
            )


def _save_small(drawn: io.BytesIO, path: Path) -> None:
    """Save as a PNG with the most colours that keep it below `SHEET_BYTES`."""
    image = Image.open(drawn).convert("RGB")
    for colours in (256, 128, 64, 32):
        small = io.BytesIO()
        image.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            small, "PNG", optimize=True
        )
        if small.tell() <= SHEET_BYTES:
            break
    path.write_bytes(small.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", required=True, help="Parquet file of images")
    parser.add_argument("--boxes", required=True, help="Parquet file of boxes")
    parser.add_argument("--source", default="bccd", help="which set of the files")
    parser.add_argument("--results", type=Path, default=HERE)
    parser.add_argument("folders", nargs="+", type=Path, help="what `train.py` left, a folder a network")
    asked = parser.parse_args()
    folders = [f for f in asked.folders if (f / "scores.json").is_file()]
    side = json.loads((folders[0] / "scores.json").read_text(encoding="utf-8"))["resolution"]
    write_report(
        folders,
        DetectionParquet(asked.images, asked.boxes, source=asked.source, resolution=side),
        asked.results,
    )


if __name__ == "__main__":
    main()
