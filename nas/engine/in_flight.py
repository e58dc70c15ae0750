"""The default number of trials in flight, and the share of the workers' time that it uses."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

LEAST = 8  # trials in flight, for few workers
PER_WORKER = 2  # measured by experiments/speed/idle_workers.py
PART = 3  # at most evaluations / PART, so that most proposals have results to learn from
SPREAD = 10.0  # longest training over shortest, in the expected utilisation
_DRAWS, _MOST = 20, 2_000  # simulated searches, and trials of one


def default_concurrency(workers: int | None = None, evaluations: int | None = None) -> int:
    """The number of trials in flight for this many workers and evaluations (None: unknown).

    Twice the workers, but at most a third of the evaluations if that is enough for one trial a worker; at least `LEAST`.
    """
    known = workers or 0
    wanted = PER_WORKER * known
    most = wanted if evaluations is None else max(known, evaluations // PART)
    return max(LEAST, min(wanted, most))


def used_share(seconds: Sequence[float], workers: int, concurrency: int | None) -> float:
    """Used share of the workers' time by trials of these durations, from the first start to the last end.

    Told in the order of asking, with `concurrency` trials in flight; None: unordered, so that no worker waits for a result.
    The last trials, which run on some workers only, are part of it.
    """
    free = [0.0] * min(workers, len(seconds))  # when each worker ends its last trial
    told: list[float] = []
    for number, duration in enumerate(seconds):
        asked = 0.0 if concurrency is None or number < concurrency else told[number - concurrency]
        end = max(free[0], asked) + duration
        heapq.heapreplace(free, end)
        told.append(max(end, told[-1]) if told else end)
    return sum(seconds) / (told[-1] * workers)


def expected_utilisation(workers: int, concurrency: int | None, evaluations: int) -> float:
    """Median of `used_share` over simulated searches, with durations drawn log-uniformly from 1 to `SPREAD`."""
    rng = np.random.default_rng(0)
    drawn = SPREAD ** rng.random((_DRAWS, min(max(evaluations, 1), _MOST)))
    return float(np.median([used_share(times.tolist(), workers, concurrency) for times in drawn]))
