"""The detectors of these experiments by name: backbone, head, anchors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from search_spaces.networks import create_network
from torch import nn

from nas.tasks.detection.anchors import AnchorPlan
from nas.tasks.detection.detector import Detector
from nas.tasks.detection.heads import STYLES, Extra
from search_spaces.muxnet import MUXNetFeatures, model_spec

STRIDES = (8, 16, 32)

# Blood cells in pictures of 4:3 squeezed to squares: platelets are 0.06 x 0.08 of the picture's sides, red cells 0.16 x 0.21,
# white cells 0.30 x 0.37 (medians of the training boxes). A scale for each, and one above.
BLOOD_CELLS = AnchorPlan((0.075, 0.18, 0.33, 0.5, 0.7), ((1.5,),) * 4)

Build = Callable[..., nn.Module]


def ssdlite(backbone: Callable[[int], nn.Module], *, num_classes: int, in_channels: int = 3) -> Detector:
    """SSDLite on maps at strides 8, 16, 32 and, by a further one, 64."""
    return Detector(
        backbone(in_channels), num_classes, BLOOD_CELLS, style=STYLES["ssdlite"], extras=(Extra(128, 256),)
    )


def _muxnet(name: str, in_channels: int) -> nn.Module:
    return MUXNetFeatures(model_spec(name), in_channels=in_channels, strides=STRIDES)


def _network(name: str, in_channels: int) -> nn.Module:
    return create_network(name, in_channels=in_channels, features_only=True, strides=STRIDES)


DETECTORS: dict[str, Build] = {
    "MUXNet-m + SSDLite": partial(ssdlite, partial(_muxnet, "muxnet_m")),
    "MobileNetV2 + SSDLite": partial(ssdlite, partial(_network, "mobilenet_v2")),
}
