"""Average precision as PASCAL VOC defines it, as of 2007 (eleven points) and as of 2010 (area under the curve).

Everingham et al., "The PASCAL Visual Object Classes (VOC) Challenge", IJCV 2010, section 4.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.core.records import FloatArray
from nas.training.data.base import IntArray
from nas.training.tasks.detection.data.base import Objects

Precision = Callable[
    [FloatArray, FloatArray], float
]  # recall, precision (both per detection) -> average precision


@dataclass(frozen=True, eq=False)
class Seen:
    """Detections of one image: boxes (k, 4) in the units of the truth, scores (k,), labels (k,) from 0."""

    boxes: FloatArray
    scores: FloatArray
    labels: IntArray


def eleven_points(recall: FloatArray, precision: FloatArray) -> float:
    """Mean, over recalls 0, 0.1, ..., 1, of the best precision at that recall or beyond (VOC 2007)."""
    reached = [precision[recall >= level - 1e-9] for level in np.linspace(0, 1, 11)]
    return float(np.mean([part.max() if len(part) else 0.0 for part in reached]))


def area(recall: FloatArray, precision: FloatArray) -> float:
    """Area under the precision that is reached at each recall or beyond (VOC 2010 and later)."""
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def average_precisions(
    seen: Sequence[Seen],
    truth: Sequence[Objects],
    classes: int,
    *,
    precision: Precision = area,
    threshold: float = 0.5,
) -> FloatArray:
    """Average precision of every class, 0 to 1, NaN for a class without an object that counts.

    A detection is correct when its overlap with the closest object of its class is `threshold` or more and no detection
    of higher score found that object. Difficult objects count neither as found nor as missed.
    """
    verdicts = [_verdicts(s, t, threshold) for s, t in zip(seen, truth, strict=True)]
    scores = np.concatenate([np.zeros(0), *(s.scores for s in seen)])
    labels = np.concatenate([np.zeros(0, np.int64), *(s.labels for s in seen)])
    right = np.concatenate([np.zeros(0, np.int64), *verdicts])
    easy = np.concatenate([np.zeros(0, np.int64), *(t.labels[~t.difficult] for t in truth)])
    found = np.full(classes, np.nan)
    for label, total in enumerate(np.bincount(easy, minlength=classes)[:classes]):
        if total:
            mine = (labels == label) & (right != IGNORED)
            order = np.argsort(-scores[mine], kind="stable")
            hits = np.cumsum(right[mine][order] == RIGHT)
            found[label] = precision(hits / total, hits / np.arange(1, len(hits) + 1)) if len(hits) else 0.0
    return found


WRONG, RIGHT, IGNORED = 0, 1, 2


def _verdicts(seen: Seen, truth: Objects, threshold: float) -> NDArray[np.int64]:
    """The outcome of every detection of an image, matched by falling score."""
    verdicts = np.full(len(seen.scores), WRONG, dtype=np.int64)
    taken = np.zeros(len(truth), dtype=bool)
    shared = overlap(seen.boxes, truth.boxes)
    shared[seen.labels[:, None] != truth.labels[None, :]] = -1.0
    for row in np.argsort(-seen.scores, kind="stable"):
        best = int(shared[row].argmax()) if len(truth) else -1
        if best < 0 or shared[row, best] < threshold:
            continue
        if truth.difficult[best]:
            verdicts[row] = IGNORED
        elif not taken[best]:
            taken[best] = True
            verdicts[row] = RIGHT
    return verdicts


def overlap(first: FloatArray, second: FloatArray) -> FloatArray:
    """Intersection over union of (n, 4) with (m, 4), shape (n, m)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    sizes = [(b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (first, second)]
    union = sizes[0][:, None] + sizes[1][None, :] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))
