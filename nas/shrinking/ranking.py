"""How the channels of the original network are ranked: by their weights, or by the loss without them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nas.core.checks import check_known
from nas.core.errors import ConfigError
from nas.core.records import FloatArray
from nas.pruning.ranking import taylor
from nas.pruning.structure import Structure
from nas.training import weights
from nas.training.data.base import DataSource
from nas.training.feed import Prepared, prepare
from nas.training.recipe import Recipe

MAGNITUDE, TAYLOR = "magnitude", "taylor"
RANKINGS = {
    MAGNITUDE: "norms of the weights",
    TAYLOR: "the change of the loss on training images without the channels, to first order",
}
_IMAGES, _BATCH = 1024, 64  # training images for `taylor`


def check_ranking(name: str) -> str:
    """The name of a ranking. Raises `ConfigError` for another."""
    check_known("space module: ranking", name, RANKINGS)
    return name


def taylor_scores(network: nn.Module, structure: Structure, prepared: Prepared) -> dict[str, FloatArray]:
    """By group of channels, scores by `nas.pruning.ranking.taylor` on 1,024 training images, always the same."""
    order = torch.randperm(len(prepared.train), generator=torch.Generator().manual_seed(0))[:_IMAGES]

    def losses() -> Iterator[Tensor]:
        for x, y in prepared.train.batches(list(torch.split(order, _BATCH)), None):
            yield cross_entropy(network(x), y)

    network.eval()
    return taylor(network, structure, losses())


def scores_by(ranking: str, space: Any, data: DataSource, recipe: Recipe) -> dict[str, FloatArray] | None:
    """The scores of the original network's channels; None by magnitude, which needs no data."""
    if ranking == MAGNITUDE:
        return None
    prepared = prepare(data, recipe, torch.device("cpu"), None)
    return taylor_scores(space.original, space.cutter.structure, prepared)


def kept_scores(path: Path) -> dict[str, FloatArray]:
    """The scores in a file of the original network. Raises `ConfigError` for a file without any."""
    found: Any = weights.read(path).get("scores")
    if not isinstance(found, Mapping) or not found:
        raise ConfigError(
            f"space module: ranking: {path} has no scores by {TAYLOR}: nas shrink computes them from the data; use ranking: {MAGNITUDE} here"
        )
    return {str(name): tensor.double().numpy() for name, tensor in found.items()}
