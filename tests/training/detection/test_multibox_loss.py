from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from nas.training.tasks.detection.boxes import encode
from nas.training.tasks.detection.loss import MultiboxLoss, hardest, match

# four anchors side by side in the upper half of the image
ANCHORS = torch.tensor([[x, 0.0, x + 0.25, 0.5] for x in (0.0, 0.25, 0.5, 0.75)])
FILL = [-1.0, 0.0, 0.0, 0.0, 0.0]


def targets(*rows: list[float]) -> Tensor:
    """A batch of one image."""
    return torch.tensor([[*rows]])


def test_an_anchor_takes_the_object_that_covers_it_and_the_others_are_background() -> None:
    labels, boxes = match(targets([2, 0.5, 0.0, 0.75, 0.5], FILL), ANCHORS)
    assert labels.tolist() == [[0, 0, 3, 0]]
    assert boxes[0, 2].tolist() == [0.5, 0.0, 0.75, 0.5]


def test_an_object_below_the_threshold_still_gets_its_best_anchor() -> None:
    tiny = [1.0, 0.3, 0.1, 0.35, 0.15]
    assert match(targets(tiny), ANCHORS)[0].tolist() == [[0, 2, 0, 0]]


def test_of_two_objects_that_want_the_same_anchor_the_larger_overlap_has_it() -> None:
    larger, smaller = [0.0, 0.0, 0.0, 0.2, 0.5], [1.0, 0.0, 0.0, 0.1, 0.2]
    for order in ((larger, smaller), (smaller, larger)):
        assert match(targets(*order), ANCHORS)[0][0, 0] == 1


def test_rows_that_fill_up_match_nothing() -> None:
    whole = [-1.0, 0.0, 0.0, 0.25, 0.5]
    assert match(targets(whole, FILL), ANCHORS)[0].tolist() == [[0, 0, 0, 0]]


def test_a_batch_without_rows_is_all_background() -> None:
    labels, boxes = match(torch.zeros((2, 0, 5)), ANCHORS)
    assert labels.sum() == 0
    assert boxes.shape == (2, 4, 4)


def test_the_hardest_are_counted_row_by_row() -> None:
    losses = torch.tensor([[0.1, 0.9, 0.5], [0.3, -1.0, 0.2]])
    assert hardest(losses, torch.tensor([2, 3])).tolist() == [[False, True, True], [True, False, True]]


def test_the_loss_of_a_case_worked_by_hand() -> None:
    """One object on anchor 0; of three background anchors the two hardest count; offsets wrong by 2 in one number."""
    box = [0.0, 0.0, 0.0, 0.25, 0.5]
    logits = torch.tensor([[[0.0, 2.0], [0.0, 0.0], [0.0, 1.0], [5.0, 0.0]]])
    offsets = encode(ANCHORS, ANCHORS)[None].clone()
    offsets[0, 0, 0] += 2.0
    loss = MultiboxLoss(negatives=2.0, fewest=0)((logits, offsets, ANCHORS), targets(box))
    entropy = math.log(1 + math.exp(-2)) + math.log(2) + math.log(1 + math.exp(1))
    assert float(loss) == pytest.approx(entropy + (2.0 - 0.5), rel=1e-5)


def test_the_loss_is_divided_by_the_anchors_with_an_object() -> None:
    one = [0.0, 0.0, 0.0, 0.25, 0.5]
    two = [0.0, 0.5, 0.0, 0.75, 0.5]
    outputs = (torch.zeros((1, 4, 2)), torch.zeros((1, 4, 4)), ANCHORS)
    rule = MultiboxLoss(negatives=1.0, fewest=0)
    single, double = rule(outputs, targets(one)), rule(outputs, targets(one, two))
    assert float(single) == pytest.approx(float(double), rel=1e-5)


def test_an_image_without_objects_is_still_learnt_from() -> None:
    logits = torch.zeros((1, 4, 3), requires_grad=True)
    loss = MultiboxLoss(fewest=2)((logits, torch.zeros((1, 4, 4)), ANCHORS), targets(FILL))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(2 * math.log(3), rel=1e-5)
    assert logits.grad is not None
    assert logits.grad.abs().sum() > 0


def test_half_precision_outputs_are_evaluated_in_single_precision() -> None:
    outputs = (
        torch.zeros((1, 4, 3), dtype=torch.bfloat16),
        torch.zeros((1, 4, 4), dtype=torch.bfloat16),
        ANCHORS,
    )
    assert MultiboxLoss()(outputs, targets(FILL)).dtype == torch.float32
