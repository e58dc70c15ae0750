"""New candidates for any algorithm: valid, canonical, within cheap limits, and never the same one twice."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np

from nas.core.bounds import DRAWS, SamplingError, TriesUsedUp, check_time, check_tries, tries_at_most
from nas.core.cost_estimate import CostEstimate
from nas.core.errors import InfeasibleError
from nas.core.problem import Problem
from nas.core.records import Architecture
from nas.core.space import HasEnumeration, HasVariation

EXACT_CALLS = 50  # exact values that one proposal may ask for where costs are slow
_LEARNED = 20  # exact values from which they are estimated
_SCREENED = (
    10  # candidates of which the estimate says that they break a limit, for each that is looked at exactly
)
MAX_ENUMERATED = 2_000_000  # gene combinations that are walked through to find the last unseen ones


class IntegerVariation:
    """Uniform crossover and per-gene mutation for spaces without variation of their own.

    A mutated gene takes another of its values with equal probability; each gene mutates with probability
    1/d, and at least one does when parents are equal. Random numbers are drawn in blocks, because a call
    for each would cost more than all the rest of an offspring.
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
        """Each gene from either parent with equal probability."""
        coin = self._take(len(self._cardinalities), rng)
        genes = zip(first.genes, second.genes, coin, strict=True)
        return Architecture(self._name, tuple([a if u < 0.5 else b for a, b, u in genes]))

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """Change each gene with probability 1/d, and one when none was drawn."""
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
    """A source of architectures that are valid, canonical, within cheap limits and never handed out twice.

    Every method returns None only when nothing new is left in the space (or none can be found that meets
    the limits). Raises `InfeasibleError` when no architecture at all meets the limits, and `SamplingError` when valid
    ones are too rare to be drawn in a space too large to be walked through.
    """

    TRIES = 50  # variation attempts before a random newcomer
    RANDOM_TRIES = 200
    DRAWS = 2 * DRAWS  # random draws of genes for one newcomer, where few are valid
    PEEKED = 50_000  # and for a look at many

    def __init__(
        self, problem: Problem, rng: np.random.Generator, seen: set[Architecture] | None = None
    ) -> None:
        """`seen` (shared, not copied) are architectures handed out before."""
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
        self._exact_left = EXACT_CALLS
        self._screened = 0
        self._unlikely: SamplingError | None = None  # what `sample` raised

    @property
    def seen(self) -> set[Architecture]:
        """Everything handed out or marked so far (canonical)."""
        return self._seen

    def accept(self, architecture: Architecture) -> Architecture | None:
        """The canonical form, now marked as seen, if it is new, valid and within cheap limits; else None."""
        canonical = self.check(architecture)
        if canonical is not None:
            self._seen.add(canonical)
        return canonical

    def check(self, architecture: Architecture) -> Architecture | None:
        """The canonical form if it could be asked for: new, valid and within cheap limits; else None."""
        check_time()
        if not self._space.is_valid(architecture):
            return None
        canonical = self._space.canonical(architecture)
        return canonical if canonical not in self._seen and self._meets_limits(canonical) else None

    def _meets_limits(self, canonical: Architecture) -> bool:
        """Whether the cheap limits hold, exactly. Where costs are slow, not asked of most of which the estimate says no.

        Nor of anything when a proposal has used up its exact values.
        """
        if self._estimate is None:
            return self._problem.cheap_violation(canonical) == 0
        if self._violation(canonical) > 0:
            self._screened += 1
            if self._screened % _SCREENED:  # now and then the estimate is not believed
                return False
        if self._exact_left <= 0:
            return False
        return self._exact_violation(canonical) == 0

    def _exact_violation(self, canonical: Architecture) -> float:
        if self._estimate is not None:
            self._exact_left -= canonical not in self._estimate
            self._estimate.learn([canonical])
        return self._problem.cheap_violation(canonical)

    def _violation(self, canonical: Architecture) -> float:
        """How far the cheap limits are broken; estimated where costs are slow and enough of them known."""
        if self._estimate is None:
            return self._problem.cheap_violation(canonical)
        if len(self._estimate) >= _LEARNED:
            return self._problem.cheap_excess(self._estimate([canonical])[0])
        return self._exact_violation(canonical) if self._exact_left > 0 else math.inf

    def peek(self, n: int) -> list[Architecture]:
        """Up to n different architectures that could be asked for, drawn at random; none is marked as seen.

        Fewer where few draws are valid: all of them together take at most `PEEKED`.
        """
        found: dict[Architecture, None] = {}
        self._exact_left = EXACT_CALLS
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
        """A new random architecture; under tight limits found by descent on the violation."""
        self._exact_left = EXACT_CALLS
        found = self._drawn() or self._unseen()
        if found is None and self._unlikely is not None and not self._walkable():
            raise self._unlikely
        return found

    def _drawn(self) -> Architecture | None:
        """A new one among random ones, or by descent from them."""
        if self._unlikely is not None and self._walkable():
            return None
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
        self._exact_left = EXACT_CALLS
        for _ in range(self.TRIES):
            found = self.accept(draw())
            if found is not None:
                return found
        return self.random()

    def _descend(self, restarts: int = 10, steps: int = 200) -> Architecture | None:
        """Mutate random architectures towards meeting the limits; keep what is new."""
        problem, rng = self._problem, self._rng
        if not any(limit.objective not in problem.measured for limit in problem.limits):
            return None
        closest, least = None, math.inf
        for _ in range(restarts):
            current = self._space.canonical(self._space.sample(rng))
            violation = self._violation(current)
            for _ in range(steps):
                if violation == 0:
                    found = self.accept(current)
                    if found is not None:
                        return found
                trial = self.variation.mutate(current, rng)
                if not self._space.is_valid(trial):
                    continue
                trial = self._space.canonical(trial)
                broken = self._violation(trial)
                if broken <= violation:
                    current, violation = trial, broken
            if violation < least:
                closest, least = current, violation
        if least > 0 and closest is not None and not self._seen:
            values = problem.cheap_values(closest)
            nearest = ", ".join(
                f"{x.objective} = {values[x.objective]:g}" for x in problem.limits if x.objective in values
            )
            raise InfeasibleError(
                f"limits {'; '.join(map(str, problem.limits))}: no architecture of space "
                f"{self._space.name!r} was found that meets them; the nearest had {nearest}. Loosen the limit."
            )
        return None

    def _unseen(self) -> Architecture | None:
        """The next of what is left, in order, in a space small enough to walk through."""
        if self._rest is None:
            self._rest = self._walk()
        for architecture in self._rest:
            found = self.accept(architecture)
            if found is not None:
                return found
        return None

    def _walk(self) -> Iterator[Architecture]:
        space = self._space
        if not self._walkable():
            return iter(())
        if self._listed():
            assert isinstance(space, HasEnumeration)
            return space.enumerate()
        ranges = [range(c) for c in space.cardinalities]
        return (Architecture(space.name, genes) for genes in itertools.product(*ranges))

    def _walkable(self) -> bool:
        return self._listed() or math.prod(self._space.cardinalities) <= MAX_ENUMERATED

    def _listed(self) -> bool:
        space = self._space
        return isinstance(space, HasEnumeration) and (space.size or math.inf) <= MAX_ENUMERATED // 20


def without_cheap_limits(problem: Problem) -> Problem:
    """The same problem without its limits on cheap objectives."""
    limits = [limit for limit in problem.limits if limit.objective in problem.measured]
    return Problem(problem.space, problem.objectives, problem.evaluate, limits, problem.task)
