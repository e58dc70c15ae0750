"""BANANAS: Bayesian optimisation with an ensemble of neural networks on path encodings, for one objective.

White, Neiswanger and Savani, "BANANAS: Bayesian Optimization with Neural Architectures for Neural Architecture
Search", AAAI 2021, algorithm 1 and section 4, read as follows. Ten random architectures; then, again and again: fit
an ensemble of five networks to (path encoding, error), make 100 candidates by mutating the best architectures that
are known, draw one value per candidate from its predicted normal distribution (independent Thompson sampling), evaluate the
ten with the lowest. Different from the paper: the ensemble is `surrogates.mlp_ensemble` (wider and shallower, members on
bootstraps, deviation from the spread and the left-out errors), and the encoding is the space's whole one, untruncated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas.algorithms.candidates import Candidates
from nas.core.algorithm import Algorithm
from nas.core.checks import check_positive
from nas.core.problem import Problem
from nas.core.records import Architecture, Observation
from surrogates.mlp_ensemble import MLPEnsemble


@dataclass(frozen=True)
class BananasSettings:
    """The paper's numbers: random starts, evaluations between fits, candidates, and number of mutated best ones."""

    starts: int = 10
    batch: int = 10
    candidates: int = 100
    parents: int = 10
    members: int = 5

    def __post_init__(self) -> None:
        for name in ("starts", "batch", "candidates", "parents", "members"):
            check_positive(name, getattr(self, name))


class Bananas(Algorithm):
    """Minimises the problem's first objective; the space must offer the encoding `paths`."""

    Settings = BananasSettings

    def __init__(self, problem: Problem, rng: np.random.Generator, settings: BananasSettings | None = None):
        self._settings = settings or self.Settings()
        self._rng = rng
        self._space = problem.space
        self._encode = problem.space.encodings["paths"]
        self._candidates = Candidates(problem, rng)
        self._asked = 0
        self._known: list[tuple[float, Architecture]] = []
        self._queue: list[Architecture] = []

    @property
    def initial(self) -> int:
        """The random starts."""
        return self._settings.starts

    def ask(self, n: int) -> list[Architecture]:
        """The rest of the latest batch; a new one, after a new fit, when it is used up."""
        asked: list[Architecture] = []
        while len(asked) < n and (found := self._next()) is not None:
            asked.append(found)
        self._asked += len(asked)
        return asked

    def _next(self) -> Architecture | None:
        if self._asked < self._settings.starts or len(self._known) < 2:
            return self._candidates.random()
        if not self._queue:
            self._queue = self._batch()
        while self._queue:
            found = self._candidates.accept(self._queue.pop(0))
            if found is not None:
                return found
        return self._candidates.random()

    def _batch(self) -> list[Architecture]:
        """The candidates with the lowest Thompson samples, best first."""
        errors, architectures = zip(*self._known, strict=True)
        model = MLPEnsemble(members=self._settings.members, seed=int(self._rng.integers(2**31)))
        model.fit(self._encode(architectures), np.array(errors))
        pool = self._pool()
        if not pool:
            return []
        mean, deviation = model.predict(self._encode(pool))
        order = np.argsort(self._rng.normal(mean, deviation), kind="stable")
        return [pool[i] for i in order[: self._settings.batch].tolist()]

    def _pool(self) -> list[Architecture]:
        """New mutants of the best architectures, in order of creation, at most `settings.candidates`."""
        best = [a for _, a in sorted(self._known, key=lambda known: known[0])[: self._settings.parents]]
        mutate, space = self._candidates.variation.mutate, self._space
        pool: dict[Architecture, None] = {}
        for i in range(20 * self._settings.candidates):
            mutant = mutate(best[i % len(best)], self._rng)
            if space.is_valid(mutant) and space.canonical(mutant) not in self._candidates.seen:
                pool[space.canonical(mutant)] = None
            if len(pool) == self._settings.candidates:
                break
        return list(pool)

    def tell(self, observations: Sequence[Observation]) -> None:
        """Record the successes, which the next fit learns from."""
        for seen in observations:
            self._candidates.seen.add(seen.architecture)
            if seen.ok:
                self._known.append((float(seen.objectives[0]), seen.architecture))
