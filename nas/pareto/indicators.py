"""Quality of a front: hypervolume and IGD+, through moocore. All objectives are minimised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import moocore
import numpy as np
from numpy.typing import NDArray

from nas.core.objectives import Objective
from nas.core.records import FloatArray
from nas.pareto.along_directions import alone
from nas.pareto.archive import ParetoArchive

CURVE_STEPS = 400  # measurements of an indicator along a long run
EXACT_OBJECTIVES = 5  # with more, hypervolume is approximated along directions
DIRECTIONS = 16_384  # fixed directions, so that a curve never falls; an error of about 1% with ten objectives


@dataclass(frozen=True)
class Box:
    """The box of the hypervolume: from the ideal to the reference point, both shape (m,).

    Objectives are scaled so that the box has volume 1: hypervolume is the share of the box that a front dominates. Values
    better than the ideal count as the ideal, so a share is at most 1.
    """

    ideal: FloatArray
    reference: FloatArray

    def scale(self, points: FloatArray) -> FloatArray:
        """Points (n, m) with the ideal at 0 and the reference at 1."""
        return (np.asarray(points, dtype=np.float64) - self.ideal) / (self.reference - self.ideal)


def reference_box(
    objectives: Sequence[Objective], points: FloatArray, best_seen: FloatArray | None = None
) -> Box | None:
    """The box spanned by the initial design's points (n, m), minimised; None without points.

    The reference is the objective's own, else a tenth of the design's range beyond its worst. The ideal is the objective's
    best possible value, if declared, or the best value seen if that is better: in the design, or in all results so far if
    `best_seen` (m,) is given. A better one moves the ideal, not the reference.
    """
    if len(points) == 0:
        return None
    best, worst = points.min(axis=0), points.max(axis=0)
    ideal = np.array(
        [b if o.best is None else min(b, o.sign * o.best) for o, b in zip(objectives, best, strict=True)]
    )
    margin = 0.1 * np.where(worst > ideal, worst - ideal, 1.0)
    if best_seen is not None:
        ideal = np.minimum(ideal, best_seen)
    reference = np.array(
        [
            w + d if o.reference is None else o.sign * o.reference
            for o, w, d in zip(objectives, worst, margin, strict=True)
        ]
    )
    return Box(ideal, np.maximum(reference, np.nextafter(ideal, np.inf)))


def beyond_best(objectives: Sequence[Objective], best_seen: FloatArray) -> dict[str, str]:
    """A sentence for each objective whose best value seen, minimised (m,), is better than its declared `best`."""
    found = {}
    for item, value in zip(objectives, best_seen.tolist(), strict=True):
        if item.best is not None and value < item.sign * item.best:
            found[item.name] = (
                f"objective {item.name!r}: a result has {item.sign * value:g}, better than its best possible value "
                f"{item.best:g}; correct the objective's `best`, or its measurement"
            )
    return found


def hypervolume(points: FloatArray, box: Box) -> float:
    """The share of the box that points (n, m) dominate (Zitzler and Thiele 1998).

    With more than `EXACT_OBJECTIVES` objectives, an approximation along fixed directions (Deng and Zhang 2019).
    """
    if len(points) == 0:
        return 0.0
    scaled, reference = np.maximum(box.scale(points), 0.0), np.ones(len(box.ideal))
    if is_approximate(len(reference)):
        return min(1.0, float(moocore.hv_approx(scaled, ref=reference, nsamples=DIRECTIONS)))
    return min(1.0, float(moocore.hypervolume(scaled, ref=reference)))


def is_approximate(n_objectives: int) -> bool:
    """Whether the hypervolume for this number of objectives is approximate: the exact one takes exponential time."""
    return n_objectives > EXACT_OBJECTIVES


def hypervolume_alone(front: FloatArray) -> FloatArray:
    """The hypervolume that each of n mutually non-dominated points (n, m) dominates exclusively, shape (n,).

    Scaled by the front's ideal and nadir; the reference point is a tenth of the range beyond the nadir.
    """
    low, high = front.min(axis=0), front.max(axis=0)
    scaled = (front - low) / np.where(high > low, high - low, 1.0)
    if is_approximate(front.shape[1]):
        return alone(scaled, np.full(front.shape[1], 1.1), DIRECTIONS // 4)
    return np.asarray(moocore.hv_contributions(scaled, ref=np.full(front.shape[1], 1.1)), dtype=np.float64)


def hypervolume_curve(points: FloatArray, box: Box, steps: int = CURVE_STEPS) -> FloatArray:
    """Hypervolume after each of n points, shape (n,); rows with NaN (failed or infeasible) add nothing.

    Measured after each point up to `steps` points, else at `steps` even intervals and held in between: measuring a large
    front ten thousand times may take longer than the search.
    """
    archive: ParetoArchive[int] = ParetoArchive(points.shape[1])
    due = set(places(len(points), steps).tolist())
    curve, value, changed = np.empty(len(points)), 0.0, False
    for i, point in enumerate(points):
        if np.isfinite(point).all():
            changed = archive.add(point, i) or changed
        if changed and i in due:
            value, changed = hypervolume(archive.points, box), False
        curve[i] = value
    return curve


def places(n: int, steps: int) -> NDArray[np.int64]:
    """The rows of n at which a curve is measured: up to `steps`, evenly spread, the last row among them."""
    return np.linspace(0, n - 1, min(steps, n)).round().astype(np.int64)


def pareto_ranks(points: FloatArray) -> NDArray[np.int64]:
    """The index of the non-dominated front of each of n points (n, m), from 0, shape (n,)."""
    if len(points) == 0:
        return np.empty(0, dtype=np.int64)
    return np.asarray(moocore.pareto_rank(points), dtype=np.int64)


def igd_plus(points: FloatArray, front: FloatArray, box: Box) -> float:
    """Mean distance by which points (n, m) fall short of a reference front (k, m) (Ishibuchi et al. 2015)."""
    if len(points) == 0:
        return float("inf")
    return float(moocore.igd_plus(box.scale(points), ref=box.scale(front)))


def epsilon_additive(points: FloatArray, front: FloatArray, box: Box) -> float:
    """The smallest shift of points (n, m) that weakly dominates a reference front (k, m) (Zitzler et al. 2003)."""
    if len(points) == 0:
        return float("inf")
    return float(moocore.epsilon_additive(box.scale(points), ref=box.scale(front)))


def attainment_surfaces(runs: Sequence[FloatArray], percentiles: Sequence[float]) -> dict[float, FloatArray]:
    """The region attained by a percentage of the runs, each of points (n, 2): by percentile the corners (k, 2).

    Empirical attainment surfaces (Grunert da Fonseca, Fonseca and Hall 2001); corners ascend in the first objective.
    """
    points, sets = _stacked(runs)
    found = np.asarray(moocore.eaf(points, sets, percentiles=list(percentiles)), dtype=np.float64)
    surfaces = {p: found[np.isclose(found[:, -1], p), :-1] for p in percentiles}
    return {p: corners[np.lexsort(corners.T[::-1])] for p, corners in surfaces.items()}


def attainment_difference(first: Sequence[FloatArray], second: Sequence[FloatArray]) -> FloatArray:
    """Regions that runs of one side, each (n, 2), attain more often than those of the other (Lopez-Ibanez et al. 2010).

    Rectangles (k, 5): the lower corner, the upper corner (may be infinite), and the share of the first side's runs that
    attain it minus the second's. Regions of equal share are omitted.
    """
    if len(first) != len(second):
        raise ValueError(
            f"expected the same number of runs on both sides, got {len(first)} and {len(second)}"
        )
    stacked = [_stacked(runs) for runs in (first, second)]
    if np.array_equal(*(moocore.eaf(points, sets) for points, sets in stacked)):
        return np.empty((0, 5))  # of which moocore makes an error
    sides = [np.column_stack(side) for side in stacked]
    return np.asarray(moocore.eafdiff(*sides, intervals=1, rectangles=True), dtype=np.float64)


def _stacked(runs: Sequence[FloatArray]) -> tuple[FloatArray, NDArray[np.int64]]:
    """All points of the runs, and the run number of each, from 1."""
    return np.concatenate(runs), np.repeat(np.arange(1, len(runs) + 1), [len(run) for run in runs])
