"""MUXNet: multiplexed convolutions (Lu, Deb and Boddeti, CVPR 2020), as networks and as a search space.

Loading this package does not load torch; what needs it is loaded when first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from search_spaces.muxnet.cost import Cost, network_cost
from search_spaces.muxnet.models import LISTED_MODELS, MODELS, create_model, model_spec
from search_spaces.muxnet.presets import PRESETS, SpaceOptions, StageOptions
from search_spaces.muxnet.space import MUXNetSpace
from search_spaces.muxnet.spec import Activation, BlockKind, BlockSpec, NetworkSpec
from search_spaces.muxnet.text import format_spec, parse_spec

if TYPE_CHECKING:
    from search_spaces.muxnet.network import MUXNet, MUXNetFeatures

_WITH_TORCH = {
    "MUXNet": "network",
    "MUXNetFeatures": "network",
}

__all__ = [
    "Activation",
    "BlockKind",
    "BlockSpec",
    "Cost",
    "LISTED_MODELS",
    "MODELS",
    "MUXNet",
    "MUXNetFeatures",
    "MUXNetSpace",
    "NetworkSpec",
    "PRESETS",
    "SpaceOptions",
    "StageOptions",
    "create_model",
    "format_spec",
    "model_spec",
    "network_cost",
    "parse_spec",
]


def __getattr__(name: str) -> Any:
    if name in _WITH_TORCH:
        return getattr(importlib.import_module(f"{__name__}.{_WITH_TORCH[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
