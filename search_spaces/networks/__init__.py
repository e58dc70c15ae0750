"""Named networks: MUXNet's, and the published ones that they are compared with.

Loading this package does not load torch; names that need it are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.core.lazy import lazy_names
from search_spaces.networks.models import (
    LISTED_NETWORKS,
    NETWORKS,
    AnySpec,
    PlainSpec,
    build_of,
    build_plain,
    create_features,
    create_network,
    fuse_network,
    network_builder,
    network_named,
    plain_features,
    rows_of,
)
from search_spaces.networks.resnet import ResNetSpec
from search_spaces.networks.scaled import for_images, network_at
from search_spaces.networks.vgg import VGGSpec

if TYPE_CHECKING:
    from search_spaces.networks.features import FeatureExtractor, dilate
    from search_spaces.networks.plain import VGG, ResNet

__all__ = [
    "AnySpec", "FeatureExtractor", "LISTED_NETWORKS", "NETWORKS", "PlainSpec", "ResNet", "ResNetSpec", "VGG", "VGGSpec",
    "build_of", "build_plain", "create_features", "create_network", "dilate", "for_images", "fuse_network", "network_at",
    "network_builder", "network_named", "plain_features", "rows_of",
]  # fmt: skip

__getattr__ = lazy_names(__name__, {".features": ("FeatureExtractor", "dilate"), ".plain": ("ResNet", "VGG")})
