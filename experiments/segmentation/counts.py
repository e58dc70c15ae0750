"""Parameters and multiply-adds of the six published segmentation networks, by several conventions.

Run, from the root of the repository:

    python experiments/segmentation/counts.py

reads the published figures (published.csv) and writes `counts.csv` (the whole network: backbone dilated to stride 8 and head, 150 classes, an image of 224x224) and
`counts_by_convention.csv` (other sizes and strides, and the classifier of the backbone). Nothing is trained.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that it runs as a script

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nas.training.tasks.segmentation.network import SegmentationNetwork
from nas.training.tasks.segmentation.settings import HeadSettings

HERE = Path(__file__).resolve().parent
NETWORKS = {"ResNet18": "resnet18", "MobileNetV2": "mobilenet_v2", "MUXNet-m": "muxnet_m"}
CLASSES = 150


@dataclass(frozen=True)
class Convention:
    """A counting convention; `output_stride` None is the classifier of 1000 classes without a head."""

    name: str
    side: int
    output_stride: int | None


CONVENTIONS = (
    Convention("classifier of 1000 classes, no head, 224x224", 224, None),
    Convention("backbone not dilated, head, 224x224", 224, 32),
    Convention("backbone dilated to stride 16, head, 224x224", 224, 16),
    Convention("backbone dilated to stride 8, head, 224x224", 224, 8),
    Convention("backbone dilated to stride 8, head, 512x512", 512, 8),
)
STATED = CONVENTIONS[3]  # the one of counts.csv


def counted(network: str, head: str, convention: Convention) -> tuple[int, int]:
    """Parameters and multiply-adds (convolutions and linear layers) for one image."""
    from search_spaces.networks import create_features, create_network

    with torch.device("meta"):
        if convention.output_stride is None:
            whole: nn.Module = create_network(NETWORKS[network])
        else:
            with torch.device("cpu"):  # a backbone is run once to be dilated
                body: Any = create_features(NETWORKS[network])
                settings = HeadSettings(head.lower(), convention.output_stride)
                whole = SegmentationNetwork(body, settings, num_classes=CLASSES)
            whole = whole.to("meta")
        image = torch.empty(1, 3, convention.side, convention.side)
    whole.eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        whole(image)
    return sum(p.numel() for p in whole.parameters()), counter.get_total_flops() // 2


def rows(published: Path) -> Iterator[tuple[str, Convention, int, int, float, float]]:
    """Every published row under every convention: name, convention, params, madds, and the published two."""
    with published.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            network, _, head = row["network"].partition(" + ")
            for convention in CONVENTIONS:
                params, madds = counted(network, head, convention)
                yield row["network"], convention, params, madds, float(row["params_m"]), float(row["madds_b"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--published", type=Path, default=HERE / "published.csv")
    parser.add_argument("--out", type=Path, default=HERE)
    args = parser.parse_args()
    found = list(rows(args.published))
    head = ["params", "madds", "params_published_m", "madds_published_b"]
    with (args.out / "counts.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["network", *head])
        writer.writerows([name, *numbers] for name, convention, *numbers in found if convention is STATED)
    with (args.out / "counts_by_convention.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["network", "convention", *head])
        writer.writerows([name, convention.name, *numbers] for name, convention, *numbers in found)


if __name__ == "__main__":
    main()
