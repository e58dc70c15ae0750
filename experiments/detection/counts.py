"""Parameters and multiply-adds of the six detectors that MUXNet's authors compare, beside their published numbers.

    python experiments/detection/counts.py

Reads the published figures (`published.csv`); writes `counts.csv`, and `conventions.csv` with the same networks counted otherwise (see the README). Nothing is computed: the
networks are built without weights (PyTorch's device `meta`), and their shapes are counted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that it runs as a script

import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from experiments.detection import networks
from nas.training.tasks.detection.anchors import SSD300, AnchorPlan, spread
from nas.training.tasks.detection.build import ReducedVGG
from nas.training.tasks.detection.detector import Detector
from nas.training.tasks.detection.heads import SSD300_EXTRAS, STYLES, Extra
from search_spaces.muxnet.network import MUXNet
from search_spaces.muxnet.spec import placed
from search_spaces.networks import create_features, create_network

HERE = Path(__file__).resolve().parent
VOC_CLASSES, COCO_CLASSES = 20, 80
SIX = spread(0.2, 0.95, 6)  # six anchors in every cell of six maps
PLAIN_EXTRAS = (Extra(256, 512), Extra(128, 256), Extra(128, 256), Extra(128, 256))
LITE_EXTRAS = (Extra(256, 512), Extra(128, 256), Extra(128, 256), Extra(64, 64))


class Tapped(nn.Module):
    """A classifier's body as the input of SSDLite (Sandler et al. 2018, section 6.2): two maps, at strides 16 and 32.

    The first is the expansion of the block that halves the map to stride 32, before it does; the second the head's map.
    """

    strides = (16, 32)

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        assert isinstance(network, MUXNet)
        halving = next(p.index for p in placed(network.spec) if p.stride == 32)
        self.body = network
        self.body.classifier = nn.Identity()
        block = network.blocks[halving]
        self.widths = (block.conv_pw.out_channels, network.spec.head)
        self._seen: list[Tensor] = []
        block.act1.register_forward_hook(lambda module, given, out: self._seen.append(out))

    def forward(self, x: Tensor) -> list[Tensor]:
        self._seen.clear()
        last = self.body.forward_features(x)
        return [self._seen[0], last]


def tapped(name: str, style: str, plan: AnchorPlan = SIX, classes: int = VOC_CLASSES) -> Detector:
    extras = PLAIN_EXTRAS if style == "ssd" else LITE_EXTRAS
    return Detector(Tapped(create_network(name)), classes, plan, style=STYLES[style], extras=extras)


def maps(name: str, style: str, classes: int = VOC_CLASSES) -> Detector:
    extras = PLAIN_EXTRAS if style == "ssd" else LITE_EXTRAS
    return Detector(create_features(name, strides=(16, 32)), classes, SIX, style=STYLES[style], extras=extras)


def ssd300(classes: int = VOC_CLASSES) -> Detector:
    body = ReducedVGG(create_features("vgg16", strides=(8, 16)))
    return Detector(body, classes, SSD300, style=STYLES["ssd"], extras=SSD300_EXTRAS)


Make = Callable[[], Detector]

# The convention of the published parameters: 20 classes, six anchors in every cell, SSDLite's two maps of the backbone
DETECTORS: dict[str, Make] = {
    "VGG16 + SSD": ssd300,
    "MobileNet + SSD": partial(maps, "mobilenet_v1", "ssd"),
    "MobileNetV2 + SSDLite": partial(tapped, "mobilenet_v2", "ssdlite"),
    "MobileNetV2 + SSD": partial(tapped, "mobilenet_v2", "ssd"),
    "MUXNet-m + SSDLite": partial(tapped, "muxnet_m", "ssdlite"),
    "MUXNet-l + SSD": partial(tapped, "muxnet_l", "ssd"),
}
SIDE = 320  # at which five of the six published multiply-adds are met

OTHERS: dict[str, dict[str, Make]] = {
    "80 classes (COCO)": {"VGG16 + SSD": partial(ssd300, COCO_CLASSES)},
    "block outputs in place of expansion and head": {
        "MobileNetV2 + SSDLite": partial(maps, "mobilenet_v2", "ssdlite"),
        "MobileNetV2 + SSD": partial(maps, "mobilenet_v2", "ssd"),
        "MUXNet-m + SSDLite": partial(maps, "muxnet_m", "ssdlite"),
        "MUXNet-l + SSD": partial(maps, "muxnet_l", "ssd"),
    },
    "as trained on blood cells": {
        name: partial(make, num_classes=3) for name, make in networks.DETECTORS.items()
    },
}


def count(make: Make, side: int) -> tuple[int, int]:
    """Parameters; multiply-adds of convolutions and linear layers for an image of side x side pixels."""
    with torch.device("meta"):
        network = make().eval()
        image = torch.empty(1, 3, side, side)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(image)
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2


def table(published: pd.DataFrame) -> pd.DataFrame:
    """`network, params, madds, params_published_m, madds_published_b`, one row per published detector."""
    rows = []
    for told in published.itertuples():
        params, madds = count(DETECTORS[told.network], SIDE)
        rows.append((told.network, params, madds, told.params_m, told.madds_b))
    return pd.DataFrame(
        rows, columns=["network", "params", "madds", "params_published_m", "madds_published_b"]
    )


def conventions() -> pd.DataFrame:
    """The same detectors counted otherwise: `network, convention, resolution, params, madds`."""
    cases = [
        ("as in counts.csv", name, make, side) for side in (300, SIDE) for name, make in DETECTORS.items()
    ]
    cases += [
        (convention, name, make, side)
        for convention, makes in OTHERS.items()
        for side in (300, SIDE)
        for name, make in makes.items()
    ]
    rows = [(name, convention, side, *count(make, side)) for convention, name, make, side in cases]
    return pd.DataFrame(rows, columns=["network", "convention", "resolution", "params", "madds"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--published", type=Path, default=HERE / "published.csv", help="CSV: network, madds_b, params_m"
    )
    parser.add_argument("--out", type=Path, default=HERE)
    asked = parser.parse_args()
    found = table(pd.read_csv(asked.published))
    found.to_csv(asked.out / "counts.csv", index=False)
    conventions().to_csv(asked.out / "conventions.csv", index=False)
    print(found.to_string(index=False))


if __name__ == "__main__":
    main()
