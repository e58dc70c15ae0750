"""Named networks: MUXNet's, and the published ones that they are compared with.

Loading this package does not load torch; what needs it is loaded when first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from search_spaces.networks.models import (
    LISTED_NETWORKS,
    NETWORKS,
    AnySpec,
    create_features,
    create_network,
    fuse_network,
    network_named,
    rows_of,
)
from search_spaces.networks.resnet import ResNetSpec
from search_spaces.networks.vgg import VGGSpec

if TYPE_CHECKING:
    from nas.tasks.dilation import FeatureExtractor
    from search_spaces.networks.plain import VGG, ResNet

_WITH_TORCH = {
    "FeatureExtractor": "nas.tasks.dilation",
    "ResNet": "search_spaces.networks.plain",
    "VGG": "search_spaces.networks.plain",
}

__all__ = [
    "AnySpec",
    "FeatureExtractor",
    "LISTED_NETWORKS",
    "NETWORKS",
    "ResNet",
    "ResNetSpec",
    "VGG",
    "VGGSpec",
    "create_features",
    "create_network",
    "fuse_network",
    "network_named",
    "rows_of",
]


def __getattr__(name: str) -> Any:
    if name in _WITH_TORCH:
        return getattr(importlib.import_module(_WITH_TORCH[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
