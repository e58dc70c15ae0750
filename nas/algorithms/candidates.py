"""Propose new candidates for any algorithm: valid, canonical, within the cheap constraints, each only once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np

from nas.algorithms.cost_estimate import CostEstimate
from nas.core.bounds import DRAWS, SamplingError, TriesUsedUp, check_time, check_tries, tries_at_most
from nas.core.cost_timing import affordable
from nas.core.problem import Problem
from nas.core.records import Architecture
from nas.core.space import HasEnumeration, HasVariation, allowed_genes
from nas.core.text import exact

EXACT_CALLS = 50  # exact values that one proposal may compute when costs are slow
_DESCENDED = 4  # times as many for a descent to the limits, where random architectures break them
_ROUNDS = 5  # of draws and a descent, where costs are slow, before the space counts as exhausted
_EXACT_S, _FEWEST = 20.0, 20  # seconds of them, where a few take longer than that; at least so many
_WALKED_S, _FEWEST_WALKED = 120.0, 100  # likewise, to find the last unseen architectures
_FAR = 1e6  # added to violations of limits that are checked first, so that a descent meets these first
_LEARNED = 20  # exact values needed to fit the estimate
_SCREENED = 10  # candidates rejected by the estimate for each one of them that is computed exactly
_QUICK_SHARE = 0.25  # of the time of an exact value, for the quick costs of the mutants of one step
_GUESSED = 20  # mutants; only the nearest by the estimate is computed exactly
_WALKED_SLOWLY = 10_000  # and where costs are slow, which are then computed for all of them
MAX_ENUMERATED = 2_000_000  # gene combinations to enumerate for the last unseen ones


class IntegerVariation:
    """Uniform crossover and per-gene mutation for spaces that define no variation.

    Each gene mutates with probability 1/d to another of its values, all equally likely; at least one gene
    mutates. Random numbers are drawn in blocks: single draws would dominate the cost of an offspring.
    """

    BLOCK = 8192

    def __init__(self, space_name: str, cardinalities: tuple[int, ...]) -> None:
        self._name = space_name
        self._cardinalities = cardinalities
        self._rate = 1.0 / max(1, sum(c > 1 for c in cardinalities))
        self._block: list[float] = []
        self._next = 0

    def _take(self, n: int, rng: np.random.Generator) -> list[float]:
        if self._next + n > len(self._block):
            self._block = rng.random(max(self.BLOCK, n)).tolist()
            self._next = 0
        start = self._next
        self._next += n
        return self._block[start : self._next]

    def crossover(self, first: Architecture, second: Architecture, rng: np.random.Generator) -> Architecture:
        """Take each gene from either parent with equal probability."""
        coin = self._take(len(self._cardinalities), rng)
        genes = zip(first.genes, second.genes, coin, strict=True)
        return Architecture(self._name, tuple([a if u < 0.5 else b for a, b, u in genes]))

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """Change each gene with probability 1/d; if none is hit, change one."""
        rate, cardinalities = self._rate, self._cardinalities
        draws = self._take(len(cardinalities), rng)
        hit = [i for i, u in enumerate(draws) if u < rate and cardinalities[i] > 1]
        genes = list(architecture.genes)
        if not hit:
            free = [i for i, c in enumerate(cardinalities) if c > 1]
            if not free:
                return architecture
            hit = [free[int(self._take(1, rng)[0] * len(free))]]
            draws[hit[0]] = self._take(1, rng)[0] * rate
        for i in hit:  # u / rate is uniform again, given that u < rate
            others = cardinalities[i] - 1
            genes[i] = (genes[i] + 1 + min(others - 1, int(draws[i] / rate * others))) % cardinalities[i]
        return Architecture(self._name, tuple(genes))


class Candidates:
    """A source of architectures: valid, canonical, within the cheap constraints, each returned only once.

    Every method returns None only when no new (feasible) architecture is left. Raises `InfeasibleError` when no
    architecture meets the constraints, `SamplingError` when valid ones are too rare to draw and the space is too
    large to enumerate.
    """

    TRIES = 50  # variation attempts before a random architecture
    RANDOM_TRIES = 200
    DRAWS = 2 * DRAWS  # random draws of genes for one architecture, where few are valid
    PEEKED = 50_000  # random draws for one `peek`

    def __init__(
        self, problem: Problem, rng: np.random.Generator, seen: set[Architecture] | None = None
    ) -> None:
        """`seen` (shared, not copied) holds the architectures already returned."""
        self._problem = problem
        self._space = problem.space
        self._rng = rng
        self._seen: set[Architecture] = set() if seen is None else seen
        space = problem.space
        own = isinstance(space, HasVariation)
        self.variation: HasVariation = space if own else IntegerVariation(space.name, space.cardinalities)  # type: ignore[assignment]
        self._rest: Iterator[Architecture] | None = None
        slow = problem.has_cheap_limits and problem.slow_costs
        self._estimate = CostEstimate(problem) if slow else None
        self._exact_calls = affordable(EXACT_CALLS, self._cost_seconds(), _EXACT_S, _FEWEST)
        self._exact_left: float = self._exact_calls
        self._quick = slow and problem.has_quick_limits
        self._screened = 0
        self._unlikely: SamplingError | None = None  # the error that `sample` raised

    @property
    def seen(self) -> set[Architecture]:
        """All architectures returned or marked so far (canonical)."""
        return self._seen

    def begin(self) -> None:
        """Start a proposal with its own number of exact evaluations of slow costs; `peek` and the proposing methods call it."""
        self._exact_left = self._exact_calls

    def _cost_seconds(self) -> float:
        return self._problem.cost_seconds if self._estimate is not None else 0.0

    def accept(self, architecture: Architecture) -> Architecture | None:
        """Mark and return the canonical form if it is new, valid and within the cheap constraints; else None."""
        canonical = self.check(architecture)
        if canonical is not None:
            self._seen.add(canonical)
        return canonical

    def check(self, architecture: Architecture) -> Architecture | None:
        """Return the canonical form if it is new, valid and within the cheap constraints; else None."""
        check_time()
        if not self._space.is_valid(architecture):
            return None
        canonical = self._space.canonical(architecture)
        return canonical if canonical not in self._seen and self._meets_limits(canonical) else None

    def _meets_limits(self, canonical: Architecture) -> bool:
        """Whether the cheap constraints hold exactly.

        With slow costs, False for most candidates that the estimate rejects, and once the exact values of a
        proposal are used up.
        """
        if self._quick_violation(canonical) > 0:
            return False
        if self._estimate is None or canonical in self._estimate:
            return self._problem.cheap_violation(canonical) == 0
        if self._violation(canonical) > 0:
            self._screened += 1
            if self._screened % _SCREENED:  # every tenth is checked all the same
                return False
        if self._exact_left <= 0:
            return False
        return self._exact_violation(canonical) == 0

    def _quick_violation(self, canonical: Architecture) -> float:
        """Violation of the limits on the space's own costs, if these are computed much faster than the other cheap values; else 0."""
        if not self._quick:
            return 0.0
        self._exact_left -= self._problem.own_cost_share
        return self._problem.quick_violation(canonical)

    def _exact_violation(self, canonical: Architecture) -> float:
        if self._estimate is not None and canonical not in self._estimate:
            over = self._quick_violation(canonical)
            if over > 0:
                return _FAR + over
            self._exact_left -= 1
            self._estimate.learn([canonical])
        return self._problem.cheap_violation(canonical)

    def _violation(self, canonical: Architecture) -> float:
        """Violation of the cheap constraints; estimated when costs are slow and enough of them are known."""
        if self._estimate is None:
            return self._problem.cheap_violation(canonical)
        if len(self._estimate) >= _LEARNED:
            return float(self._estimate.excess([canonical])[0])
        return self._exact_violation(canonical) if self._exact_left > 0 else math.inf

    def peek(self, n: int) -> list[Architecture]:
        """Draw up to n different new architectures at random without marking them as seen.

        Fewer when few draws are valid: at most `PEEKED` draws are made.
        """
        found: dict[Architecture, None] = {}
        self.begin()
        with suppress(TriesUsedUp, SamplingError), tries_at_most(self.PEEKED):
            for _ in range(2 * n):
                if len(found) == n:
                    break
                drawn = self.check(self._space.sample(self._rng))
                if drawn is not None:
                    found[drawn] = None
        return list(found)

    def offspring(self, first: Architecture, second: Architecture) -> Architecture | None:
        """A new child of two parents: crossover, then mutation."""
        cross, mutate, rng = self.variation.crossover, self.variation.mutate, self._rng
        return self._first_accepted(lambda: mutate(cross(first, second, rng), rng))

    def mutant(self, parent: Architecture) -> Architecture | None:
        """A new mutant of one parent."""
        return self._first_accepted(lambda: self.variation.mutate(parent, self._rng))

    def random(self) -> Architecture | None:
        """A new random architecture; under tight constraints found by descent on the violation."""
        self.begin()
        found = self._drawn() or self._unseen()
        if found is None and self._unlikely is not None and not self._walkable():
            raise self._unlikely
        return found

    def _drawn(self) -> Architecture | None:
        """A new architecture by random draws or by descent from them."""
        if self._unlikely is not None and self._walkable():
            return None
        # where few exact values of slow costs may be computed at once, several rounds, in which the estimate learns
        rounds = 1 if self._estimate is None or self._walkable() else _ROUNDS
        for _ in range(rounds):
            found = self._drawn_once()
            if found is not None or self._unlikely is not None:
                return found
            self.begin()
        return None

    def _drawn_once(self) -> Architecture | None:
        try:
            with tries_at_most(self.DRAWS):
                for _ in range(self.RANDOM_TRIES):
                    found = self.accept(self._space.sample(self._rng))
                    if found is not None:
                        return found
                return self._descend()
        except TriesUsedUp:
            check_tries()
        except SamplingError as error:
            self._unlikely = error
        return None

    def _first_accepted(self, draw: Callable[[], Architecture]) -> Architecture | None:
        self.begin()
        for _ in range(self.TRIES):
            found = self.accept(draw())
            if found is not None:
                return found
        return self.random()

    def _descend(self, restarts: int = 10, steps: int = 200) -> Architecture | None:
        """Mutate random architectures to reduce the violation; accept the first new feasible one."""
        problem, rng = self._problem, self._rng
        if not problem.has_cheap_limits:
            return None
        closest, least = None, math.inf
        self._exact_left = _DESCENDED * self._exact_calls
        for _ in range(restarts):
            current = self._space.canonical(self._space.sample(rng))
            violation = self._exact_violation(current)
            for _ in range(steps):
                if violation == 0:
                    found = self.accept(current)
                    if found is not None:
                        return found
                if self._exact_left <= 0:
                    break
                trial = self._mutated(current)
                if trial is None:
                    continue
                broken = self._exact_violation(trial)
                if broken <= violation:
                    current, violation = trial, broken
            if violation < least:
                closest, least = current, violation
        if least > 0 and closest is not None and not self._seen:
            # those that were computed: beyond a quick limit the others may fail
            values = problem.cheap.quick_values(closest) if least >= _FAR else problem.cheap_values(closest)
            nearest = ", ".join(
                f"{x.objective} = {exact(values[x.objective])}"
                for x in problem.all_limits
                if x.objective in values
            )
            known = problem.requirements and least < _FAR
            why = f" and violates: {problem.why_excluded(closest)}" if known else ""
            raise problem.infeasible(
                f"no architecture of space {self._space.name!r} was found that meets them; the nearest had {nearest}{why}"
            )
        return None

    def _mutated(self, current: Architecture) -> Architecture | None:
        """A valid mutant; where costs are slow, of some the one that breaks the limits least: by the space's own costs, then by the estimate."""
        if self._estimate is None:
            mutant = self.variation.mutate(current, self._rng)
            return self._space.canonical(mutant) if self._space.is_valid(mutant) else None
        number = _GUESSED
        if self._quick:  # fewer where the space's own costs are not that quick
            number = max(1, min(number, int(_QUICK_SHARE / max(self._problem.own_cost_share, 1e-9))))
        drawn = [self.variation.mutate(current, self._rng) for _ in range(number)]
        new = {self._space.canonical(a): None for a in drawn if self._space.is_valid(a)}
        mutants = [a for a in new if a not in self._estimate]
        if self._quick and mutants:
            over = [self._quick_violation(a) for a in mutants]
            least = min(over)
            mutants = [a for a, value in zip(mutants, over, strict=True) if value == least]
            if least > 0:
                return mutants[0]
        if not mutants:
            return None
        if not len(self._estimate):
            return mutants[0]
        return mutants[int(np.argmin(self._estimate.excess(mutants)))]

    def _unseen(self) -> Architecture | None:
        """The next unseen architecture, in order, of a space small enough to enumerate."""
        if self._rest is None:
            self._rest = self._walk()
        estimate, self._estimate = self._estimate, None  # architectures skipped here are not proposed again
        try:
            return next(filter(None, map(self.accept, self._rest)), None)
        finally:
            self._estimate = estimate

    def _walk(self) -> Iterator[Architecture]:
        space = self._space
        if not self._walkable():
            return iter(())
        if self._listed():
            assert isinstance(space, HasEnumeration)
            return space.enumerate()
        return (Architecture(space.name, genes) for genes in itertools.product(*allowed_genes(space)))

    def _walkable(self) -> bool:
        most = MAX_ENUMERATED
        if self._estimate is not None:
            most = affordable(_WALKED_SLOWLY, self._cost_seconds(), _WALKED_S, _FEWEST_WALKED)
        return self._listed() or math.prod(map(len, allowed_genes(self._space))) <= most

    def _listed(self) -> bool:
        space = self._space
        return isinstance(space, HasEnumeration) and (space.size or math.inf) <= MAX_ENUMERATED // 20
