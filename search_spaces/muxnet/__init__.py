"""MUXNet: multiplexed convolutions (Lu, Deb and Boddeti, CVPR 2020), as networks and as a search space.

Loading this package does not load torch; names that need it are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.core.lazy import lazy_names
from search_spaces.muxnet.cost import Cost, network_cost
from search_spaces.muxnet.description import describe, to_svg
from search_spaces.muxnet.models import LISTED_MODELS, MODELS, create_model, model_spec
from search_spaces.muxnet.presets import PRESETS, SpaceOptions, StageOptions
from search_spaces.muxnet.space import MUXNetSpace
from search_spaces.muxnet.spec import Activation, BlockKind, BlockSpec, NetworkSpec
from search_spaces.muxnet.text import format_spec, parse_spec

if TYPE_CHECKING:
    from search_spaces.muxnet.fusion import FusedMUXNet, fuse
    from search_spaces.muxnet.network import MUXNet, MUXNetFeatures
    from search_spaces.muxnet.weights import ConversionReport, convert_checkpoint, load_checkpoint

__all__ = [
    "Activation", "BlockKind", "BlockSpec", "ConversionReport", "Cost", "FusedMUXNet", "LISTED_MODELS",
    "MODELS", "MUXNet", "MUXNetFeatures", "MUXNetSpace", "NetworkSpec", "PRESETS", "SpaceOptions",
    "StageOptions", "convert_checkpoint", "create_model", "describe", "format_spec", "fuse",
    "load_checkpoint", "model_spec", "network_cost", "parse_spec", "to_svg",
]  # fmt: skip

__getattr__ = lazy_names(
    __name__,
    {
        ".fusion": ("FusedMUXNet", "fuse"),
        ".network": ("MUXNet", "MUXNetFeatures"),
        ".weights": ("ConversionReport", "convert_checkpoint", "load_checkpoint"),
    },
)
