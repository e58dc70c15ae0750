"""The state of a search and its settings, shared by the loop and callbacks, and the seed of each trial."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nas.core.checks import check_fraction, check_positive, check_seconds, check_whole
from nas.core.errors import ConfigError
from nas.core.plugins import make
from nas.core.problem import Problem
from nas.core.records import Note, Result, Status, Trial, WorkerState
from nas.core.rungs import Rule
from nas.engine.expected import ExpectedFront, LiveExpectation
from nas.engine.fidelity import Rungs
from nas.engine.in_flight import SPREAD, default_concurrency, expected_utilisation
from nas.pareto.archive import ParetoArchive
from nas.runs.fold import Fold

if TYPE_CHECKING:
    from nas.training.halving import Halving

# A decorator: NumPy's defaults for our arithmetic, where code of the user has set np.seterr(all="raise").
numerics = np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")


@dataclass(frozen=True)
class LoopSettings:
    """The budget and order of a search.

    evaluations: trials to spend (those that violate a cheap limit cost none); None only for a `nas.Study`. seconds: time
    limit for asking (None: none); it also ends a running ask, unless its code never checks the clock
    (`nas.core.bounds.check_time`). at_least: evaluations before `seconds` applies, so that a slow machine still gives
    results; `evaluations` remains the maximum. quiet_s: seconds without a result after which a warning names the running
    trials (None: ten times the median trial, at least five minutes). concurrency: the *logical* number of running trials
    (None: chosen from the number of workers when the run starts, and recorded; see `nas.engine.in_flight`).
    With `ordered`, results are told in the order of asking, so the outcome depends only on the seed and this number, not on
    the number and speed of workers; unordered, a free worker gets the next trial at once.
    fidelity: the budget of each trial (epochs, for trained networks); None for the evaluator's default.
    halving: instead, rungs of budgets that new architectures climb (`nas.training.Halving`, or a mapping of its
    settings); each continuation is a trial and an evaluation.
    max_failures: a larger share of failed candidates (among the last 20 told, at least 10) stops the search.
    """

    evaluations: int | None = 100
    seconds: float | None = None
    at_least: int = 0
    quiet_s: float | None = None
    seed: int = 0
    concurrency: int | None = None
    ordered: bool = True
    fidelity: float | None = None
    halving: Halving | None = None
    max_failures: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "halving", halving_of(self.halving))
        if self.evaluations is not None:
            check_whole("evaluations", self.evaluations)
        if self.concurrency is not None:
            check_whole("concurrency", self.concurrency)
        check_whole("at_least", self.at_least, 0)
        check_fraction("max_failures", self.max_failures)
        for name, seconds in (("seconds", self.seconds), ("quiet_s", self.quiet_s)):
            if seconds is not None:
                check_seconds(name, seconds)
        if self.fidelity is not None:
            check_positive("fidelity", self.fidelity)
            if self.halving is not None:
                raise ConfigError(
                    f"fidelity: halving sets the budget of each trial; set only one of them, got {self.fidelity!r}"
                )
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed: expected a whole number from 0 to 2**63 - 1, got {self.seed!r}")

    @property
    def in_flight(self) -> int:
        """`concurrency`, or its default for an unknown number of workers."""
        return self.concurrency or default_concurrency()


def utilisation_line(settings: LoopSettings, workers: int) -> str:
    """The trials in flight and the expected utilisation of the workers, with its assumption, for the log and the screen."""
    share = expected_utilisation(
        workers, settings.in_flight if settings.ordered else None, settings.evaluations or 0
    )
    flight = f"concurrency {settings.in_flight}" if settings.ordered else "unordered"
    return (
        f"{flight} on {workers} workers: expected utilisation {share:.0%}, "
        f"if the slowest training takes {SPREAD:g} times as long as the fastest (log-uniform)"
    )


def halving_of(given: object) -> Halving | None:
    """The rungs of budgets, also from a mapping of their settings. Raises `ConfigError` for anything else."""
    from nas.training.halving import Halving

    if isinstance(given, Mapping):
        return make("halving", Halving, given, "settings")  # type: ignore[no-any-return]
    if given is None or isinstance(given, Halving):
        return given
    raise ConfigError(
        f"halving: expected nas.training.Halving, or a mapping such as {{'first': 1, 'last': 9, 'eta': 3}}, got {given!r:.200}"
    )


@dataclass
class SearchState:
    """The state of a search, passed to callbacks. Only the loop writes to it; see `request_stop`."""

    problem: Problem
    settings: LoopSettings
    results: list[Result] = field(default_factory=list)  # in the order of telling
    asked: int = 0
    arrived: int = 0
    counts: Counter[Status] = field(default_factory=Counter)
    in_flight: Mapping[int, Trial] = field(default_factory=dict)  # submitted, without a result, by number
    workers: Callable[[], Sequence[WorkerState]] = tuple  # state of each worker; empty if unknown
    clock: Callable[[], float] = time.monotonic  # the search's time in seconds
    started: float = field(init=False)
    earlier_seconds: float = 0.0  # time of earlier sessions of a resumed run
    replayed: int = 0  # evaluations of earlier sessions of a resumed run
    initial: int = 2  # size of the algorithm's initial design
    imported: tuple[Result, ...] = ()  # results of a warm start: trials with negative numbers
    exhausted: bool = False
    silence: str = ""  # running trials during a long silence (see `nas.engine.silence`)
    stopped_by: str = ""  # reason for ending before the budget is spent; "" otherwise
    out: Path | None = None  # the run's folder
    rule: Rule | None = None  # of several budgets
    rungs: Rungs = field(init=False)  # continuations at higher budgets

    def __post_init__(self) -> None:
        self.started = self.clock()
        self.rungs = Rungs(self.settings.fidelity, self.rule)
        self._fold: Fold[Result] = Fold(self.problem.objectives, self.problem.limits)
        self._in_front = 0  # number of results that the front has processed
        self._expectation = LiveExpectation(self.problem, self.imported, self.results)
        self._expected: tuple[ExpectedFront, ParetoArchive[Result]] | None = None
        self._notes: dict[tuple[int, str, str], Note] = {}
        self._newest: dict[tuple[str, str], Note] = {}  # by kind and objective
        self._take_in(self.imported)

    @property
    def front(self) -> ParetoArchive[Result]:
        """The feasible non-dominated results, minimised; updated on access.

        Includes those of a warm start. With several budgets only results of the highest count, once a feasible one is
        known; an architecture measured repeatedly at the same budget has the mean objectives, and its last result.
        Where an objective is noisy, the points have its expected values, and these decide which results are there (see
        `expected`); the items have the measured ones.
        """
        found = self.expected
        if found is not None:
            if self._expected is None or self._expected[0] is not found:
                self._expected = found, found.archive
            return self._expected[1]
        self._take_in(self.results[self._in_front :])
        self._in_front = len(self.results)
        return self._fold.front.archive

    @property
    @numerics
    def expected(self) -> ExpectedFront | None:
        """Estimates of noisy objectives; None without such an objective, or without a result.

        They follow from the first `expected.results` results, those of a warm start included: from all of them up to forty and at the
        end of the search, else from all but the last few (5%).
        """
        return self._expectation.front

    @numerics
    def settle_expected(self) -> ExpectedFront | None:
        """Estimate from all results, when the search ends."""
        return self._expectation.settle()

    def _take_in(self, results: Sequence[Result]) -> None:
        for result in results:
            seen, trial = self.problem.observe(result), result.trial
            if seen.ok:
                self._fold.put(trial.architecture, trial.budget, seen.objectives, result)

    @property
    def notes(self) -> list[Note]:
        """The algorithm's notes, earlier sessions included, in order of first appearance."""
        return list(self._notes.values())

    def take_notes(self, notes: Iterable[Note]) -> None:
        """Store notes; a note replaces an earlier one with the same key."""
        for note in notes:
            self._notes[note.key] = note
            self._newest[note.key[1:]] = note

    def newest(self, kind: str) -> list[Note]:
        """The last note of this kind for each objective."""
        return [note for (of, _), note in list(self._newest.items()) if of == kind]

    @property
    def running(self) -> int:
        """Number of submitted trials without a result, including those that wait for a worker."""
        return len(self.in_flight)

    @property
    def evaluated(self) -> int:
        """Number of trials told after a worker returned them, failures included."""
        return len(self.results) - self.counts[Status.INVALID]

    @property
    def failed(self) -> int:
        """Number of trials that returned without a value."""
        return self.evaluated - self.counts[Status.OK]

    def request_stop(self, reason: str = "") -> None:
        """End the search as at a time limit: nothing new is asked, and running trials are awaited.

        The only change of the state that callbacks may make. The run is ``finished``, with the first reason given in its
        summary. Raises `ConfigError` when the reason is not a text.
        """
        if not isinstance(reason, str):
            raise ConfigError(f"request_stop: expected a reason as text, got {type(reason).__name__}")
        if not self.stopped_by:
            self.stopped_by = f"callback: {' '.join(reason.split())[:500] or 'asked to stop'}"

    @property
    def seconds(self) -> float:
        """Time of the search so far in seconds, earlier sessions included."""
        return self.earlier_seconds + self.clock() - self.started


def trial_seed(seed: int, number: int) -> int:
    """The seed of a trial, 31 bits, from the run's seed and the trial's number (splitmix64, Steele et al. 2014)."""
    mask = (1 << 64) - 1
    z = (seed * 0xD1342543DE82EF95 + (number + 1) * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return (z ^ (z >> 31)) >> 33
