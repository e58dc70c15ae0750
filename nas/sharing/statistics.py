"""Statistics of batch norm for one network, from training images."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas.training.feed import Prepared

STATISTICS = 512  # training images from which statistics of batch norm follow
_BATCH = 128  # of these images


def some_images(prepared: Prepared) -> list[Tensor]:
    """Batches of training images for `recalibrate`, always the same."""
    order = torch.randperm(len(prepared.train), generator=torch.Generator().manual_seed(0))[:STATISTICS]
    steps = -(-len(order) // _BATCH)
    return [x for x, _ in prepared.train.batches(list(order.tensor_split(steps)), None)]


@torch.no_grad()
def recalibrate(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace the running statistics of batch norm by their means over `batches`; leave the network in evaluation mode.

    All other layers run in evaluation mode, so that dropout does not change the statistics. Networks with inherited weights
    need this, since each has other statistics (Yu and Huang, "Universally Slimmable Networks", ICCV 2019, section 3.4).
    """
    network.eval()
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative mean
        norm.train()
    try:
        if norms:
            for images in batches:
                network(images)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()
