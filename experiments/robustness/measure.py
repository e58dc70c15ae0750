"""Error of trained networks under the 15 common corruptions: a table, mCE, a figure.

Run: python experiments/robustness/measure.py --data '{name: parquet, path: train.parquet, test_path: test.parquet}' \\
         plain=NETWORK:weights.pt muxnet=NETWORK:weights.pt --out FOLDER

Each network is LABEL=NETWORK:WEIGHTS, named as for `nas evaluate`. The first one is the reference of mCE;
with --alexnet (ImageNet at 224 pixels) that is AlexNet, with its published errors.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from nas.cli.named_networks import network_spec
from nas.core.errors import ConfigError, NasError
from nas.core.yaml_text import parse_yaml
from nas.training.corruptions import CORRUPTIONS, KINDS
from nas.training.data import DataSource, Splits, data_from_config, load
from nas.training.judging import put_weights
from nas.training.robustness import (
    ALEXNET,
    Errors,
    Robustness,
    corruption_error,
    mean_corruption_error,
    relative_corruption_error,
)
from nas.training.zero_cost import Batch, madds, params

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]


@dataclass(frozen=True)
class Measured:
    """One network: costs, error on clean images, errors on corrupted ones; percent."""

    label: str
    params: int
    madds: int
    clean: float
    errors: Errors


def measure(text: str, data: DataSource, robustness: Robustness, resolution: int | None) -> Measured:
    """Evaluate LABEL=NETWORK:WEIGHTS on the test images. Raises `ConfigError` or `DataError`."""
    label, _, rest = text.partition("=")
    spec, _, weights = rest.rpartition(":")
    if not label or not spec or not weights:
        raise ConfigError(f"network {text!r}: expected LABEL=NETWORK:WEIGHTS")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    splits = load(data)
    network = network_spec(spec, {}).builder(0.0, 0.0, resolution)(
        num_classes=splits.num_classes, in_channels=splits.in_channels
    )
    put_weights(network, weights)
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    clean = robustness.clean_error(network, data, "test", resolution, device)
    errors = robustness.errors(network, data, "test", resolution, device)
    sizes = counted(network, splits, resolution)
    return Measured(label, *sizes, clean, errors)


def counted(network: nn.Module, splits: Splits, resolution: int | None) -> tuple[int, int]:
    """Parameters and multiply-adds for the classes and images of the data set."""
    image = splits.test.take(np.arange(1), resolution, None)
    side = resolution or image.shape[-1]
    device = next(network.parameters()).device
    batch = Batch(
        torch.zeros(2, splits.in_channels, side, side, device=device),
        torch.zeros(2, dtype=torch.long, device=device),
    )
    return int(params(network, batch)), int(madds(network, batch))


def summary(found: Sequence[Measured], alexnet: bool) -> str:
    """The table of all networks; the reference's mCE is 100 by definition."""
    reference = ALEXNET if alexnet else corruption_error(found[0].errors)
    clean = None if alexnet else found[0].clean
    lines = [
        "| network | parameters | MAdds | clean error (%) | error under corruption (%) | mCE (%) | relative mCE (%) | "
        + " | ".join(KINDS)
        + " |",
        "|---|" + "---:|" * (6 + len(KINDS)),
    ]
    for one in found:
        by_name = corruption_error(one.errors)
        kinds = [
            f"{np.mean([e for n, e in by_name.items() if CORRUPTIONS[n].kind == kind]):.2f}"
            if any(CORRUPTIONS[n].kind == kind for n in by_name)
            else ""
            for kind in KINDS
        ]
        relative = "" if clean is None else _relative(one, reference, clean)
        lines.append(
            f"| {one.label} | {one.params:,} | {one.madds:,} | {one.clean:.2f} | {np.mean(list(by_name.values())):.2f} | "
            f"{mean_corruption_error(one.errors, reference):.1f} | {relative} | {' | '.join(kinds)} |"
        )
    return "\n".join(lines)


def _relative(one: Measured, reference: Mapping[str, float], clean: float) -> str:
    """Relative mCE; empty if a corruption does not raise the reference's error, which divides."""
    if min(reference[name] for name in corruption_error(one.errors)) <= clean:
        return ""
    return f"{relative_corruption_error(one.errors, one.clean, reference, clean):.1f}"


def draw(found: Sequence[Measured], file: Path) -> None:
    """Error by corruption (mean over severities), the clean error as a line; right: error by severity."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6), width_ratios=(2.6, 1))
    names = list(corruption_error(found[0].errors))
    severities = sorted({severity for _, severity in found[0].errors})
    width = 0.8 / len(found)
    for k, one in enumerate(found):
        colour = COLOURS[k % len(COLOURS)]
        at = np.arange(len(names)) + (k - (len(found) - 1) / 2) * width
        left.bar(at, list(corruption_error(one.errors).values()), width, color=colour, label=one.label)
        left.axhline(one.clean, color=colour, ls="--", lw=1.2)
        means = [np.mean([one.errors[name, s] for name in names]) for s in severities]
        right.plot(
            [0, *severities], [one.clean, *means], color=colour, marker="os^Dv<"[k % 6], label=one.label
        )
    left.set_xticks(range(len(names)), [n.replace("_", " ") for n in names], rotation=45, ha="right")
    left.set(ylabel="test error (%), mean over severities", title="dashed: error on clean images")
    right.set(xlabel="severity (0: clean)", ylabel="test error (%), mean over corruptions")
    right.set_xticks([0, *severities])
    right.legend(frameon=False)
    for axis in (left, right):
        axis.grid(axis="y", alpha=0.25)
    figure.tight_layout()
    figure.savefig(file, dpi=150)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="+", metavar="LABEL=NETWORK:WEIGHTS")
    parser.add_argument(
        "--data", required=True, help="a data set as in a config, such as {name: cifar10, path: FOLDER}"
    )
    parser.add_argument(
        "--pictures", type=int, default=2000, help="test images for each corruption and severity"
    )
    parser.add_argument(
        "--white", type=int, default=255, help="the highest level of a pixel (16 for the digits)"
    )
    parser.add_argument("--resolution", type=int, help="resize images to this side for the networks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--alexnet", action="store_true", help="mCE against AlexNet's published errors (ImageNet)"
    )
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    settings = parse_yaml(given.data)
    data = data_from_config({"name": settings} if isinstance(settings, str) else settings)
    robustness = Robustness(pictures=given.pictures, seed=given.seed, white=given.white)
    torch.set_num_threads(1 if given.resolution is None else torch.get_num_threads())
    found = [measure(text, data, robustness, given.resolution) for text in given.networks]
    given.out.mkdir(parents=True, exist_ok=True)
    with (given.out / "errors.csv").open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(["network", "corruption", "severity", "error"])
        for one in found:
            writer.writerow([one.label, "none", 0, round(one.clean, 3)])
            writer.writerows([one.label, name, s, round(error, 3)] for (name, s), error in one.errors.items())
    text = summary(found, given.alexnet)
    (given.out / "summary.md").write_text(text + "\n", encoding="utf-8")
    draw(found, given.out / "errors.png")
    print(text)


if __name__ == "__main__":
    try:
        main()
    except NasError as error:
        sys.exit(f"error: {error}")
