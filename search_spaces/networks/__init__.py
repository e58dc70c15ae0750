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
    from search_spaces.networks.features import FeatureExtractor, dilate
    from search_spaces.networks.plain import VGG, ResNet

_WITH_TORCH = {"FeatureExtractor": "features", "ResNet": "plain", "VGG": "plain", "dilate": "features"}

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
    "dilate",
    "fuse_network",
    "network_named",
    "rows_of",
]


def __getattr__(name: str) -> Any:
    if name in _WITH_TORCH:
        return getattr(importlib.import_module(f"{__name__}.{_WITH_TORCH[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
