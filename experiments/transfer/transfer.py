"""Fine-tune pretrained networks by the recipe of MUXNet's authors: accuracy against costs.

From given weights, on a GPU:
    python experiments/transfer/transfer.py muxnet_m:muxnet_m.pt --target '{name: cifar10, path: FOLDER}' --out runs/transfer
From weights trained here on another data set first, beside the same networks from scratch, small enough for a CPU:
    python experiments/transfer/transfer.py NETWORK NETWORK --source digits --scratch --target '{name: parquet, path: FILE}' \\
        --set epochs=3 --set resolution=32 --out runs/transfer

Networks are named as for `nas train`. Every training has its own folder under --runs and resumes
from its last epoch; results.csv, results.md and transfer.png are written to --out.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.ticker import EngFormatter
from torch import nn

from nas.cli.named_networks import network_spec
from nas.core.errors import ConfigError, DataError, NasError
from nas.core.yaml_text import parse_yaml
from nas.training import RECIPES, FullSettings, Recipe, data_from_config, recipe_from_config, train_full
from nas.training.data import DataReport, DataSource, Digits, MemoryPictures, Splits
from nas.training.judging import read_state, starting_from
from nas.training.zero_cost import Batch, madds, params

COLUMNS = ("network", "start", "params", "madds", "epochs", "resolution", "seed", "accuracy")
RECIPE = "cifar-transfer"
COLOURS = {"scratch": "#D55E00"}
PUBLISHED = (
    "MUXNet-m, transferred from ImageNet by its authors: 98.0% on CIFAR-10 (2.1M parameters, 200M MAdds)."
)


@dataclass(frozen=True)
class ColourDigits:
    """The bundled digits as colour images of 32 pixels, so that networks for CIFAR can learn them first."""

    def load(self) -> Splits:
        """Grey levels 0 to 16 spread over 0 to 255, each pixel four wide and high."""
        small = Digits().load()
        parts = [self._larger(part) for part in (small.train, small.validation, small.test)]
        mean, std = (tuple(15.0 * value for value in values) * 3 for values in (small.mean, small.std))
        return Splits(parts[0], parts[1], parts[2], small.class_names, mean, std)

    def check(self) -> DataReport:
        return replace(Digits().check(), name="digits, in colour", picture="32x32, 3 channels")

    @staticmethod
    def _larger(part: Any) -> MemoryPictures:
        large = np.repeat(np.repeat(part.images * np.uint8(15), 4, axis=2), 4, axis=3)
        return MemoryPictures(np.repeat(large, 3, axis=1), part.labels)


@dataclass(frozen=True)
class Start:
    """A network to fine-tune: its name, its constructor, and its initial weights (None: random)."""

    network: str
    build: Callable[..., nn.Module]
    name: str
    weights: Path | None


def source_of(text: str) -> DataSource:
    """A data set as in a config; `digits` are those in colour. Raises `ConfigError`."""
    settings = parse_yaml(text)
    if settings == "digits":
        return ColourDigits()
    return data_from_config({"name": settings} if isinstance(settings, str) else settings)


def folder(runs: Path, *parts: object) -> Path:
    """The folder of a training: a readable and a unique part."""
    text = " ".join(map(str, parts))
    readable = "".join(c if c.isalnum() else "-" for c in str(parts[0]))[:40].strip("-")
    return runs / f"{readable}-{hashlib.blake2b(text.encode(), digest_size=5).hexdigest()}"


def starts(text: str, given: argparse.Namespace, recipe: Recipe, say: Callable[[str], None]) -> list[Start]:
    """The starts that one NETWORK or NETWORK:WEIGHTS of the command line requests; trains on the source, if any."""
    spec, colon, file = text.rpartition(":")
    weights = Path(file) if colon and file.endswith(".pt") else None
    label = spec if weights else text
    published = RECIPES[RECIPE]
    build = network_spec(label, {}).builder(published.dropout, published.drop_connect, recipe.resolution)
    found = []
    if weights is not None:
        read_state(weights)  # refused before anything is trained
        found.append(Start(label, build, weights.name, weights))
    elif given.source is not None:
        first = Recipe(
            epochs=given.source_epochs, batch_size=64, lr=0.1, augment=("crop",), resolution=recipe.resolution
        )
        out = folder(given.runs, label, "source", given.source, first, given.seed)
        say(f"{label}: learning {given.source}")
        result = train_full(build, source_of(given.source), first, out, settings=FullSettings(given.seed))
        if result.test is not None:
            say(f"{label}: {100 - result.test.error:.2f}% on {given.source}")
        found.append(Start(label, build, _short(given.source), result.weights))
    if given.scratch or not found:
        found.append(Start(label, build, "scratch", None))
    return found


def _short(source: str) -> str:
    """The name of a source in the tables."""
    settings = parse_yaml(source)
    return str(settings["name"] if isinstance(settings, dict) else settings)


def fine_tune(
    start: Start, target: DataSource, recipe: Recipe, runs: Path, seed: int, say: Callable[[str], None]
) -> dict[str, object]:
    """A row of the table: the network trained on the target, evaluated on the target's test images."""
    build = start.build if start.weights is None else starting_from(start.build, start.weights, say)
    out = folder(runs, start.network, "target", target, start.name, recipe, seed)
    result = train_full(build, target, recipe, out, settings=FullSettings(seed))
    if result.test is None:
        raise DataError(f"--target {target}: expected test images to report on, got none")
    network = start.build(num_classes=len(result.class_names), in_channels=3)
    side = recipe.resolution or 32
    batch = Batch(torch.zeros(2, 3, side, side), torch.zeros(2, dtype=torch.long))
    row: dict[str, object] = {
        "network": start.network,
        "start": start.name,
        "params": int(params(network, batch)),
        "madds": int(madds(network, batch)),
        "epochs": recipe.epochs,
        "resolution": side,
        "seed": seed,
        "accuracy": round(100 - result.test.error, 3),
    }
    say(f"{start.network} from {start.name}: {row['accuracy']}%")
    return row


def table(rows: Sequence[dict[str, Any]], target: str) -> str:
    """The results as Markdown."""
    lines = [
        f"# Fine-tuned on {target}",
        "",
        "| network | begins from | parameters | MAdds | epochs | pixels | seed | test accuracy (%) |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {r['network']} | {r['start']} | {r['params']:,} | {r['madds']:,} | {r['epochs']} | {r['resolution']} | "
        f"{r['seed']} | {r['accuracy']:.2f} |"
        for r in rows
    ]
    return "\n".join(
        [*lines, "", f"Published: {PUBLISHED}", "", "![accuracy against costs](transfer.png)", ""]
    )


def draw(rows: Sequence[dict[str, Any]], file: Path) -> None:
    """Accuracy against parameters and against MAdds, a line for each start."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)
    for axis, key, name in zip(
        axes, ("params", "madds"), ("parameters", "multiply-adds of an image"), strict=True
    ):
        for k, start in enumerate(dict.fromkeys(r["start"] for r in rows)):
            points = sorted((r[key], r["accuracy"]) for r in rows if r["start"] == start)
            colour = COLOURS.get(start, ["#0072B2", "#009E73", "#CC79A7"][k % 3])
            label = "from scratch" if start == "scratch" else f"from {start}"
            axis.plot(*zip(*points, strict=True), color=colour, marker="os^D"[k % 4], label=label)
        axis.set(xlabel=name, xscale="log")
        axis.xaxis.set_major_formatter(EngFormatter(sep=""))
        axis.xaxis.set_minor_formatter(EngFormatter(sep=""))
        axis.grid(alpha=0.25)
    axes[0].set(ylabel="test accuracy (%)")
    axes[0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(file, dpi=150)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="+", metavar="NETWORK[:WEIGHTS.pt]")
    parser.add_argument(
        "--target", required=True, help="data set as in a config: {name: cifar100, path: FOLDER}"
    )
    parser.add_argument(
        "--source", help="data set that networks without weights learn first (digits: in colour)"
    )
    parser.add_argument("--source-epochs", type=int, default=10)
    parser.add_argument("--scratch", action="store_true", help="train each network from scratch, too")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the recipe")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, default=Path("runs/transfer"), help="where trainings are kept")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    changes: dict[str, Any] = {}
    for setting in given.set:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set {setting!r}: expected KEY=VALUE")
        changes[key] = parse_yaml(value)
    recipe = recipe_from_config({"base": RECIPE, **changes})
    target = source_of(given.target)

    def say(line: str) -> None:
        print(line, flush=True)

    begun = [start for text in given.networks for start in starts(text, given, recipe, say)]
    rows = [fine_tune(start, target, recipe, given.runs, given.seed, say) for start in begun]
    given.out.mkdir(parents=True, exist_ok=True)
    with (given.out / "results.csv").open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (given.out / "results.md").write_text(table(rows, _short(given.target)), encoding="utf-8")
    draw(rows, given.out / "transfer.png")


if __name__ == "__main__":
    try:
        main()
    except NasError as error:
        sys.exit(f"error: {error}")
