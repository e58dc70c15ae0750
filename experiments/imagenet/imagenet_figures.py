"""The figures of the table: accuracy against MAdds and parameters, and ImageNet against ImageNet-V2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from imagenet_rows import HERE, RESULTS, published, read
from matplotlib.axes import Axes

OURS, OTHERS, MEASURED = "#0072b2", "#d55e00", "#009e73"  # safe for colour-blind readers
AXES = {"madds": "multiply-adds (millions)", "params": "parameters (millions)"}
PLACES = {  # labels that would lie on others: (figure, model) -> offset in points
    ("madds", "MobileNetV3 small"): (7, 3),
    ("madds", "MUXNet-xs"): (8, -4),
    ("madds", "MUXNet-s"): (8, -6),
    ("madds", "MUXNet-m"): (-7, 3),
    ("madds", "MUXNet-l"): (-7, 4),
    ("madds", "MobileNetV3 large"): (4, -24),
    ("madds", "MnasNet-A1"): (4, -18),
    ("madds", "MixNet-M"): (7, 1),
    ("madds", "MobileNetV1"): (-7, 4),
    ("madds", "ShuffleNetV2 2.0x"): (-7, 4),
    ("params", "MUXNet-s"): (8, -6),
    ("params", "MUXNet-m"): (-7, 3),
    ("params", "MUXNet-l"): (-7, 3),
    ("params", "MnasNet-A1"): (2, -13),
    ("params", "FBNet-C"): (7, -9),
    ("params", "ChamNet-C"): (3, -13),
    ("params", "ShuffleNetV2 2.0x"): (-2, -14),
    ("v2", "MixNet-M"): (-7, 2),
    ("v2", "EfficientNet-B0"): (3, -13),
    ("v2", "MobileNetV3 large"): (-7, 5),
    ("v2", "MnasNet-A1"): (-7, -2),
    ("v2", "FBNet-C"): (6, -6),
}

Row = Mapping[str, object]


def draw(rows: Sequence[Row], folder: Path) -> None:
    """Write accuracy_madds.png, accuracy_params.png and v1_v2.png."""
    for name in AXES:
        accuracy_against(rows, name, folder / f"accuracy_{name}.png")
    against_v2(folder / "v1_v2.png")


def accuracy_against(rows: Sequence[Row], name: str, path: Path) -> None:
    """Top-1 against one cost: published accuracy, computed cost (published where we have no network)."""
    _, axes = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    line = []
    for row in rows:
        computed = row[name] != ""
        cost = float(str(row[name])) / 1e6 if computed else _number(row[f"{name}_published_m"])
        top1 = _number(row["top1_published"])
        if cost is None or top1 is None:
            continue
        model = str(row["model"])
        ours = model.startswith("MUXNet")
        colour = OURS if ours else OTHERS
        axes.plot(
            cost,
            top1,
            "o" if ours else "s",
            color=colour,
            mfc=colour if computed else "white",
            ms=6,
            zorder=3,
        )
        label(axes, name, model, (cost, top1), colour if ours else "#333333")
        if ours:
            line.append((cost, top1))
        if row["top1"] != "":
            axes.plot(cost, float(str(row["top1"])), "D", color=MEASURED, ms=6, zorder=4)
    axes.plot(*zip(*sorted(line), strict=True), color=OURS, lw=1.2, zorder=2)
    for marker, colour, fill, text in (
        ("o", OURS, OURS, "MUXNet, accuracy as published"),
        ("s", OTHERS, OTHERS, "others, accuracy as published"),
        ("s", OTHERS, "white", "cost as published too"),
        *([("D", MEASURED, MEASURED, "measured here")] if any(row["top1"] != "" for row in rows) else []),
    ):
        axes.plot([], [], marker, color=colour, mfc=fill, label=text)
    axes.set(xlabel=AXES[name], ylabel="ImageNet top-1 accuracy (%)")
    axes.margins(0.12, 0.08)
    finish(axes, path)


def label(axes: Axes, name: str, model: str, at: tuple[float, float], colour: str) -> None:
    """The model's name beside its point."""
    offset = PLACES.get((name, model), (6, 4))
    side = "left" if offset[0] >= 0 else "right"
    axes.annotate(model, at, xytext=offset, textcoords="offset points", fontsize=7.5, color=colour, ha=side)


def against_v2(path: Path) -> None:
    """Top-1 on ImageNet-V2 (matched frequency) against top-1 on ImageNet: published by timm, and measured here."""
    _, axes = plt.subplots(figsize=(5.4, 4.4), layout="constrained")
    names = {row["network"]: row["model"] for row in published()} | {
        "resnet18": "ResNet-18",
        "vgg16": "VGG-16",
    }
    for row in read(HERE / "published_v2.csv"):
        at = float(row["top1_v1"]), float(row["top1_v2"])
        axes.plot(*at, "s", color=OTHERS, ms=6)
        label(axes, "v2", names[row["network"]], at, "#333333")
    measured: dict[str, dict[str, float]] = {}
    for row in read(RESULTS / "accuracy.csv"):
        measured.setdefault(row["network"], {})[row["set"]] = float(row["top1"])
    for network, sets in measured.items():
        if {"v1", "v2-matched-frequency"} <= sets.keys():
            at = sets["v1"], sets["v2-matched-frequency"]
            axes.plot(*at, "D", color=MEASURED, ms=6)
            label(axes, "v2", names.get(network, network), at, MEASURED)
    axes.plot([], [], "s", color=OTHERS, label="timm's weights, as published by timm")
    if measured:
        axes.plot([], [], "D", color=MEASURED, label="measured here")
    axes.set(
        xlabel="ImageNet top-1 accuracy (%)", ylabel="ImageNet-V2 (matched frequency) top-1 accuracy (%)"
    )
    axes.margins(0.15, 0.08)
    finish(axes, path)


def finish(axes: Axes, path: Path) -> None:
    """Grid, legend, file."""
    axes.grid(alpha=0.25, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", fontsize=8, frameon=False)
    figure = axes.get_figure()
    assert figure is not None
    figure.savefig(path, dpi=200)  # type: ignore[union-attr]
    plt.close("all")
    print(f"written: {path}")


def _number(value: object) -> float | None:
    return float(str(value)) if value != "" else None
