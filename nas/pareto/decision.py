"""Choose from a front: by a preference, or at its knee."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import linprog

from nas.core.errors import ConfigError
from nas.core.objectives import Objective
from nas.core.records import FloatArray
from nas.pareto.preferences import Preference

_FLAT = 0.01  # of a range: smaller bends are ignored
_SMALL = 1e-9


@dataclass(frozen=True)
class Picked:
    """A front ranked by a preference.

    `ranked` has the rows of the front that meet the limits, best first, with the front's columns; `scores` (n,) and
    `worse_by`, row by row: the distance to the named levels, a column per objective, in its own unit, positive where the row
    falls short (also of a level to exceed). `aspiration` has the level of every objective, with completed levels for
    unnamed ones (see `Preference.aspiration`). `dropped` is the number of rows that violate a limit. If all do, `nearest`
    has them, smallest violation first, and `misses` the violations, a column a limit.
    """

    preference: Preference
    ranked: pd.DataFrame
    scores: FloatArray
    worse_by: pd.DataFrame
    aspiration: dict[str, float]
    dropped: int
    nearest: pd.DataFrame
    misses: pd.DataFrame

    @property
    def best(self) -> pd.Series[float] | None:
        """The first row, or None when nothing meets the limits."""
        return None if self.ranked.empty else self.ranked.iloc[0]


def minimised(front: pd.DataFrame, objectives: Sequence[Objective]) -> FloatArray:
    """The objectives of a front's rows, shape (n, m), minimised; the expected values of noisy ones.

    Raises `ConfigError` for a missing column.
    """
    names = [o.name for o in objectives]
    missing = [name for name in names if name not in front.columns]
    if missing:
        raise ConfigError(
            f"front: expected a column for each of {', '.join(names)}, but {missing[0]!r} is missing"
        )
    values = np.array([decisive(front, name) for name in names], dtype=np.float64).T
    return np.asarray(values * [o.sign for o in objectives], dtype=np.float64)


def decisive(front: pd.DataFrame, name: str) -> pd.Series[float]:
    """The values of an objective that decide: the column NAME_expected if the front has it, else NAME."""
    return front[f"{name}_expected" if f"{name}_expected" in front.columns else name]


def pick(front: pd.DataFrame, preference: Preference) -> Picked:
    """Rank a front: drop rows that violate a limit, then sort by achievement score, smallest first.

    `front` has a row per architecture and a column per objective in its own unit, such as `RunTable.front` or
    `SearchResult.front`. Scores are normalised by the ideal and nadir of the whole front. Rows of equal score keep their
    order.
    """
    objectives, levels = preference.objectives, preference.aspirations
    points = minimised(front, objectives)
    empty = front.iloc[:0]
    named = [(o, a) for o, a in zip(objectives, levels, strict=True) if a is not None]
    if len(front) == 0:
        return Picked(preference, empty, np.empty(0), pd.DataFrame(), {}, 0, empty, pd.DataFrame())
    ideal, nadir = points.min(axis=0), points.max(axis=0)
    level = preference.aspiration(ideal, nadir, points)
    broken = preference.violations(points)
    kept = np.flatnonzero(broken == 0)
    scores = preference.scores(points[kept], ideal, nadir, points)
    order = np.argsort(scores, kind="stable")
    ranked = front.iloc[kept[order]].reset_index(drop=True)
    far = front.iloc[np.argsort(broken, kind="stable") if len(kept) == 0 else []].reset_index(drop=True)
    return Picked(
        preference,
        ranked,
        scores[order],
        pd.DataFrame({o.name: o.sign * (decisive(ranked, o.name) - a) for o, a in named}, index=ranked.index),
        {o.name: float(o.sign * z) for o, z in zip(objectives, level, strict=True)},
        len(front) - len(kept),
        far,
        pd.DataFrame(
            {str(x): _beyond(decisive(far, x.objective), x.bound, x.upper) for x in preference.limits}
        ),
    )


def _beyond(values: pd.Series[float], bound: float, upper: bool) -> pd.Series[float]:
    over = values - bound if upper else bound - values
    return over.clip(lower=0.0)


@dataclass(frozen=True)
class Knee:
    """The knee of a front: the row's `index`, and its `depth` in ranges of the front (0: no knee)."""

    index: int
    depth: float

    @property
    def bends(self) -> bool:
        """Whether there is a knee; otherwise `index` is the most balanced row."""
        return self.depth > 0


def knee(points: FloatArray) -> Knee:
    """The knee of a front, (n, m) minimised: the point deepest below the front's ends.

    Das, "On characterizing the 'knee' of the Pareto curve based on normal-boundary intersection", Structural
    Optimization 18, 1999, with objectives normalised by the front's ideal and nadir and the normal (1, ..., 1): the depth
    of a point is the largest loss in every objective at once before some mixture of the ends matches it. The ends are the
    points that are worst in some objective; with two objectives these are the best in the other, and the depth is the
    distance from the line through both. With three or more, the best in each objective may coincide where objectives
    correlate (the network with the fewest parameters often has the fewest multiply-adds), or be the knee itself. Preferred
    to the expected marginal utility of Branke et al. (PPSN 2004), which favours isolated points: a front of few evaluations
    has many.

    If no depth exceeds a hundredth of a range (one or two points, all on a line or plane, a concave front), returns the row
    with the smallest worst normalised objective, with depth 0. Raises `ConfigError` for an empty front, or numbers that are
    not finite.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.size == 0 or not np.isfinite(points).all():
        raise ConfigError(f"points: expected a front of finite numbers, shape (n, m), got {points.shape}")
    spread = points.max(axis=0) - points.min(axis=0)
    scaled = (points - points.min(axis=0)) / np.where(spread > 0, spread, 1.0)
    ends = scaled[(scaled == 1.0).any(axis=1)]
    if len(ends):
        deepest, depth = _deepest(scaled, ends)
        if depth > _FLAT:
            return Knee(deepest, depth)
    return Knee(int(np.argmin(scaled.max(axis=1) + _SMALL * scaled.sum(axis=1))), 0.0)


def _deepest(points: FloatArray, ends: FloatArray) -> tuple[int, float]:
    """The deepest of points (n, m) below the mixtures of ends (k, m), and its depth.

    Any mixture bounds every point's depth from above; points are solved in the order of their bounds, each solution gives a
    new mixture, and most points need no solution.
    """
    bounds = (ends[:, None, :] - points[None, :, :]).max(axis=2).min(axis=0)
    solved: set[int] = set()
    while True:
        i = int(np.argmax(bounds))
        if i in solved:
            return i, float(bounds[i])
        depth, mixture = _depth(points[i], ends)
        bounds = np.minimum(bounds, (mixture - points).max(axis=1))
        bounds[i] = depth
        solved.add(i)


def _depth(point: FloatArray, ends: FloatArray) -> tuple[float, FloatArray]:
    """The smallest t such that some mixture of ends (k, m) is at least as good as point + t (m,); and that mixture."""
    k, m = ends.shape
    solved = linprog(  # variables: k weights of the mixture, then t
        np.append(np.zeros(k), 1.0),
        A_ub=np.hstack([ends.T, -np.ones((m, 1))]),
        b_ub=point,
        A_eq=np.append(np.ones(k), 0.0)[None, :],
        b_eq=[1.0],
        bounds=[(0, None)] * k + [(None, None)],
    )
    return float(solved.fun), np.asarray(solved.x[:k] @ ends, dtype=np.float64)
