"""The detectors of these experiments by name: backbone, head, anchors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from nas.training.tasks.detection.anchors import AnchorPlan
from nas.training.tasks.detection.detector import Detector
from nas.training.tasks.detection.heads import STYLES, Extra
from search_spaces.networks import create_features

STRIDES = (8, 16, 32)

# Blood cells in images of 4:3 squeezed to squares: platelets are 0.06 x 0.08 of the image's sides, red cells 0.16 x 0.21,
# white cells 0.31 x 0.38 (medians of the boxes). A scale for each, and one above.
BLOOD_CELLS = AnchorPlan((0.075, 0.18, 0.33, 0.5, 0.7), ((1.5,),) * 4)


def ssdlite(backbone: str, *, num_classes: int, in_channels: int = 3) -> Detector:
    """SSDLite on maps at strides 8, 16, 32 and, by a further one, 64."""
    body = create_features(backbone, in_channels, strides=STRIDES)
    return Detector(body, num_classes, BLOOD_CELLS, style=STYLES["ssdlite"], extras=(Extra(128, 256),))


DETECTORS: dict[str, Callable[..., Detector]] = {
    "MUXNet-m + SSDLite": partial(ssdlite, "muxnet_m"),
    "MobileNetV2 + SSDLite": partial(ssdlite, "mobilenet_v2"),
}
