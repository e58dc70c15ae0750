from __future__ import annotations

import math

import numpy as np
import pytest

from nas.training.tasks.detection.data.base import Objects
from nas.training.tasks.detection.metrics import Seen, area, average_precisions, eleven_points


def truth(*rows: tuple[int, tuple[float, ...]], difficult: tuple[int, ...] = ()) -> Objects:
    boxes = np.array([box for _, box in rows], dtype=float).reshape(-1, 4)
    hard = np.array([i in difficult for i in range(len(rows))], dtype=bool)
    return Objects(boxes, np.array([label for label, _ in rows], dtype=np.int64), hard)


def seen(*rows: tuple[int, float, tuple[float, ...]]) -> Seen:
    boxes = np.array([box for _, _, box in rows], dtype=float).reshape(-1, 4)
    scores = np.array([score for _, score, _ in rows], dtype=float)
    return Seen(boxes, scores, np.array([label for label, _, _ in rows], dtype=np.int64))


A, B, C = (0.0, 0.0, 0.2, 0.2), (0.3, 0.3, 0.5, 0.5), (0.6, 0.6, 0.8, 0.8)
NOWHERE = (0.9, 0.0, 1.0, 0.1)

# Three objects; by falling score the detections are right, wrong, right: precision 1, 1/2, 2/3 at recall 1/3, 1/3, 2/3.
THREE = truth((0, A), (0, B), (0, C))
MIXED = seen((0, 0.9, A), (0, 0.8, NOWHERE), (0, 0.7, B))


def test_area_of_a_case_worked_by_hand() -> None:
    found = average_precisions([MIXED], [THREE], 1, precision=area)
    assert found[0] == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)


def test_eleven_points_of_a_case_worked_by_hand() -> None:
    """Recalls 0 to 0.3 reach precision 1, 0.4 to 0.6 reach 2/3, the last four nothing."""
    found = average_precisions([MIXED], [THREE], 1, precision=eleven_points)
    assert found[0] == pytest.approx((4 * 1 + 3 * 2 / 3) / 11)


def test_all_found_is_one_by_either_rule() -> None:
    perfect = seen((0, 0.9, A), (0, 0.8, B), (0, 0.7, C))
    for rule in (area, eleven_points):
        assert average_precisions([perfect], [THREE], 1, precision=rule)[0] == pytest.approx(1.0)


def test_the_second_detection_of_an_object_is_wrong() -> None:
    twice = seen((0, 0.9, A), (0, 0.8, A), (0, 0.7, B))
    found = average_precisions([twice], [truth((0, A), (0, B))], 1)
    assert found[0] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_difficult_objects_are_neither_found_nor_missed() -> None:
    hard = truth((0, A), (0, B), difficult=(1,))
    assert average_precisions([seen((0, 0.9, B), (0, 0.8, A))], [hard], 1)[0] == pytest.approx(1.0)
    assert average_precisions([seen((0, 0.8, A))], [hard], 1)[0] == pytest.approx(1.0)


def test_an_object_counts_from_an_overlap_of_half_exactly() -> None:
    half, less = (0.0, 0.0, 0.2, 0.1), (0.0, 0.0, 0.2, 0.099)
    assert average_precisions([seen((0, 0.9, half))], [truth((0, A))], 1)[0] == pytest.approx(1.0)
    assert average_precisions([seen((0, 0.9, less))], [truth((0, A))], 1)[0] == 0.0


def test_detections_of_several_images_are_ranked_together() -> None:
    """The surest detection is wrong, in another image: precision 0, 1/2 at recall 0, 1."""
    found = average_precisions([seen((0, 0.5, A)), seen((0, 0.9, NOWHERE))], [truth((0, A)), truth()], 1)
    assert found[0] == pytest.approx(0.5)


def test_classes_are_separate_and_one_without_object_has_no_precision() -> None:
    found = average_precisions([seen((1, 0.9, A), (0, 0.8, A))], [truth((0, A))], 3)
    assert found[0] == pytest.approx(1.0)
    assert math.isnan(found[1])
    assert math.isnan(found[2])


def test_nothing_seen_is_zero() -> None:
    assert average_precisions([seen()], [THREE], 1).tolist() == [0.0]


def test_coco_precision_of_cases_worked_by_hand() -> None:
    """Boxes of 100x100 and 100x85 pixels: an overlap of 0.85 passes 8 of the 10 thresholds .50, .55, ..., .95."""
    pytest.importorskip("faster_coco_eval", reason="COCO's precision needs the extra `detection`")
    from nas.training.tasks.detection.coco import coco_precisions

    sizes = np.array([[500, 500]])
    exact = coco_precisions([seen((0, 0.9, A))], [truth((0, A))], sizes, 1)
    assert exact["ap"] == pytest.approx(1.0)
    shorter = coco_precisions([seen((0, 0.9, (0.0, 0.0, 0.2, 0.17)))], [truth((0, A))], sizes, 1)
    assert shorter["ap"] == pytest.approx(0.8)
    assert shorter["ap_50"] == pytest.approx(1.0)
    assert shorter["ap_75"] == pytest.approx(1.0)
    assert shorter["ap_large"] == pytest.approx(0.8)  # 10,000 pixels: above 96 squared
    assert math.isnan(shorter["ap_small"])


def test_coco_precision_interpolates_at_101_recalls() -> None:
    """Right, wrong, right of three: recalls 0 to .33 (34 of 101) reach 1, .34 to .66 (33) reach 2/3, the rest nothing."""
    pytest.importorskip("faster_coco_eval", reason="COCO's precision needs the extra `detection`")
    from nas.training.tasks.detection.coco import coco_precisions

    found = coco_precisions([MIXED], [THREE], np.array([[500, 500]]), 1)
    assert found["ap_50"] == pytest.approx((34 * 1 + 33 * 2 / 3) / 101, abs=1e-6)


def test_nothing_seen_has_no_coco_precision() -> None:
    pytest.importorskip("faster_coco_eval", reason="COCO's precision needs the extra `detection`")
    from nas.training.tasks.detection.coco import coco_precisions

    assert coco_precisions([seen()], [THREE], np.array([[500, 500]]), 1)["ap"] == 0.0
