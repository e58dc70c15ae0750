"""Where on the front a user wants to end: aspirations, limits and weights, for picking and for searching.

The reference point method of Wierzbicki ("The use of reference objectives in multiobjective optimization", in
Multiple Criteria Decision Making: Theory and Application, Springer 1980): a point is as good as its augmented
weighted Chebyshev distance from the aspiration, which may be reachable or not.

Levels that a preference does not name are completed from the archive: the best that members have which come as
near to the named levels as any does. So `error=5%` alone means "5% error, and everything else as good as it can
be there". What a user reads and writes is in the objectives' own units; arrays here are minimised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas.core.errors import ConfigError
from nas.core.objectives import Limit, Objective, objective
from nas.core.records import FloatArray
from nas.pareto.preference_text import ASPIRE, PERCENT, WEIGH, Term, check_terms, terms

AUGMENTATION = 0.01  # a hundredth of one range is given up for the whole range of another
MARGIN = 0.1  # of the front's range, that the region reaches to either side of what comes nearest to the wish
_SMALL = 1e-9


@dataclass(frozen=True)
class Preference:
    """Levels wished for, limits, and relative weights, for some of the objectives of a problem.

    `objectives` are those of the problem, all of them, in order. `aspirations` has a level or None for each and
    `limits` bounds, both in the user's own units and directions; `weights` has a positive number for each: the
    larger, the more a shortfall in this objective counts. Made by `parse`, as a rule.

    In the methods `ideal` and `nadir` (m,) are those of the archive, `archive` (k, m) its points (the
    non-dominated ones so far; None or empty when nothing is known), `points` (n, m) any others, all minimised.
    """

    objectives: tuple[Objective, ...]
    aspirations: tuple[float | None, ...]
    limits: tuple[Limit, ...] = ()
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.weights:
            object.__setattr__(self, "weights", (1.0,) * len(self.objectives))
        for name, values in (("aspirations", self.aspirations), ("weights", self.weights)):
            if len(values) != len(self.objectives):
                raise ConfigError(
                    f"{name}: expected one for each of {len(self.objectives)} objectives, got {len(values)}"
                )
        if not all(np.isfinite(w) and w > 0 for w in self.weights):
            raise ConfigError(f"weights: expected finite numbers above 0, got {self.weights}")
        if not all(a is None or np.isfinite(a) for a in self.aspirations):
            raise ConfigError(f"aspirations: expected finite numbers or None, got {self.aspirations}")
        known = [o.name for o in self.objectives]
        for limit in self.limits:
            if limit.objective not in known:
                raise ConfigError(f"limit '{limit}': expected one of {', '.join(known)}")
        lower, upper = self.bounds()
        for item, least, most in zip(self.objectives, lower, upper, strict=True):
            if least > most:
                said = ", ".join(str(x) for x in self.limits if x.objective == item.name)
                raise ConfigError(f"prefer: no value of {item.name} meets all of its limits: {said}")

    @classmethod
    def parse(cls, text: str | Sequence[Term], objectives: Sequence[Objective | str]) -> Preference:
        """Read `error=5%, params<1M, madds:2` for these objectives (names of built-in ones will do).

        `name=level` is an aspiration, `name<level` (or <=, >, >=; equality is within the limit) a limit,
        `name:weight` or `name*weight` a relative weight, 1 for those not named. Numbers take k, M, G, and % where
        the unit is percent. Raises `ConfigError` that names the term and what is wrong with it.
        """
        found = terms(text) if isinstance(text, str) else tuple(text)
        known = tuple(objective(o) for o in objectives)
        check_terms(found, known)
        levels = {t.name: t.number for t in found if t.relation == ASPIRE}
        weights = {t.name: t.number for t in found if t.relation in WEIGH}
        limits = [
            Limit(t.name, t.number, upper=t.relation.startswith("<")) for t in found if t.relation[0] in "<>"
        ]
        return cls(
            known,
            tuple(levels.get(o.name) for o in known),
            tuple(limits),
            tuple(weights.get(o.name, 1.0) for o in known),
        )

    def __str__(self) -> str:
        """The preference as `parse` reads it."""
        percent = {o.name: "%" * (o.unit in PERCENT) for o in self.objectives}
        said = []
        for item, level in zip(self.objectives, self.aspirations, strict=True):
            if level is not None:
                said.append(f"{item.name}={level:.12g}{percent[item.name]}")
        for x in self.limits:
            said.append(f"{x.objective}{'<=' if x.upper else '>='}{x.bound:.12g}{percent[x.objective]}")
        for item, weight in zip(self.objectives, self.weights, strict=True):
            if weight != 1:
                said.append(f"{item.name}:{weight:.12g}")
        return ", ".join(said)

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """The limits as (lower, upper), each (m,), minimised, infinite where there is none."""
        lower, upper = np.full(len(self.objectives), -np.inf), np.full(len(self.objectives), np.inf)
        places = {o.name: i for i, o in enumerate(self.objectives)}
        for limit in self.limits:
            i = places[limit.objective]
            sign = self.objectives[i].sign
            if limit.upper is (sign > 0):
                upper[i] = min(upper[i], sign * limit.bound)
            else:
                lower[i] = max(lower[i], sign * limit.bound)
        return lower, upper

    def violations(self, points: FloatArray) -> FloatArray:
        """How far points break the limits, (n,): the sum of the excesses relative to the bounds, 0 within."""
        points = np.atleast_2d(np.asarray(points, dtype=np.float64))
        total = np.zeros(len(points))
        places = {o.name: i for i, o in enumerate(self.objectives)}
        for limit in self.limits:
            i = places[limit.objective]
            values = self.objectives[i].sign * points[:, i]
            over = values - limit.bound if limit.upper else limit.bound - values
            total += np.maximum(over, 0.0) / (abs(limit.bound) or 1.0)
        return total

    def aspiration(
        self, ideal: FloatArray, nadir: FloatArray, archive: FloatArray | None = None
    ) -> FloatArray:
        """The whole aspiration point, (m,), minimised: named levels as they are, the others completed.

        An unnamed level is the best that archive members have which meet the limits (or break them least) and
        the named levels (or come as near to them as any); without an archive it is the ideal.
        """
        named, level = self._named(ideal)
        if archive is None or len(archive) == 0 or named.all():
            return level
        reach = self._reachable(archive)
        if named.any():
            short = self._shortfalls(reach, level, ideal, nadir)[:, named].max(axis=1)
            reach = reach[short <= max(0.0, short.min()) + _SMALL]
        return np.where(named, level, reach.min(axis=0))

    def scores(
        self,
        points: FloatArray,
        ideal: FloatArray,
        nadir: FloatArray,
        archive: FloatArray | None = None,
    ) -> FloatArray:
        """Augmented Chebyshev achievement of points, (n,), lower is better; limits are not in it.

        max_i s_i + 0.01 sum_i s_i with s_i = w_i (f_i - z_i) / (nadir_i - ideal_i): 0 at the aspiration z,
        negative for what is better in everything (Wierzbicki 1980). The best of a front is Pareto optimal.
        """
        short = self._shortfalls(np.atleast_2d(points), self.aspiration(ideal, nadir, archive), ideal, nadir)
        return np.asarray(short.max(axis=1) + AUGMENTATION * short.sum(axis=1), dtype=np.float64)

    def region(
        self, ideal: FloatArray, nadir: FloatArray, archive: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """The box of interest (lower, upper), each (m,), minimised: a window about what comes nearest to the wish.

        With z the aspiration and s the shortfall (as in `scores`, without the sum) of the archive's member with the
        best score, it goes from z + (s - 0.1) ranges to z + (s + 0.1) ranges, ranges divided by the weights; and up to z
        where that is met. So it always holds something reachable and the trade-offs about it, whether z can be
        reached or not (as the reference point of R-NSGA-II marks a region, Deb and Sundar 2006), and moves as the
        archive comes nearer. What is above `upper` is of no interest; to be below `lower` in an objective
        is no better than to be at it, lest the much that can be had in an objective which is good enough already
        outweigh the little that is missing in another. A limit lowers `upper`, and `lower` to two tenths below it, unless
        no member of the archive meets the limits: then the box still reaches to the one that breaks them least. What is exactly at a
        limit lies on the box's face, where hypervolume is nothing. A limit from below raises `lower`.

        Without any aspiration or weight `upper` is a tenth of the range beyond the nadir, and so it is without an
        archive in what is not named; `lower` is -inf then, but for limits from below.
        """
        ideal, nadir = np.asarray(ideal, dtype=np.float64), np.asarray(nadir, dtype=np.float64)
        margin = MARGIN * _ranges(ideal, nadir)
        lower, most = self.bounds()
        if archive is None or len(archive) == 0:
            named, level = self._named(ideal)
            upper = np.minimum(np.where(named, np.maximum(level, ideal + margin), nadir + margin), most)
            return lower, np.maximum(upper, np.maximum(ideal, lower))
        reach = self._reachable(archive)
        closest = reach[int(np.argmin(self.scores(reach, ideal, nadir, archive)))]
        if self._everywhere:
            upper, level = nadir + margin, np.full(len(ideal), -np.inf)
        else:
            wish = self.aspiration(ideal, nadir, archive)
            margin = margin / self._relative_weights
            level = wish + margin * float(self._shortfalls(closest, wish, ideal, nadir).max()) / MARGIN
            upper = np.maximum(wish, level + margin)
        # where even the nearest member breaks a limit the box must not end before it
        upper = np.minimum(upper, np.where(closest <= most, most, closest + margin))
        # where a limit ends the window early it is as wide below the limit
        lower = np.maximum(lower, np.minimum(level, upper - margin) - margin)
        return lower, np.maximum(upper, lower)

    @property
    def _everywhere(self) -> bool:
        """Whether no part of the front is preferred to another (there may be limits)."""
        return all(a is None for a in self.aspirations) and len(set(self.weights)) == 1

    @property
    def _relative_weights(self) -> FloatArray:
        """The weights, (m,), 1 on average."""
        return np.asarray(np.asarray(self.weights) / np.mean(self.weights), dtype=np.float64)

    def _named(self, ideal: FloatArray) -> tuple[np.ndarray, FloatArray]:
        """Which levels are named, (m,), and all levels, minimised, with the ideal for the others."""
        named = np.array([a is not None for a in self.aspirations])
        level = [
            float(i) if a is None else o.sign * a
            for o, a, i in zip(self.objectives, self.aspirations, ideal, strict=True)
        ]
        return named, np.array(level)

    def _reachable(self, archive: FloatArray) -> FloatArray:
        """The members of the archive that meet the limits; if none does, those that break them least."""
        members = np.asarray(archive, dtype=np.float64)
        broken = self.violations(members)
        return members[np.flatnonzero(broken <= broken.min() * (1.0 + _SMALL))]

    def _shortfalls(
        self, points: FloatArray, level: FloatArray, ideal: FloatArray, nadir: FloatArray
    ) -> FloatArray:
        """Weighted distances by which points (n, m) fall short of the levels, in ranges of the front, (n, m)."""
        short = (np.asarray(points) - level) / _ranges(ideal, nadir)
        return np.asarray(self._relative_weights * short, dtype=np.float64)


def _ranges(ideal: FloatArray, nadir: FloatArray) -> FloatArray:
    """nadir - ideal; where that is nothing, the ideal's own size, lest units decide."""
    spread = np.asarray(nadir, dtype=np.float64) - ideal
    size = np.abs(np.asarray(ideal, dtype=np.float64))
    return np.where(spread > 0, spread, np.where(size > 0, size, 1.0))
