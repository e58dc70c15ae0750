"""Surrogate-assisted MOEA/D: predictions of the expensive objectives decide which candidate to train.

An initial design covers the space. From then on models fitted to the results predict the expensive objectives of
many unseen candidates (all of them in a small space, else those that an inner MOEA/D-PBI finds), and each free
worker gets the candidate with the largest expected hypervolume improvement (Emmerich, Giannakoglou and Naujoks, IEEE
TEVC 10(4), 2006). Candidates under way count as known, with their predictions as results, so one batch does not gather
in one place. Where an objective is noisy, models learn measurements combined with their companions, and the front has expected
values (`nas.algorithms.expectation`). With several budgets of trainings the models learn the results of the lowest; predictions and the front
are continued to the highest budget that has enough results (`nas.algorithms.fidelities`). The idea of an inner evolutionary
search on a predictor chosen by its rank correlation is that of Lu et al., "NSGANetV2", ECCV 2020, section 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nas.algorithms._learning import LearningPlan, Moment, Renewal
from nas.algorithms._outlook import InfillSelector, Models, Target
from nas.algorithms._pool import CandidateBatch, CandidatePool, OptimisticObjectives
from nas.algorithms._refinement import Improvement
from nas.algorithms.candidates import Candidates
from nas.algorithms.cost_estimate import CostEstimate
from nas.algorithms.expectation import Believed, Expectation
from nas.algorithms.initial_design import initial_design
from nas.algorithms.noise import averaged, worth_repeating
from nas.algorithms.prediction import AUTO, make_predictors
from nas.core.algorithm import Algorithm
from nas.core.checks import check_fraction, check_positive
from nas.core.cost_timing import affordable
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Note, Observation
from nas.pareto.archive import LatestFront, non_dominated
from nas.pareto.means import Means
from nas.pareto.preferences import Preference

_LEAST = 5  # least results to fit a model
_OPTIMISM = 1.0  # deviations by which the inner search assumes that a candidate beats its prediction
_NEGLIGIBLE = 1e-5  # negligible improvement of the preferred region, as a share of the front's box
_FARTHEST = 2.0  # ranges of the front, with several measured objectives
_AT_LIMIT = 1e-6  # of the range: a candidate exactly at a preferred limit counts
_VARIED_EVERY = 5  # while the models do not order architectures reliably
_VARIED = 100  # candidates drawn to find one that differs from all known
_SAMPLED = 80  # random architectures that an estimate of slow costs learns from
_SAMPLED_S, _FEWEST_SAMPLED = 60.0, 40  # seconds for them; fewer where each takes longer
_LEARNED_BY_INNER = 500  # most results that the inner search starts from


@dataclass(frozen=True)
class SAMOEADSettings:
    """Parameters of surrogate-assisted MOEA/D.

    initial: evaluations of the initial design. surrogate: "auto" (chosen by cross-validation, repeated as results grow),
    one of `nas list surrogates`, or your own as file.py:Name. whole_space: largest space of which every architecture is
    predicted (at most 60,000 predictions of all measured objectives). pool: candidates that the inner search makes in a
    larger space. growth: models are retuned when the number of results has grown by this fraction (at least one). reference: distance of the reference point beyond the front's
    nadir, in ranges of the front; in a cheap objective at least the largest result.
    prefer: preferred part of the front, such as "error=5%, params<1M" (see `nas.pareto.preferences`); "" for all of it.
    repeats: share of the evaluations after the initial design that measure a member of the front again, for
    noisy evaluations; 0: every architecture is measured once.
    """

    initial: int = 10
    surrogate: str = AUTO
    whole_space: int = 20_000
    pool: int = 1000
    growth: float = 0.05
    reference: float = 0.1
    prefer: str = ""
    repeats: float = 0.0

    def __post_init__(self) -> None:
        check_positive("initial", self.initial)
        check_positive("whole_space", self.whole_space)
        check_positive("pool", self.pool)
        check_fraction("growth", self.growth)
        check_positive("reference", self.reference)
        check_fraction("repeats", self.repeats)


class _Start(NamedTuple):
    """What a proposal starts from."""

    models: Models
    learned: Sequence[Observation]
    reached: Sequence[Observation]  # the same, or with several budgets at the last of them
    members: Sequence[Architecture]  # of the front
    front: FloatArray  # their points (k, m)


class SAMOEAD(Algorithm):
    """Asynchronous surrogate-assisted MOEA/D over any space; see the module docstring.

    An ask depends on the seed, the results and the number of earlier asks, not on how these were found: a resumed
    search only records earlier asks (`recall`).
    """

    Settings = SAMOEADSettings
    every_budget = True
    knows_costs = True

    @classmethod
    def default_settings(cls, n_objectives: int, evaluations: int | None) -> SAMOEADSettings:
        """An initial design of 10, less when the budget is below 33."""
        if evaluations is None:
            return cls.Settings()
        return cls.Settings(initial=max(2, min(10, round(0.3 * evaluations))))

    def __init__(
        self, problem: Problem, rng: np.random.Generator, settings: SAMOEADSettings | None = None
    ) -> None:
        self._settings = settings or SAMOEADSettings()
        self._problem = problem
        prefer = self._settings.prefer
        self._preference = Preference.parse(prefer, problem.objectives) if prefer.strip() else None
        self._seed = int(rng.integers(2**63))
        self._predictors = make_predictors(problem, self._settings.surrogate)
        self._models = Models(problem, self._predictors)
        self._asked: list[Architecture] = []
        self._seen: set[Architecture] = set()
        self._pending: dict[Architecture, None] = {}
        self._known: list[Observation] = []  # those that succeeded
        self._means = Means()  # of architectures measured more than once
        self._repeated = False  # also at another budget
        self._again: Counter[Architecture] = Counter()  # repeated measurements under way
        self._archive: LatestFront[Architecture] = LatestFront(problem.n_objectives)
        self._expectation = Expectation(problem)  # where an objective is noisy
        self._believed_at = (0, 0)  # results that it learned from and estimated
        self._believed: Believed | None = None
        self._told = 0
        self._design: list[Architecture] | None = None
        self._pool = CandidatePool(problem, self._settings.whole_space, self._settings.pool)
        self._costs: CostEstimate | None = None  # when costs are slow
        first = max(_LEAST, min(self._settings.initial, 2 * self._settings.initial // 3))
        expensive = len(problem.measured)
        self._learning = LearningPlan(expensive, first, self._settings.growth)
        self._tuned: list[Moment | None] = [None] * expensive
        self._renewed: Renewal | None = None
        self._infill: InfillSelector | None = None  # of that renewal
        self._nadir: FloatArray | None = None  # of the front that was predicted with it
        self._notes: list[Note] = []

    @property
    def initial(self) -> int:
        """Size of the initial design; results passed before the first ask replace as many of it."""
        return self._settings.initial

    def ask(self, n: int) -> list[Architecture]:
        """The initial design, then the candidates with the largest expected improvement."""
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
        """Record an earlier ask without computing it again."""
        self._plan()
        if architecture is not None:
            self._count(architecture)

    def _count(self, architecture: Architecture) -> None:
        self._asked.append(architecture)
        self._seen.add(architecture)
        if self._means.count(architecture):
            self._again[architecture] += 1
        else:
            self._pending[architecture] = None

    def _plan(self) -> None:
        """Decide what the models learn before the next ask; they learn when needed."""
        # an estimate of noisy objectives serves all models; without repeated results nothing shows undeclared noise
        at_once = self._expectation.needed(self._known if self._repeated else [])
        self._learning.step(Moment(len(self._known), len(self._asked), self._told), at_once)

    def _propose(self) -> Architecture | None:
        rng = np.random.default_rng([self._seed, len(self._asked)])
        candidates = Candidates(self._problem, rng, self._seen)
        if len(self._asked) < self.initial:
            if self._design is None:
                start = np.random.default_rng(self._seed)
                drawn = Candidates(self._problem, start)
                self._design = self._begin(drawn, start)
            elif not self._problem.slow_costs:
                self._pool.whole(None)  # cached, so that the first proposal after the design is not slow
            if len(self._asked) < len(self._design):
                return candidates.accept(self._design[len(self._asked)]) or candidates.random()
        renewal = self._learning.renewal
        if renewal is None:
            return candidates.random()
        models, known, reached, members, front = self._current(renewal.at.known)
        if self._repeats_next() and len(members):
            count = [self._means.count(a) + self._again[a] for a in members]
            return members[worth_repeating(front, count)]
        if self._infill is None or self._renewed != renewal:
            self._infill, self._renewed = self._new_infill(renewal), renewal
        self._tune(self._learning.tuned)
        if not self._infill.reliable and len(self._asked) % _VARIED_EVERY == 0:
            return self._varied(candidates)
        targets = self._targets(front, reached)
        best = self._infill.best(models, known, list(self._pending), front, targets, self._seen)
        return best or self._varied(candidates)

    def _current(self, fitted: int) -> _Start:
        """The models, the results that they learn, all reached values, and the front.

        Those of noisy objectives are expected values, with what the first `fitted` results tell.
        """
        if not self._expectation.needed(self._known):
            items, points = self._archive.items, self._archive.points.copy()
            return _Start(self._models, self._known, self._known, items, points)
        if self._believed is None or self._believed_at != (fitted, len(self._known)):
            if self._believed is None or self._believed_at[0] != fitted:
                self._expectation.fit(self._known[:fitted])
            self._believed = self._expectation.believed(self._known)
            self._believed_at = (fitted, len(self._known))
        found = self._believed
        front = _front(found.values)
        points = np.array([seen.objectives for seen in front]).reshape(-1, self._problem.n_objectives)
        models = self._models.continued(found.continuation)
        reached = found.learned if found.continuation is None else found.values
        return _Start(models, found.learned, reached, [seen.architecture for seen in front], points)

    def _begin(self, drawn: Candidates, rng: np.random.Generator) -> list[Architecture]:
        """The initial design; where costs are slow, by their estimates."""
        if not self._problem.slow_costs:
            return initial_design(self._problem, drawn, rng, self.initial)
        estimate, loose = self._estimated([]), self._problem.without_cheap_limits()
        return initial_design(self._problem, Candidates(loose, rng), rng, self.initial, estimate)

    def _estimated(self, known: Sequence[Architecture]) -> CostEstimate:
        """Estimate cheap objectives from those of fixed random architectures and of known ones."""
        if self._costs is None:
            drawn = Candidates(self._problem.without_cheap_limits(), np.random.default_rng([self._seed, 1]))
            number = affordable(_SAMPLED, self._problem.cost_seconds, _SAMPLED_S, _FEWEST_SAMPLED)
            if self._problem.has_quick_limits:  # of random architectures many exceed them, and teach little
                number = min(number, _FEWEST_SAMPLED)
            self._costs = CostEstimate(self._problem, drawn.peek(number))
        self._costs.learn(known)
        return self._costs

    def _repeats_next(self) -> bool:
        """Whether the next ask repeats a measurement."""
        later, share = len(self._asked) - self.initial, self._settings.repeats
        return later >= 0 and int((later + 1) * share) > int(later * share)

    def tell(self, observations: Sequence[Observation]) -> None:
        """Keep successes; forget failures."""
        for seen in observations:
            if seen.architecture in self._pending:
                self._told += 1
                del self._pending[seen.architecture]
            elif self._again[seen.architecture]:
                self._told += 1
                self._again[seen.architecture] -= 1
            elif self._known and seen.budget != self._known[0].budget:  # a continuation
                self._told += 1
            if seen.ok:
                if seen.architecture not in self._seen:  # known from elsewhere: as good as one of the design
                    self._asked.append(seen.architecture)
                self._seen.add(seen.architecture)
                self._known.append(seen)
                self._repeated |= self._means.count(seen.architecture) > 0
                if seen.budget != self._known[0].budget:
                    continue  # of several budgets the models make one result
                mean, *_ = averaged(self._problem, [seen], self._means)
                point = mean.objectives if mean.violation == 0 else None
                self._archive.put(seen.architecture, point, seen.architecture)

    def notes(self) -> list[Note]:
        """The quality of each predictor after every fit."""
        notes, self._notes = self._notes, []
        return notes

    def _tune(self, moments: Sequence[Moment]) -> None:
        """Choose and tune each model on the results of its moment, unless it did that last."""
        for j, moment in enumerate(moments):
            if self._tuned[j] != moment:
                known = self._known[: moment.known]
                learned = averaged(self._problem, known)
                if self._expectation.needed(known):  # it learned from the same results
                    learned = self._expectation.believed(known).learned
                self._models.fit(j, learned)
                self._tuned[j] = moment
                self._notes.append(self._predictors[j].note(moment.told))

    def _new_infill(self, renewal: Renewal) -> InfillSelector:
        """The promising candidates, by the results and models of a renewal."""
        known, asked = self._known[: renewal.at.known], self._asked[: renewal.at.asked]
        self._tune(renewal.tuned)
        means, models = averaged(self._problem, known), self._models
        if self._expectation.needed(known):
            believed = self._expectation.believed(known)
            means = known = believed.values
            models = models.continued(believed.continuation)
        elif any(moment != renewal.at for moment in renewal.tuned):
            points = np.array([seen.objectives for seen in means])
            self._models.update([seen.architecture for seen in means], points)
        estimate = self._estimated(asked) if self._problem.slow_costs else None
        front = _front(means)
        points = np.array([seen.objectives for seen in front]).reshape(-1, self._problem.n_objectives)
        self._nadir = None
        pool = self._pool.whole(estimate)
        if pool is None:
            rng = np.random.default_rng([self._seed, len(asked)])
            start = [*means[-_LEARNED_BY_INNER:], *front]
            first = self._targets(points, known)[0]
            hoped = self._optimistic(models, estimate)
            gained = self._improvement(models, estimate, points, first)
            pool = self._pool.search(hoped, gained, start, asked, rng, self._distance(first), estimate)
        forecast = models.forecast(pool)
        if len(self._problem.measured) > 1:
            both = np.concatenate([forecast.middle, points])
            self._nadir = both[non_dominated(both)].max(axis=0)
        targets = self._targets(points, known)
        return InfillSelector(self._problem, models, forecast, points, targets, estimate)

    def _optimistic(self, models: Models, estimate: CostEstimate | None) -> OptimisticObjectives:
        def optimistic(architectures: Sequence[Architecture]) -> FloatArray:
            exact = CandidateBatch.of(self._problem, architectures, estimate)
            return models.hoped(models.forecast(exact), _OPTIMISM)

        return optimistic

    def _improvement(
        self, models: Models, estimate: CostEstimate | None, front: FloatArray, target: Target
    ) -> Improvement:
        def improvement(architectures: Sequence[Architecture]) -> FloatArray:
            exact = CandidateBatch.of(self._problem, architectures, estimate)
            return models.improvement(models.forecast(exact), front, target)

        return improvement

    def _distance(self, first: Target) -> Callable[[FloatArray], float]:
        """Distance of minimised objectives (m,) from the constraints and the preferred region."""
        if self._preference is None:
            return self._problem.violation

        def distance(row: FloatArray) -> float:
            outside = np.maximum(first.scaled(row) - first.reference, 0.0)
            return self._problem.violation(row) + float(outside.sum())

        return distance

    def _targets(self, front: FloatArray, known: Sequence[Observation]) -> list[Target]:
        """Regions in which improvement over front (k, m) counts: the preferred one, then the whole front.

        The latter reaches beyond the nadir of the front (of all results, while the front has one member); with several
        measured objectives also to the nadir of the predicted front, at most `_FARTHEST`: without costs that are
        known, whole parts of the front may not have been found yet.
        """
        reached = np.array([seen.objectives for seen in known])
        points = front if len(front) > 1 else reached
        ideal, nadir = points.min(axis=0), points.max(axis=0)
        scale = np.where(nadir > ideal, nadir - ideal, 1.0)
        # large networks may be missing from the front because no good one is trained yet
        widest = (reached.max(axis=0) - ideal) / scale + _AT_LIMIT
        cheap = [o.cheap for o in self._problem.objectives]
        beyond = np.full(len(ideal), 1.0 + self._settings.reference)
        farther = beyond
        if self._nadir is not None:
            predicted = (self._nadir - ideal) / scale + self._settings.reference
            farther = np.maximum(beyond, np.minimum(predicted, _FARTHEST))
        reference = np.where(cheap, np.maximum(beyond, widest), farther)
        nowhere = np.full(len(ideal), -np.inf)
        targets = [Target(ideal, scale, reference, nowhere, self._problem.limits)]
        if self._preference is not None:
            lower, upper = self._preference.region(ideal, nadir, front)
            limits = (*self._problem.limits, *self._preference.limits)
            reference = (upper - ideal) / scale + _AT_LIMIT
            targets.insert(0, Target(ideal, scale, reference, lower, limits, _NEGLIGIBLE))
        return targets

    def _varied(self, candidates: Candidates) -> Architecture | None:
        """The random candidate whose genes differ most from all known."""
        drawn = candidates.peek(_VARIED)
        if not drawn:
            return candidates.random()
        known = np.array([a.genes for a in self._asked[-1000:]])
        genes = np.array([a.genes for a in drawn])
        apart = (genes[:, None] != known[None]).sum(axis=2).min(axis=1)
        return candidates.accept(drawn[int(np.argmax(apart))])


def _front(known: Sequence[Observation]) -> list[Observation]:
    feasible = [seen for seen in known if seen.violation == 0]
    if not feasible:
        return []
    return [feasible[i] for i in non_dominated(np.array([seen.objectives for seen in feasible]))]
