"""Preferred region of the front: aspirations, limits and weights, for picking and for searching.

The reference point method of Wierzbicki ("The use of reference objectives in multiobjective optimization", in
Multiple Criteria Decision Making: Theory and Application, Springer 1980): points are ranked by their augmented weighted
Chebyshev distance from the aspiration, which may be reachable or not.

Unnamed levels are completed from the archive: the best values among the members nearest to the named levels. So `error=5%`
alone means "5% error, and everything else as good as possible there". Users read and write the objectives' own units;
arrays here are minimised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas.core.errors import ConfigError
from nas.core.objectives import Limit, Objective, objective
from nas.core.records import FloatArray
from nas.pareto.preference_text import ASPIRE, PERCENT, WEIGH, Term, check_terms, terms

AUGMENTATION = 0.01  # trades a hundredth of one range for the whole range of another
MARGIN = 0.1  # of the front's range: half-width of the region about the point nearest to the aspiration
_SMALL = 1e-9


@dataclass(frozen=True)
class Preference:
    """Target levels, limits, and relative weights for objectives of a problem.

    `objectives` are all objectives of the problem, in order. `aspirations` has a level or None for each and `limits` bounds,
    both in the user's units and directions; `weights` has a positive number for each: a larger one gives a shortfall in this
    objective more weight. Usually made by `parse`.

    In the methods `ideal` and `nadir` (m,) are those of the archive, `archive` (k, m) its points (the non-dominated ones so
    far; None or empty if unknown), `points` (n, m) any others, all minimised.
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
        """Parse `error=5%, params<1M, madds:2` for these objectives (names of built-in ones suffice).

        `name=level` is an aspiration, `name<level` (or <=, >, >=; equality meets the limit) a limit, `name:weight` or
        `name*weight` a relative weight, by default 1. Numbers take k, M, G, and % where the unit is percent. Raises
        `ConfigError` with the term and the reason.
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
        """The preference in the form that `parse` reads."""
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
        """The limits as (lower, upper), each (m,), minimised, infinite if absent."""
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
        """Total violation of the limits, (n,): the sum of the excesses relative to the bounds, 0 within."""
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
        """The whole aspiration point, (m,), minimised: named levels unchanged, the others completed.

        An unnamed level is the best value among archive members that meet the limits (or violate them least) and the named
        levels (or are nearest to them); without an archive it is the ideal.
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
        self, points: FloatArray, ideal: FloatArray, nadir: FloatArray, archive: FloatArray | None = None
    ) -> FloatArray:
        """Augmented Chebyshev achievement of points, (n,), lower is better; ignores limits.

        max_i s_i + 0.01 sum_i s_i with s_i = w_i (f_i - z_i) / (nadir_i - ideal_i): 0 at the aspiration z,
        negative for points better in every objective (Wierzbicki 1980). The best of a front is Pareto optimal.
        """
        short = self._shortfalls(np.atleast_2d(points), self.aspiration(ideal, nadir, archive), ideal, nadir)
        return np.asarray(short.max(axis=1) + AUGMENTATION * short.sum(axis=1), dtype=np.float64)

    def region(
        self, ideal: FloatArray, nadir: FloatArray, archive: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """The box of interest (lower, upper), each (m,), minimised: a window about the point nearest to the aspiration.

        With z the aspiration and s the shortfall (as in `scores`, without the sum) of the archive's member with the best
        score, it extends from z + (s - 0.1) ranges to z + (s + 0.1) ranges, ranges divided by the weights; and up to z where
        that is met. So it always contains reachable points and the trade-offs about them, whether or not z is reachable (as
        the reference point of R-NSGA-II marks a region, Deb and Sundar 2006), and moves as the archive approaches z. Points
        above `upper` are of no interest; values below `lower` in an objective count as `lower`, so that a large gain in an
        objective that is good enough cannot outweigh a small lack in another. A limit lowers `upper`, and `lower` to two
        tenths below it, unless no member of the archive meets the limits: then the box still reaches the member that violates
        them least. A point exactly at a limit lies on the box's face, where hypervolume is 0. A limit from below raises
        `lower`.

        Without any aspiration or weight `upper` is a tenth of the range beyond the nadir, as for unnamed objectives without
        an archive; `lower` is then -inf, except for limits from below.
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
            target = self.aspiration(ideal, nadir, archive)
            margin = margin / self._relative_weights
            level = target + margin * float(self._shortfalls(closest, target, ideal, nadir).max()) / MARGIN
            upper = np.maximum(target, level + margin)
        # if even the nearest member violates a limit, the box must reach it
        upper = np.minimum(upper, np.where(closest <= most, most, closest + margin))
        # if a limit cuts the window, it keeps its width below the limit
        lower = np.maximum(lower, np.minimum(level, upper - margin) - margin)
        return lower, np.maximum(upper, lower)

    @property
    def _everywhere(self) -> bool:
        """Whether the whole front is equally preferred (there may be limits)."""
        return all(a is None for a in self.aspirations) and len(set(self.weights)) == 1

    @property
    def _relative_weights(self) -> FloatArray:
        """The weights, (m,), 1 on average."""
        return np.asarray(np.asarray(self.weights) / np.mean(self.weights), dtype=np.float64)

    def _named(self, ideal: FloatArray) -> tuple[np.ndarray, FloatArray]:
        """Mask of the named levels, (m,), and all levels, minimised, with the ideal for unnamed ones."""
        named = np.array([a is not None for a in self.aspirations])
        level = [
            float(i) if a is None else o.sign * a
            for o, a, i in zip(self.objectives, self.aspirations, ideal, strict=True)
        ]
        return named, np.array(level)

    def _reachable(self, archive: FloatArray) -> FloatArray:
        """The archive members that meet the limits; if none does, those that violate them least."""
        members = np.asarray(archive, dtype=np.float64)
        broken = self.violations(members)
        return members[np.flatnonzero(broken <= broken.min() * (1.0 + _SMALL))]

    def _shortfalls(
        self, points: FloatArray, level: FloatArray, ideal: FloatArray, nadir: FloatArray
    ) -> FloatArray:
        """Weighted shortfalls of points (n, m) from the levels, in ranges of the front, (n, m)."""
        short = (np.asarray(points) - level) / _ranges(ideal, nadir)
        return np.asarray(self._relative_weights * short, dtype=np.float64)


def _ranges(ideal: FloatArray, nadir: FloatArray) -> FloatArray:
    """nadir - ideal; where that is 0, the magnitude of the ideal, so that units do not matter."""
    spread = np.asarray(nadir, dtype=np.float64) - ideal
    size = np.abs(np.asarray(ideal, dtype=np.float64))
    return np.where(spread > 0, spread, np.where(size > 0, size, 1.0))
