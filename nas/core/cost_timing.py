"""Cache of exact architecture costs, and their timing."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

import numpy as np

from nas.core.bounds import tries_at_most
from nas.core.records import Architecture
from nas.core.space import SearchSpace

SLOW_S = 1e-3  # seconds per architecture above which costs are estimated
KEPT = 50_000  # cached architectures; the oldest are dropped
_TIMED = 5  # architectures to time; the fastest counts, since the first call may load a package

_TIMING_S = 0.5  # after which two are enough


class Kept:
    """Cache of a function of an architecture, for the last `KEPT` architectures."""

    def __init__(self) -> None:
        # of a plain dict the oldest takes ever longer to find
        self._values: OrderedDict[Architecture, dict[str, float]] = OrderedDict()

    def get(
        self, architecture: Architecture, compute: Callable[[Architecture], dict[str, float]]
    ) -> dict[str, float]:
        """Return the values; the caller must not change them."""
        found = self._values.get(architecture)
        if found is None:
            found = compute(architecture)
            if len(self._values) >= KEPT:
                self._values.popitem(last=False)
            self._values[architecture] = found
        return found


def seconds_of(space: SearchSpace, function: Callable[[Architecture], object]) -> float:
    """Seconds of one call of `function`, the fastest of several architectures; 0 if timing fails."""
    rng, fastest = np.random.default_rng(0), np.inf
    try:
        with tries_at_most(10_000):
            for number in range(_TIMED):
                architecture = space.canonical(space.sample(rng))
                start = time.perf_counter()
                function(architecture)
                fastest = min(fastest, time.perf_counter() - start)
                if fastest < SLOW_S or number * fastest > _TIMING_S:
                    break
    except Exception:  # the error is raised, with its place, where the value is used
        return 0.0
    return float(fastest)
