"""Exact costs of architectures: their cache, their failures and their timing."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from nas.core.bounds import tries_at_most
from nas.core.errors import ConfigError
from nas.core.records import Architecture
from nas.core.space import SearchSpace

_LOG = logging.getLogger(__name__)
SLOW_S = 1e-3  # seconds per architecture above which costs are estimated,
ALL_S = 1.0  # unless those of all vectors of genes take less than this
KEPT = 50_000  # cached architectures; the oldest are dropped
_TIMED = 5  # architectures to time; the fastest counts, since the first call may load a package

_TIMING_S = 0.5  # after which two are enough


Values = TypeVar("Values")


class Kept(Generic[Values]):
    """Cache of a function of an architecture, for the last `KEPT` architectures."""

    def __init__(self) -> None:
        self.computed = 0
        # of a plain dict the oldest takes ever longer to find
        self._values: OrderedDict[Architecture, Values] = OrderedDict()

    def get(self, architecture: Architecture, compute: Callable[[Architecture], Values]) -> Values:
        """Return the values; the caller must not change them."""
        found = self._values.get(architecture)
        if found is None:
            found = compute(architecture)
            self.computed += 1
            if len(self._values) >= KEPT:
                self._values.popitem(last=False)
            self._values[architecture] = found
        return found


class CostFailed(ConfigError):
    """The user's function of an exact objective fails for one architecture; `kind` is a short reason, the same for all such failures."""

    def __init__(self, message: str, kind: str = "its exact values cannot be computed") -> None:
        super().__init__(message)
        self.kind = kind


class Failing:
    """Architectures whose exact objectives cannot be computed, with the reasons. They are invalid for the search."""

    FIRST = 10  # architectures; if all of them fail, so does the search
    MOST = 40  # architectures from which on it fails if more than half of them do

    def __init__(self) -> None:
        self.reasons: dict[Architecture, str] = {}
        self.kinds: Counter[str] = Counter()  # number of architectures by short reason

    def add(self, space: SearchSpace, architecture: Architecture, error: CostFailed, computed: int) -> None:
        """Remember a failure, and log the first; `computed` are the architectures without one.

        Raises `ConfigError` when too many fail for their share of the space to be the cause.
        """
        self.reasons[architecture] = str(error)
        self.kinds[error.kind] += 1
        failed = len(self.reasons)
        few = min(self.FIRST, getattr(space, "size", None) or math.prod(map(int, space.cardinalities)))
        if (computed == 0 and failed >= few) or (failed > computed and failed + computed >= self.MOST):
            raise ConfigError(
                f"{error}; {failed} of {failed + computed} architectures fail. Correct the cause; if it is right to fail, "
                f"{EXCLUDE}"
            ) from error
        if failed == 1:
            _LOG.warning(
                "%s; the search leaves out this architecture, and others whose exact objectives fail (logged once): %s",
                *(error, EXCLUDE),
            )


def affordable(number: int, each: float, seconds: float, least: int) -> int:
    """`number` computations of `each` seconds, or as many as fit in `seconds`, at least `least`."""
    return number if number * each <= seconds else min(number, max(least, int(seconds / each)))


EXCLUDE = "exclude such architectures with space.forbid (in a SearchSpace by is_valid)"


def seconds_of(space: SearchSpace, function: Callable[[Architecture], object]) -> float:
    """Seconds of one call of `function`, the fastest of several architectures; of calls that fail where all do; 0 if timing fails."""
    rng = np.random.default_rng()  # other architectures each time, since a space may cache its costs
    fastest, failed = np.inf, np.inf
    timed: set[Architecture] = set()
    try:
        with tries_at_most(10_000):
            for number in range(_TIMED):
                architecture = space.canonical(space.sample(rng))
                if architecture in timed:  # its costs may be cached
                    continue
                timed.add(architecture)
                start = time.perf_counter()
                try:
                    function(architecture)
                    fastest = min(fastest, time.perf_counter() - start)
                except ConfigError:  # raised, with its place, where the value is used
                    failed = min(failed, time.perf_counter() - start)
                if fastest < SLOW_S or number * fastest > _TIMING_S:
                    break
    except Exception:  # the error is raised, with its place, where the value is used
        return 0.0
    found = fastest if np.isfinite(fastest) else failed
    return float(found) if np.isfinite(found) else 0.0
