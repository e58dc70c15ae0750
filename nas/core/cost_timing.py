"""Cache of exact architecture costs, and their timing."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from nas.core.bounds import tries_at_most
from nas.core.records import Architecture
from nas.core.space import SearchSpace

SLOW_S = 1e-3  # seconds an architecture above which costs are estimated
KEPT = 50_000  # cached architectures; the oldest are dropped
_TIMED = 5  # architectures to time; the fastest counts, since the first call may load a package


class Kept:
    """Cache of a function of an architecture, for the last `KEPT` architectures."""

    def __init__(self) -> None:
        self._values: dict[Architecture, dict[str, float]] = {}

    def get(
        self, architecture: Architecture, compute: Callable[[Architecture], dict[str, float]]
    ) -> dict[str, float]:
        """Return the values; the caller must not change them."""
        found = self._values.get(architecture)
        if found is None:
            found = compute(architecture)
            if len(self._values) >= KEPT:
                self._values.pop(next(iter(self._values)), None)
            self._values[architecture] = found
        return found


def seconds_of(space: SearchSpace, function: Callable[[Architecture], object]) -> float:
    """Seconds of one call of `function`, the fastest of several architectures; 0 if timing fails."""
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
    except Exception:  # the error is raised, with its place, where the value is used
        return 0.0
    return float(fastest)
