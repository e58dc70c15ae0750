"""Surrogate-assisted MOEA/D: predictors of what is expensive decide which candidate is worth its training.

An initial design covers the space. From then on models fitted to the results predict the expensive objectives of
many unseen candidates (all of them in a small space, else those that an inner MOEA/D-PBI finds), and each free
worker gets the candidate with the largest expected hypervolume improvement (Emmerich, Giannakoglou and Naujoks, IEEE
TEVC 10(4), 2006). Candidates under way count as known, with their predictions as results, so one batch does not gather
in one place. The idea of an inner evolutionary search on a predictor chosen by its rank correlation is that of Lu et
al., "NSGANetV2", ECCV 2020, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from nas.acquisition import expected_improvement, undominated
from nas.algorithms._pool import Exact, InnerSearch, Pool, joined, whole_space
from nas.candidates import Candidates
from nas.checks import check_fraction, check_positive
from nas.front import ParetoArchive, non_dominated
from nas.initial_design import initial_design
from nas.interfaces import Algorithm
from nas.objectives import Limit
from nas.prediction import AUTO, make_predictors
from nas.preferences import Preference
from nas.problem import Problem
from nas.records import Architecture, FloatArray, Note, Observation

_LEAST = 5  # results below which no model is fitted
_WIDE = 2.5  # deviations: what is dominated even when it turns out so much better than predicted is left out
_NEGLIGIBLE = (
    1e-5  # improvement of the preferred region, as a share of the front's box, that nobody waits for
)
_AT_LIMIT = 1e-6  # of the range: a candidate exactly at a preferred limit counts
_VARIED = 100  # candidates looked at for one that differs from all known
_LEARNED_BY_INNER = 500  # results that the inner search starts from, at most


@dataclass(frozen=True)
class SAMOEADSettings:
    """Parameters of surrogate-assisted MOEA/D.

    initial: evaluations of the initial design. surrogate: "auto" (chosen by cross-validation, again as results grow) or
    one of `nas list surrogates`. whole_space: a space of at most so many architectures is predicted whole.
    pool: candidates that the inner search makes elsewhere. growth: models learn again when there are so much more
    results (at least two more). reference: how far beyond the front's nadir hypervolume counts, in its range; in
    a cheap objective at least as far as the results reach.
    prefer: where on the front to end, such as "error=5%, params<1M" (see `nas.preferences`); "" for all of it.
    """

    initial: int = 12
    surrogate: str = AUTO
    whole_space: int = 20_000
    pool: int = 2000
    growth: float = 0.05
    reference: float = 0.5
    prefer: str = ""

    def __post_init__(self) -> None:
        check_positive("initial", self.initial)
        check_positive("whole_space", self.whole_space)
        check_positive("pool", self.pool)
        check_fraction("growth", self.growth)
        check_positive("reference", self.reference)


class SAMOEAD(Algorithm):
    """Asynchronous surrogate-assisted MOEA/D over any space; see the module's text.

    What is asked depends on the seed, on what was told and on how much was asked before, not on how it was found: so a
    resumed search only takes note of earlier asks (`recall`).
    """

    Settings = SAMOEADSettings

    @classmethod
    def default_settings(cls, n_objectives: int, evaluations: int | None) -> SAMOEADSettings:
        """An initial design of 12, less when the budget is below 40."""
        if evaluations is None:
            return cls.Settings()
        return cls.Settings(initial=max(2, min(12, round(0.3 * evaluations))))

    def __init__(
        self, problem: Problem, rng: np.random.Generator, settings: SAMOEADSettings | None = None
    ) -> None:
        self._settings = settings or SAMOEADSettings()
        self._problem = problem
        prefer = self._settings.prefer
        self._preference = Preference.parse(prefer, problem.objectives) if prefer.strip() else None
        self._seed = int(rng.integers(2**63))
        self._predictors = make_predictors(problem, self._settings.surrogate)
        self._asked: list[Architecture] = []
        self._seen: set[Architecture] = set()
        self._pending: dict[Architecture, None] = {}
        self._known: list[Observation] = []  # those that succeeded
        self._archive: ParetoArchive[Architecture] = ParetoArchive(problem.n_objectives)
        self._told = 0
        self._design: list[Architecture] | None = None
        self._whole: Exact | None = None  # of a space that is small enough, else empty
        self._fitted_at = (0, 0)  # results known and architectures asked when the models are to learn
        self._learn_from = max(_LEAST, min(self._settings.initial, 2 * self._settings.initial // 3))
        self._view: _View | None = None
        self._notes: list[Note] = []

    @property
    def initial(self) -> int:
        """The size of the initial design; what is told before the first ask takes the place of as many of it."""
        return self._settings.initial

    def ask(self, n: int) -> list[Architecture]:
        """The initial design, then for each the candidate with the largest expected improvement."""
        asked = []
        for _ in range(n):
            self._plan()
            found = self._propose()
            if found is None:
                break
            self._count(found)
            asked.append(found)
        return asked

    def recall(self, architecture: Architecture | None) -> None:
        """Take note of an earlier ask without finding its answer again."""
        self._plan()
        if architecture is not None:
            self._count(architecture)

    def _count(self, architecture: Architecture) -> None:
        self._asked.append(architecture)
        self._seen.add(architecture)
        self._pending[architecture] = None

    def _plan(self) -> None:
        """Decide whether the models learn again before the next ask; they do when somebody needs them."""
        known = len(self._known)
        if known >= self._learn_from:
            self._fitted_at = known, len(self._asked)
            self._learn_from = known + max(2, int(np.ceil(self._settings.growth * known)))
            self._view = None

    def _propose(self) -> Architecture | None:
        rng = np.random.default_rng([self._seed, len(self._asked)])
        candidates = Candidates(self._problem, rng, self._seen)
        if len(self._asked) < self.initial:
            if self._design is None:
                start = np.random.default_rng(self._seed)
                drawn = Candidates(self._problem, start)
                self._design = initial_design(self._problem, drawn, start, self.initial)
            if len(self._asked) < len(self._design):
                return candidates.accept(self._design[len(self._asked)]) or candidates.random()
        if self._fitted_at[0] == 0:
            return candidates.random()
        if self._view is None:
            self._view = self._look()
        if not self._view.reliable and len(self._asked) % 2:
            return self._varied(candidates)
        return self._best(self._view) or self._varied(candidates)

    def tell(self, observations: Sequence[Observation]) -> None:
        """Take in what succeeded; forget what failed."""
        for seen in observations:
            if seen.architecture in self._pending:
                self._told += 1
                del self._pending[seen.architecture]
            if seen.ok:
                if seen.architecture not in self._seen:  # known from elsewhere: as good as one of the design
                    self._asked.append(seen.architecture)
                self._seen.add(seen.architecture)
                self._known.append(seen)
                if seen.violation == 0:
                    self._archive.add(seen.objectives, seen.architecture)

    def notes(self) -> list[Note]:
        """How good each predictor was, for every time that they learned."""
        notes, self._notes = self._notes, []
        return notes

    def _look(self) -> _View:
        """Let the models learn from what was known when that was due, and predict the candidates."""
        known = self._known[: self._fitted_at[0]]
        asked = self._asked[: self._fitted_at[1]]
        points = np.array([seen.objectives for seen in known])
        architectures = [seen.architecture for seen in known]
        measured = [j for j, o in enumerate(self._problem.objectives) if not o.cheap]
        for j, predictor in zip(measured, self._predictors, strict=True):
            predictor.fit(architectures, points[:, j])
            self._notes.append(predictor.note(self._told))
        if self._whole is None:
            every = whole_space(self._problem, self._settings.whole_space) or ()
            self._whole = Exact.of(self._problem, every)
        if self._whole.architectures:
            pool = self._predicted(self._whole)
        else:
            rng = np.random.default_rng([self._seed, len(asked), 1])
            search = InnerSearch(self._settings.pool)
            front = _front(known)
            start = [*known[-_LEARNED_BY_INNER:], *front]
            found = search(self._problem, self._predict, start, rng, self._distance(front))
            pool = joined([found, self._predict(asked)], self._problem.n_objectives)
        return _View(pool, all(p.reliable for p in self._predictors))

    def _distance(self, front: Sequence[Observation]) -> Callable[[FloatArray], float]:
        """How far minimised objectives (m,) are from meeting the limits and from the preferred region."""
        if self._preference is None or not front:
            return self._problem.violation
        points = np.array([seen.objectives for seen in front])
        ideal, nadir = points.min(axis=0), points.max(axis=0)
        _, upper = self._preference.region(ideal, nadir, points)
        scale = np.where(nadir > ideal, nadir - ideal, 1.0)

        def distance(row: FloatArray) -> float:
            outside = np.maximum(row - upper, 0.0) / scale
            return self._problem.violation(row) + float(outside.sum())

        return distance

    def _predict(self, architectures: Sequence[Architecture]) -> Pool:
        return self._predicted(Exact.of(self._problem, architectures))

    def _predicted(self, exact: Exact) -> Pool:
        mean = exact.objectives.copy()
        std = np.zeros_like(mean)
        measured = [j for j, o in enumerate(self._problem.objectives) if not o.cheap]
        for j, predictor in zip(measured, self._predictors, strict=True):
            mean[:, j], std[:, j] = predictor.predict(exact.chunks)
        return Pool(exact.architectures, mean, std)

    def _best(self, view: _View) -> Architecture | None:
        """The candidate with the largest expected improvement, or None if none promises any."""
        rows = np.array([i for i, a in enumerate(view.pool.architectures) if a not in self._seen], dtype=int)
        if len(rows) == 0:
            return None
        believed = self._believed(view)
        for preference in dict.fromkeys([self._preference, None]):
            best = self._best_within(view, rows, believed, preference)
            if best is not None:
                return best
        return None

    def _best_within(
        self, view: _View, rows: np.ndarray, believed: FloatArray, preference: Preference | None
    ) -> Architecture | None:
        ideal, scale, reference = self._box(preference)
        front = (np.concatenate([self._archive.points, believed]) - ideal) / scale
        mean, std = (view.pool.mean[rows] - ideal) / scale, view.pool.std[rows] / scale
        hoped = mean - _WIDE * std
        kept = np.flatnonzero((hoped < reference).all(axis=1) & ~_dominated(hoped, front))
        if len(kept) == 0:
            return None
        value = expected_improvement(mean[kept], std[kept], undominated(front, reference))
        value *= self._feasible(view.pool, rows[kept], () if preference is None else preference.limits)
        if value.max() <= (0.0 if preference is None else _NEGLIGIBLE):
            return None
        best: Architecture = view.pool.architectures[rows[kept[int(np.argmax(value))]]]
        return best

    def _box(self, preference: Preference | None) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Where improvement counts: the ideal, the scale of each objective, and the reference point so scaled.

        It reaches beyond the nadir of the archive (of all results, while that has one member), or where the
        preference says.
        """
        front = self._archive.points
        points = front if len(front) > 1 else np.array([seen.objectives for seen in self._known])
        ideal, spread = points.min(axis=0), np.ptp(points, axis=0)
        scale = np.where(spread > 0, spread, 1.0)
        if preference is None:
            reference = np.full(len(ideal), 1.0 + self._settings.reference)
            widest = np.max([seen.objectives for seen in self._known], axis=0)
            cheap = [o.cheap for o in self._problem.objectives]
            # the largest networks may not be on the front yet only because nobody trained a good one
            return (
                ideal,
                scale,
                np.where(cheap, np.maximum(reference, (widest - ideal) / scale + _AT_LIMIT), reference),
            )
        _, upper = preference.region(ideal, points.max(axis=0), front)
        return ideal, scale, (upper - ideal) / scale + _AT_LIMIT

    def _believed(self, view: _View) -> FloatArray:
        """What is predicted of the candidates under way, (k, m)."""
        m = self._problem.n_objectives
        missing = [a for a in self._pending if a not in view.place]
        if missing:
            view.extend(self._predict(missing))
        places = [view.place[a] for a in self._pending]
        return view.pool.mean[places].reshape(-1, m)

    def _feasible(self, pool: Pool, rows: np.ndarray, preferred: Sequence[Limit]) -> FloatArray:
        """The probability that each of these candidates meets all limits, the preferred ones too, (n,)."""
        probability = np.ones(len(rows))
        for limit in (*self._problem.limits, *preferred):
            j = self._problem.names.index(limit.objective)
            sign = self._problem.objectives[j].sign
            inside = sign * limit.bound - pool.mean[rows, j]  # how far, minimised
            inside = inside if limit.upper == (sign > 0) else -inside
            std = pool.std[rows, j]
            probability *= np.where(std > 0, ndtr(inside / np.maximum(std, 1e-300)), inside >= 0)
        return probability

    def _varied(self, candidates: Candidates) -> Architecture | None:
        """The one of many random candidates that differs from all known in most genes."""
        drawn = candidates.peek(_VARIED)
        if not drawn:
            return candidates.random()
        known = np.array([a.genes for a in self._asked[-1000:]])
        genes = np.array([a.genes for a in drawn])
        apart = (genes[:, None] != known[None]).sum(axis=2).min(axis=1)
        return candidates.accept(drawn[int(np.argmax(apart))])


class _View:
    """Predictions made by the models at one fit."""

    def __init__(self, pool: Pool, reliable: bool) -> None:
        self.pool = pool
        self.reliable = reliable
        self.place = {a: i for i, a in enumerate(pool.architectures)}

    def extend(self, more: Pool) -> None:
        """Take in candidates that were not in the pool."""
        first = len(self.pool.architectures)
        self.place.update({a: first + i for i, a in enumerate(more.architectures)})
        self.pool = joined([self.pool, more], self.pool.mean.shape[1])


def _front(known: Sequence[Observation]) -> list[Observation]:
    feasible = [seen for seen in known if seen.violation == 0]
    if not feasible:
        return []
    return [feasible[i] for i in non_dominated(np.array([seen.objectives for seen in feasible]))]


def _dominated(points: FloatArray, front: FloatArray) -> np.ndarray:
    """Which of points (n, m) some point of front (k, m) is at least as good as in every objective."""
    beaten = np.zeros(len(points), dtype=bool)
    for known in front:
        beaten |= (known <= points).all(axis=1)
    return beaten
