"""Parameters and multiply-adds of a network as it is built, to hold exact costs to."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def counted(build: Callable[[], nn.Module], channels: int, side: int) -> tuple[dict[str, int], torch.Size]:
    """Both by name, and the shape of the output, for one square image; on tensors without storage."""
    with torch.device("meta"):
        network = build().eval()
    params = sum(p.numel() for p in network.parameters())
    _drop_norms(network)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        output = network(torch.zeros(1, channels, side, side, device="meta"))
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return {"params": params, "madds": flops // 2}, output.shape


def _drop_norms(network: nn.Module) -> None:
    """They have no multiply-adds, and take most of the time without storage."""
    for module in list(network.modules()):
        for name, part in module.named_children():
            if type(part) is nn.BatchNorm2d:
                setattr(module, name, nn.Identity())
