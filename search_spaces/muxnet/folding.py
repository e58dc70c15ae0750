"""Batch norm folded into the convolution before it."""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn

from search_spaces.muxnet.fast import fixed_conv


def folded(conv: nn.Module, bn: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution without bias, with the batch norm after it."""
    assert isinstance(conv, nn.Conv2d)
    scale, shift = affine(bn)
    return conv.weight * scale[:, None, None, None], shift


def affine(bn: nn.Module) -> tuple[Tensor, Tensor]:
    """Scale and shift, each (width,), of a batch norm in evaluation."""
    assert isinstance(bn, nn.BatchNorm2d)
    assert bn.running_mean is not None
    assert bn.running_var is not None
    scale = bn.weight / torch.sqrt(bn.running_var + bn.eps)
    return scale, bn.bias - bn.running_mean * scale


@torch.no_grad()
def fold_batch_norms(module: nn.Module) -> nn.Module:
    """A copy for inference with every batch norm folded into the convolution registered right before it.

    For modules whose children run in the order in which they are registered.
    """
    made = copy.deepcopy(module).eval()
    for parent in list(made.modules()):
        children = list(parent.named_children())
        for (name, conv), (bn_name, bn) in pairwise(children):
            if isinstance(conv, nn.Conv2d) and isinstance(bn, nn.BatchNorm2d):
                weight, bias = folded(conv, bn)
                setattr(parent, name, fixed_conv(weight, bias, conv.stride[0], conv.groups))
                setattr(parent, bn_name, nn.Identity())
    return made
