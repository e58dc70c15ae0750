"""Boxes as tensors: areas, overlaps, the code that a network predicts, and non-maximum suppression.

A box is (left, top, right, bottom). Units are the caller's; the framework uses fractions of an image's width and height,
in which overlaps are those in pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

VARIANCES = (0.1, 0.2)  # divisors of the targets, of centres and of sizes (Liu et al. 2016, their code)
_LARGEST = (
    4.0  # bound of a predicted logarithm of a size: anything above is not a box, and its exp may be infinite
)
_APART = 2.0  # labels are moved apart by this many times the largest coordinate, so that they never overlap


def areas(boxes: Tensor) -> Tensor:
    """(..., 4) to (...); 0 for a box without extent."""
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)


def overlaps(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of (..., n, 4) with (..., m, 4), shape (..., n, m); 0 where both have no area."""
    low = torch.maximum(first[..., :, None, :2], second[..., None, :, :2])
    high = torch.minimum(first[..., :, None, 2:], second[..., None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    union = areas(first)[..., :, None] + areas(second)[..., None, :] - shared
    return torch.where(union > 0, shared / union.clamp(min=torch.finfo(union.dtype).tiny), 0.0)


def to_centres(boxes: Tensor) -> Tensor:
    """(left, top, right, bottom) to (x, y, width, height)."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def to_corners(boxes: Tensor) -> Tensor:
    """(x, y, width, height) to (left, top, right, bottom)."""
    middle, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([middle - half, middle + half], dim=-1)


def encode(boxes: Tensor, anchors: Tensor) -> Tensor:
    """The network's targets for boxes (..., n, 4), given their anchors (n, 4): Liu et al. 2016, equation 2."""
    box, anchor = to_centres(boxes), to_centres(anchors)
    shift = (box[..., :2] - anchor[..., :2]) / anchor[..., 2:] / VARIANCES[0]
    size = (box[..., 2:] / anchor[..., 2:]).clamp(min=1e-6).log() / VARIANCES[1]
    return torch.cat([shift, size], dim=-1)


def decode(offsets: Tensor, anchors: Tensor) -> Tensor:
    """The boxes that offsets (..., n, 4) stand for; the inverse of `encode`."""
    anchor = to_centres(anchors)
    middle = anchor[..., :2] + offsets[..., :2] * VARIANCES[0] * anchor[..., 2:]
    size = anchor[..., 2:] * (offsets[..., 2:] * VARIANCES[1]).clamp(max=_LARGEST).exp()
    return to_corners(torch.cat([middle, size], dim=-1))


def suppress(boxes: Tensor, scores: Tensor, labels: Tensor, threshold: float) -> Tensor:
    """Greedy non-maximum suppression within each label; positions that stay, the highest score first.

    boxes (n, 4), scores (n,), labels (n,). A box is dropped when it overlaps a better kept one by more than `threshold`.
    Runs on torchvision's operator where that works, else on `greedy`, with the same result.
    """
    if not len(boxes):
        return torch.zeros(0, dtype=torch.long, device=boxes.device)
    reach = boxes.max() - boxes.min().clamp(max=0)
    moved = boxes + (labels.to(boxes) * reach * _APART)[:, None]
    compiled = compiled_nms()
    return greedy(moved, scores, threshold) if compiled is None else compiled(moved, scores, threshold)


def greedy(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Non-maximum suppression without labels, in a few passes over the matrix of overlaps.

    Each pass drops the boxes that overlap a better box kept by the last pass. The first k boxes are final after at most
    k passes, and a pass without change is the greedy result; groups of a few overlapping boxes take a few passes.
    """
    order = scores.argsort(descending=True, stable=True)
    above = torch.triu(overlaps(boxes[order], boxes[order]) > threshold, diagonal=1)
    stays = torch.ones(len(boxes), dtype=torch.bool, device=boxes.device)
    while True:
        after = ~(above & stays[:, None]).any(0)
        if torch.equal(after, stays):
            return order[stays]
        stays = after


@cache
def compiled_nms() -> Callable[[Tensor, Tensor, float], Tensor] | None:
    """torchvision's operator, or None where torchvision is absent or cannot load its compiled library."""
    try:
        from torchvision.ops import nms

        nms(torch.zeros((1, 4)), torch.zeros(1), 0.5)
    except Exception:  # a library made for other hardware fails in many ways
        return None
    found: Any = nms
    return found  # type: ignore[no-any-return]
