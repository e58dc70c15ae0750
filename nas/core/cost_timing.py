"""Exact costs of architectures: kept once they are known, and timed once."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from nas.core.bounds import tries_at_most
from nas.core.records import Architecture
from nas.core.space import SearchSpace

SLOW_S = 1e-3  # seconds an architecture from which costs are estimated
KEPT = 50_000  # architectures whose values are kept; the oldest go
_TIMED = 5  # architectures at most, of which the fastest counts: the first call may load a package


class Kept:
    """Values of a function of an architecture, each computed once while it is among the last `KEPT`."""

    def __init__(self) -> None:
        self._values: dict[Architecture, dict[str, float]] = {}

    def get(
        self, architecture: Architecture, compute: Callable[[Architecture], dict[str, float]]
    ) -> dict[str, float]:
        """The values, which the caller must not change."""
        found = self._values.get(architecture)
        if found is None:
            found = compute(architecture)
            if len(self._values) >= KEPT:
                self._values.pop(next(iter(self._values)), None)
            self._values[architecture] = found
        return found


def seconds_of(space: SearchSpace, function: Callable[[Architecture], object]) -> float:
    """Seconds that a function takes an architecture: of some, the fastest; 0 where that cannot be found out."""
    rng, fastest = np.random.default_rng(0), np.inf
    try:
        with tries_at_most(10_000):
            for _ in range(_TIMED):
                architecture = space.canonical(space.sample(rng))
                start = time.perf_counter()
                function(architecture)
                fastest = min(fastest, time.perf_counter() - start)
                if fastest < SLOW_S:
                    break
    except Exception:  # whatever it is, it is raised where it matters, with its place
        return 0.0
    return float(fastest)
