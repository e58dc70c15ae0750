"""Where a search stands, how far it may go, and the seed of each trial: what the loop works on and callbacks see."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nas.core.checks import check_fraction, check_positive
from nas.core.errors import ConfigError
from nas.core.problem import Problem
from nas.core.records import Note, Result, Status, Trial, WorkerState
from nas.engine.fidelity import Rungs
from nas.pareto.archive import ParetoArchive
from nas.runs.fold import Fold

if TYPE_CHECKING:
    from nas.training.halving import Halving

# A decorator: NumPy's defaults for our arithmetic, where code of the user has set np.seterr(all="raise").
numerics = np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")


@dataclass(frozen=True)
class LoopSettings:
    """How far and in which order a search goes.

    evaluations: trials to spend (those that break a cheap limit cost none); None only for a `nas.Study`. seconds: ask no
    more after so long (None: no limit); an ask that is under way then ends too, unless it is in code that never looks at
    the clock (`nas.core.bounds.check_time`). at_least: evaluations that are made before `seconds` counts, so that a busy machine
    still gives a search; `evaluations` stays the ceiling. quiet_s: seconds without any result after which a warning
    names what is running (None: ten times the median trial, at least five minutes). concurrency: the *logical* number
    of trials under way; with `ordered` results are
    told in the order of asking, so the outcome depends on the seed and on this number alone, not on how many
    workers there are or which is fast. Unordered, a free worker gets the next trial at once.
    fidelity: the budget of each trial (epochs, for networks that are trained); None for the evaluator's default.
    halving: instead, the rungs of budgets that new architectures climb (`nas.training.Halving`); each continuation
    is a trial and an evaluation of its own.
    max_failures: a larger share of failed candidates (among the last 20 told, at least 10) stops the search.
    """

    evaluations: int | None = 100
    seconds: float | None = None
    at_least: int = 0
    quiet_s: float | None = None
    seed: int = 0
    concurrency: int = 8
    ordered: bool = True
    fidelity: float | None = None
    halving: Halving | None = None
    max_failures: float = 0.5

    def __post_init__(self) -> None:
        for name, count in (("evaluations", self.evaluations), ("concurrency", self.concurrency)):
            if count is None and name == "evaluations":
                continue
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise ConfigError(f"{name}: expected a whole number of at least 1, got {count!r}")
        if isinstance(self.at_least, bool) or not isinstance(self.at_least, int) or self.at_least < 0:
            raise ConfigError(f"at_least: expected a whole number of at least 0, got {self.at_least!r}")
        check_fraction("max_failures", self.max_failures)
        for name, seconds in (("seconds", self.seconds), ("quiet_s", self.quiet_s)):
            if seconds is not None:
                check_positive(name, seconds)
        if self.fidelity is not None:
            check_positive("fidelity", self.fidelity)
            if self.halving is not None:
                raise ConfigError(
                    f"fidelity: halving gives each trial its budget; leave out one of the two, got {self.fidelity!r}"
                )
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed: expected a whole number from 0 to 2**63 - 1, got {self.seed!r}")


@dataclass
class SearchState:
    """Where a search stands; what callbacks are given. Only the loop writes to it; see `request_stop`."""

    problem: Problem
    settings: LoopSettings
    results: list[Result] = field(default_factory=list)  # told so far, in the order of telling
    asked: int = 0
    arrived: int = 0
    counts: Counter[Status] = field(default_factory=Counter)
    in_flight: Mapping[int, Trial] = field(default_factory=dict)  # handed out, no result yet, by number
    workers: Callable[[], Sequence[WorkerState]] = tuple  # what each does now; none where nobody can tell
    clock: Callable[[], float] = time.monotonic  # what counts as the time of the search, in seconds
    started: float = field(init=False)
    earlier_seconds: float = 0.0  # spent before this session of a resumed run
    replayed: int = 0  # evaluations that an earlier session of a resumed run made
    initial: int = 2  # size of the algorithm's initial design
    imported: tuple[Result, ...] = ()  # what a warm start brought: trials with negative numbers
    exhausted: bool = False
    silence: str = ""  # what runs, where no result has arrived for long (see `nas.engine.silence`)
    stopped_by: str = ""  # why the search ends before its budget is spent; "" while it does not
    out: Path | None = None  # the run's folder
    rungs: Rungs = field(init=False)  # what is continued at a higher budget

    def __post_init__(self) -> None:
        self.started = self.clock()
        self.rungs = Rungs(self.settings.fidelity, self.settings.halving)
        self._fold: Fold[Result] = Fold(self.problem.objectives, self.problem.limits)
        self._in_front = 0  # how many results the front has taken in
        self._notes: dict[tuple[int, str, str], Note] = {}
        self._newest: dict[tuple[str, str], Note] = {}  # by kind and objective
        self._take_in(self.imported)

    @property
    def front(self) -> ParetoArchive[Result]:
        """The feasible non-dominated results, minimised; brought up to date when somebody looks.

        Those of a warm start are among them. Of an architecture that was continued at a higher budget, only the last
        result counts; one that was measured again at the same budget has the mean, and its last result.
        """
        self._take_in(self.results[self._in_front :])
        self._in_front = len(self.results)
        return self._fold.front.archive

    def _take_in(self, results: Sequence[Result]) -> None:
        for result in results:
            seen, trial = self.problem.observe(result), result.trial
            if seen.ok:
                self._fold.put(trial.architecture, trial.budget, seen.objectives, result)

    @property
    def notes(self) -> list[Note]:
        """What the algorithm put on record, earlier sessions included, in the order in which it first came."""
        return list(self._notes.values())

    def take_notes(self, notes: Iterable[Note]) -> None:
        """Keep notes; one with the key of an earlier one replaces it."""
        for note in notes:
            self._notes[note.key] = note
            self._newest[note.key[1:]] = note

    def newest(self, kind: str) -> list[Note]:
        """The last note of this kind on each objective."""
        return [note for (of, _), note in list(self._newest.items()) if of == kind]

    @property
    def running(self) -> int:
        """Trials that were handed out and have no result yet; some of them may wait for a worker."""
        return len(self.in_flight)

    @property
    def evaluated(self) -> int:
        """Trials that came back from a worker and were told, failed ones included."""
        return len(self.results) - self.counts[Status.INVALID]

    @property
    def failed(self) -> int:
        """Trials that came back without a value."""
        return self.evaluated - self.counts[Status.OK]

    def request_stop(self, reason: str = "") -> None:
        """Ask the search to end as at a time limit: nothing new is asked, and what runs is awaited.

        The one change of the state that callbacks may make. The run is ``finished``, with the reason in its summary; of
        several reasons the first counts. Raises `ConfigError` when the reason is not a text.
        """
        if not isinstance(reason, str):
            raise ConfigError(f"request_stop: expected a reason as text, got {type(reason).__name__}")
        if not self.stopped_by:
            self.stopped_by = f"callback: {' '.join(reason.split())[:500] or 'asked to stop'}"

    @property
    def seconds(self) -> float:
        """Time of the search so far, earlier sessions included."""
        return self.earlier_seconds + self.clock() - self.started


def trial_seed(seed: int, number: int) -> int:
    """A trial's own seed, 31 bits, from the run's seed and the trial's number (splitmix64, Steele et al. 2014)."""
    mask = (1 << 64) - 1
    z = (seed * 0xD1342543DE82EF95 + (number + 1) * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return (z ^ (z >> 31)) >> 33
