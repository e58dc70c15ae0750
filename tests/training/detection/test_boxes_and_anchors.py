from __future__ import annotations

import math
from types import ModuleType

import pytest
import torch
from torch import Tensor

from nas.core.errors import ConfigError
from nas.training.tasks.detection.anchors import SSD300, AnchorPlan, anchors, spread
from nas.training.tasks.detection.boxes import compiled_nms, decode, encode, greedy, overlaps, suppress

CPU = torch.device("cpu")


def random_boxes(count: int, seed: int) -> Tensor:
    draw = torch.rand((count, 4), generator=torch.Generator().manual_seed(seed))
    return torch.cat([draw[:, :2] * 0.7, draw[:, :2] * 0.7 + 0.05 + 0.25 * draw[:, 2:]], dim=1)


def test_overlap_is_the_shared_area_over_the_joint_area() -> None:
    first = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    second = torch.tensor(
        [[1.0, 1.0, 3.0, 3.0], [0.0, 0.0, 2.0, 2.0], [2.0, 0.0, 4.0, 2.0], [1.0, 1.0, 1.0, 1.0]]
    )
    assert overlaps(first, second)[0].tolist() == pytest.approx([1 / 7, 1.0, 0.0, 0.0])


def test_two_boxes_without_area_do_not_overlap() -> None:
    point = torch.tensor([[1.0, 1.0, 1.0, 1.0]])
    assert overlaps(point, point).tolist() == [[0.0]]


def test_the_code_of_a_box_is_its_shift_and_size_relative_to_the_anchor() -> None:
    anchor = torch.tensor([[0.0, 0.0, 2.0, 4.0]])
    box = torch.tensor([[1.0, 1.0, 5.0, 3.0]])  # centre (3, 2), 4 wide, 2 high; the anchor's centre is (1, 2)
    expected = [(3 - 1) / 2 / 0.1, 0.0, math.log(2) / 0.2, math.log(0.5) / 0.2]
    assert encode(box, anchor)[0].tolist() == pytest.approx(expected)


def test_decoding_gives_the_encoded_boxes_back() -> None:
    boxes, around = random_boxes(50, 1), random_boxes(50, 2)
    torch.testing.assert_close(decode(encode(boxes, around), around), boxes, atol=1e-5, rtol=0)


def test_a_wild_prediction_still_decodes_to_finite_numbers() -> None:
    assert decode(torch.full((1, 4), 1e6), random_boxes(1, 0)).isfinite().all()


def slowly(boxes: Tensor, scores: Tensor, threshold: float) -> list[int]:
    """The usual suppression: take the highest score, drop the boxes that overlap it, repeat."""
    left = sorted(range(len(boxes)), key=lambda i: -float(scores[i]))
    kept = []
    while left:
        best, *rest = left
        kept.append(best)
        left = [i for i in rest if float(overlaps(boxes[best, None], boxes[i, None])) <= threshold]
    return kept


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.45, 0.9])
def test_suppression_in_passes_gives_what_one_box_after_another_gives(threshold: float) -> None:
    boxes = random_boxes(80, 3)
    scores = torch.rand(80, generator=torch.Generator().manual_seed(4))
    assert greedy(boxes, scores, threshold).tolist() == slowly(boxes, scores, threshold)


def test_a_box_that_is_suppressed_does_not_suppress_others() -> None:
    row = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.4, 0.0, 1.4, 1.0], [0.8, 0.0, 1.8, 1.0]])
    assert greedy(row, torch.tensor([0.9, 0.8, 0.7]), 0.3).tolist() == [0, 2]


def test_boxes_of_different_classes_do_not_suppress_each_other() -> None:
    same = torch.tensor([[0.1, 0.1, 0.5, 0.5]]).repeat(3, 1)
    kept = suppress(same, torch.tensor([0.5, 0.9, 0.7]), torch.tensor([0, 1, 0]), 0.45)
    assert kept.tolist() == [1, 2]


def test_nothing_to_suppress_gives_nothing() -> None:
    none = torch.zeros(0)
    assert suppress(torch.zeros((0, 4)), none, none.long(), 0.5).tolist() == []


def test_the_fallback_agrees_with_torchvisions_operator() -> None:
    compiled = compiled_nms()
    if compiled is None:
        pytest.skip("torchvision is absent, or its compiled library does not load here")
    boxes, scores = random_boxes(300, 5), torch.rand(300, generator=torch.Generator().manual_seed(6))
    assert greedy(boxes, scores, 0.45).tolist() == compiled(boxes, scores, 0.45).tolist()


def test_ssd300_has_as_many_anchors_as_published() -> None:
    sizes = tuple((s, s) for s in (38, 19, 10, 5, 3, 1))
    assert len(anchors(SSD300, sizes, CPU)) == 8732


def test_a_cell_has_two_squares_and_two_boxes_for_every_ratio() -> None:
    found = anchors(AnchorPlan((0.25, 0.64), ((4,),)), ((1, 2),), CPU)
    left = [[0.25, 0.5, w, h] for w, h in ((0.25, 0.25), (0.4, 0.4), (0.5, 0.125), (0.125, 0.5))]
    corners = [[x - w / 2, y - h / 2, x + w / 2, y + h / 2] for x, y, w, h in left]
    torch.testing.assert_close(found[:4], torch.tensor(corners))
    torch.testing.assert_close(found[4:], torch.tensor(corners) + torch.tensor([0.5, 0.0, 0.5, 0.0]))


def test_scales_are_spread_evenly() -> None:
    assert spread(0.2, 0.8, 4).scales == pytest.approx((0.2, 0.4, 0.6, 0.8, 1.0))


@pytest.mark.parametrize(
    ("scales", "ratios", "named"),
    [
        ((0.2, 0.4), ((2,), (2,)), "one more, got 2"),
        ((0.4, 0.2), ((2,),), "rise"),
        ((0.0, 0.2), ((2,),), "above 0"),
        ((0.2, 0.4), ((0.5,),), "ratios above 1"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(
    scales: tuple[float, ...], ratios: tuple[tuple[float, ...], ...], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        AnchorPlan(scales, ratios)


def test_codes_and_overlaps_are_those_of_torchvision(torchvision: ModuleType) -> None:
    from torchvision.models.detection._utils import BoxCoder

    boxes, around = random_boxes(40, 7), random_boxes(40, 8)
    torch.testing.assert_close(overlaps(boxes, around), torchvision.ops.box_iou(boxes, around))
    theirs = BoxCoder((10.0, 10.0, 5.0, 5.0)).encode_single(boxes, around)
    torch.testing.assert_close(encode(boxes, around), theirs, atol=1e-4, rtol=1e-4)


def test_anchors_are_those_of_torchvision(torchvision: ModuleType) -> None:
    from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
    from torchvision.models.detection.image_list import ImageList

    plan = spread(0.2, 0.8, 2)
    generator = DefaultBoxGenerator([[2, 3], [2, 3]], scales=list(plan.scales), clip=False)
    maps = [torch.zeros(1, 8, size, size) for size in (4, 2)]
    theirs = generator(ImageList(torch.zeros(1, 3, 64, 64), [(64, 64)]), maps)[0] / 64
    torch.testing.assert_close(anchors(plan, ((4, 4), (2, 2)), CPU), theirs, atol=1e-5, rtol=0)
