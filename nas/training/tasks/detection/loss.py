"""The matching of anchors to objects, and the multibox loss (Liu et al., ECCV 2016, section 2.2).

Targets of a batch are one tensor (b, m, 5): a row (label, left, top, right, bottom) for each object, in fractions of the
image; rows with label -1 fill up.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nas.core.checks import check_numbers
from nas.training.tasks.detection.boxes import encode, overlaps

Outputs = tuple[Tensor, Tensor, Tensor]  # logits (b, n, classes + 1), offsets (b, n, 4), anchors (n, 4)


def match(targets: Tensor, anchors: Tensor, threshold: float = 0.5) -> tuple[Tensor, Tensor]:
    """For every anchor its label, 0 for background and 1 + class else, (b, n), and its box, (b, n, 4).

    An anchor takes the object that it overlaps most, if by `threshold` or more. Besides, every object gets the anchor
    that overlaps it most; of two objects with the same best anchor, the larger overlap gets it.
    """
    real = targets[..., 0] >= 0
    shared = overlaps(targets[..., 1:], anchors).masked_fill(~real[..., None], -1.0)  # (b, m, n)
    if not targets.shape[1]:
        none = targets.new_zeros((len(targets), len(anchors)))
        return none.long(), none[..., None].expand(-1, -1, 4)
    best = shared.argmax(-1, keepdim=True)
    forced = torch.zeros_like(shared).scatter_(-1, best, 2.0)  # above any overlap
    value, owner = (shared + forced.masked_fill(~real[..., None], 0.0)).max(1)
    labels = targets[..., 0].gather(1, owner).long() + 1
    boxes = targets[..., 1:].gather(1, owner[..., None].expand(-1, -1, 4))
    return labels.masked_fill(value < threshold, 0), boxes


@dataclass(frozen=True, slots=True)
class MultiboxLoss:
    """Cross-entropy over anchors plus smooth L1 over the offsets of those that have an object.

    Of the anchors without object only the hardest count, `negatives` for each one that has an object (in an image
    without any: `fewest`). The sum is divided by the number of anchors with an object in the batch. Float32 throughout.
    """

    threshold: float = 0.5
    negatives: float = 3.0
    fewest: int = 8

    def __post_init__(self) -> None:
        check_numbers("detection: multibox", self)

    def __call__(self, outputs: Outputs, targets: Tensor) -> Tensor:
        """The loss of a batch; targets as in the module's docstring."""
        logits, offsets, anchors = (x.float() for x in outputs)
        labels, boxes = match(targets, anchors, self.threshold)
        chosen = labels > 0
        count = chosen.sum(1)
        entropy = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(
            labels
        )
        hard = hardest(
            entropy.detach().masked_fill(chosen, -1.0), (count * self.negatives).clamp(min=self.fewest)
        )
        classes = (entropy * (chosen | hard)).sum()
        distance = functional.smooth_l1_loss(offsets, encode(boxes, anchors), reduction="none").sum(-1)
        places = torch.where(chosen, distance, 0.0).sum()
        return (classes + places) / count.sum().clamp(min=1)


def hardest(losses: Tensor, wanted: Tensor) -> Tensor:
    """Mask of the losses (b, n) among the `wanted` (b,) greatest of their row; those below 0 never are."""
    rank = losses.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    return (rank < wanted[:, None]) & (losses >= 0)
