"""The search loop: ask, evaluate, tell, until the budget is spent. It knows no algorithm and no executor by name."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from nas.checks import check_fraction, check_positive
from nas.errors import ConfigError, HistoryError, TooManyFailures
from nas.front import ParetoArchive
from nas.history import History
from nas.interfaces import Algorithm, Executor
from nas.problem import Problem
from nas.records import Architecture, Observation, Result, Status, Trial


@dataclass(frozen=True)
class LoopSettings:
    """How far and in which order a search goes.

    evaluations: trials to spend (those that break a cheap limit cost none). seconds: ask no more after so
    long (None: no limit). concurrency: the *logical* number of trials under way; with `ordered` results are
    told in the order of asking, so the outcome depends on the seed and on this number alone, not on how many
    workers there are or which is fast. Unordered, a free worker gets the next trial at once.
    fidelity: the budget of each trial (epochs, for networks that are trained); None for the evaluator's default.
    max_failures: the share of failed candidates (of the last 20 told, at least 10) at which the search stops.
    """

    evaluations: int = 100
    seconds: float | None = None
    seed: int = 0
    concurrency: int = 8
    ordered: bool = True
    fidelity: float | None = None
    max_failures: float = 0.5

    def __post_init__(self) -> None:
        check_positive("evaluations", self.evaluations)
        check_positive("concurrency", self.concurrency)
        check_fraction("max_failures", self.max_failures)
        if self.seconds is not None:
            check_positive("seconds", self.seconds)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed: expected a whole number from 0 to 2**63 - 1, got {self.seed!r}")


@dataclass
class SearchState:
    """Where a search stands; what callbacks are given. Only the loop writes to it."""

    problem: Problem
    settings: LoopSettings
    results: list[Result] = field(default_factory=list)  # told so far, in the order of telling
    front: ParetoArchive[Result] = field(init=False)  # feasible and non-dominated, minimised
    asked: int = 0
    arrived: int = 0
    counts: Counter[Status] = field(default_factory=Counter)
    running: int = 0
    started: float = field(default_factory=time.monotonic)
    earlier_seconds: float = 0.0  # spent before this session of a resumed run
    replayed: int = 0  # evaluations that an earlier session of a resumed run made
    initial: int = 2  # size of the algorithm's initial design
    exhausted: bool = False

    def __post_init__(self) -> None:
        self.front = ParetoArchive(self.problem.n_objectives)

    @property
    def evaluated(self) -> int:
        """Trials that came back from a worker and were told, failed ones included."""
        return len(self.results) - self.counts[Status.INVALID]

    @property
    def failed(self) -> int:
        """Trials that came back without a value."""
        return self.evaluated - self.counts[Status.OK]

    @property
    def seconds(self) -> float:
        """Wall-clock time of the search, earlier sessions included."""
        return self.earlier_seconds + time.monotonic() - self.started


Callback = Callable[[SearchState], None]


class Search:
    """One search under way: the loop's state and its steps."""

    POLL = 0.5  # seconds between callbacks while nothing finishes

    def __init__(
        self,
        problem: Problem,
        algorithm: Algorithm,
        executor: Executor,
        settings: LoopSettings,
        history: History | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self.state = SearchState(problem, settings, initial=max(2, algorithm.initial))
        self._problem = problem
        self._algorithm = algorithm
        self._executor = executor
        self._settings = settings
        self._history = history
        self._callbacks = callbacks
        self._arrived: dict[int, Result] = {}  # came back, not yet told
        self._next = 0  # the next id to tell, in ordered mode
        self._spent = 0  # evaluations asked for
        self._in_flight: dict[int, Trial] = {}

    def run(self) -> SearchState:
        """Search until the budget is spent or the space is exhausted.

        Raises `TooManyFailures`, and lets KeyboardInterrupt through; the state is whole in either case, and
        with a history the run can be resumed.
        """
        self._notify()
        while True:
            self._fill()
            if not self._in_flight and not self._arrived:
                return self.state
            if not self._tell_next():
                self._collect()

    def _fill(self) -> None:
        while self._wants_more():
            found = self._algorithm.ask(1)
            trial = self._trial(found[0]) if found else None
            if self._history is not None:
                self._history.record_ask(trial)
            if trial is None:
                self.state.exhausted = not self._in_flight and not self._arrived
                return
            self._start(trial)

    def _wants_more(self) -> bool:
        settings = self._settings
        if self._spent >= settings.evaluations:
            return False
        if settings.seconds is not None and self.state.seconds >= settings.seconds:
            return False
        if settings.ordered:
            return len(self._in_flight) + len(self._arrived) < settings.concurrency
        return self._executor.free > 0

    def _trial(self, architecture: Architecture) -> Trial:
        number = self.state.asked
        self.state.asked += 1
        return Trial(number, architecture, trial_seed(self._settings.seed, number), self._settings.fidelity)

    def _start(self, trial: Trial) -> None:
        """Hand a trial to the workers, unless a cheap limit rules it out."""
        violation = self._problem.cheap_violation(trial.architecture)
        if violation > 0:
            reason = f"breaks a limit before training (relative excess {violation:.3g})"
            self._accept(Result(trial, Status.INVALID, error=reason))
            return
        self._spent += 1
        self._in_flight[trial.id] = trial
        self._executor.submit(trial)
        self.state.running = len(self._in_flight)

    def _collect(self) -> None:
        results = self._executor.collect(self.POLL)
        for result in results:
            self._accept(self._with_cheap_values(result))
        if not results:
            self._notify()

    def _with_cheap_values(self, result: Result) -> Result:
        if result.status is not Status.OK or len(self._problem.measured) == self._problem.n_objectives:
            return result
        values = {**result.values, **self._problem.cheap_values(result.trial.architecture)}
        return replace(result, values=values)

    def _accept(self, result: Result) -> None:
        if self._history is not None:
            self._history.record_result(result)
        self._in_flight.pop(result.trial.id, None)
        self._arrived[result.trial.id] = result
        self.state.arrived += 1
        self.state.running = len(self._in_flight)

    def _tell_next(self) -> bool:
        """Tell one result that is due, if there is one."""
        if self._settings.ordered:
            result = self._arrived.pop(self._next, None)
        else:
            first = next(iter(self._arrived), None)
            result = None if first is None else self._arrived.pop(first)
        if result is None:
            return False
        self._tell(result)
        if self._history is not None:
            self._history.record_tell(result.trial.id, self.state.seconds)
        self._notify()
        self._stop_when_broken()
        return True

    def _tell(self, result: Result) -> None:
        seen = self._problem.observe(result)
        self._algorithm.tell([seen])
        self._count(result, seen)

    def _count(self, result: Result, seen: Observation) -> None:
        state = self.state
        state.results.append(result)
        state.counts[result.status] += 1
        self._next = result.trial.id + 1
        if seen.ok and seen.violation == 0:
            state.front.add(seen.objectives, result)

    def _notify(self) -> None:
        for callback in self._callbacks:
            callback(self.state)

    def _stop_when_broken(self) -> None:
        ended = [r for r in self.state.results[-40:] if r.status is not Status.INVALID][-20:]
        bad = [r for r in ended if not r.ok]
        if len(ended) < 10 or len(bad) <= self._settings.max_failures * len(ended):
            return
        reasons = Counter(r.error.splitlines()[0] if r.error else r.status.value for r in bad)
        (reason, times), *_ = reasons.most_common(1)
        raise TooManyFailures(
            f"{len(bad)} of the last {len(ended)} candidates failed (allowed share: "
            f"{self._settings.max_failures:g}); {times} of them with: {reason}. Mend the cause and go on with "
            "--resume, or raise max_failures."
        )

    def resume(self) -> None:
        """Bring algorithm and state to where the log ends, then hand out again what was running.

        Raises `HistoryError` when the algorithm asks for anything else than the log says.
        """
        history = self._history
        if history is None:
            raise HistoryError("a search without a history cannot be resumed")
        trials = history.trials()
        results = history.results(trials)
        pending: dict[int, Trial] = {}
        for event in history.events():
            if event.kind == "ask":
                self._replay_ask(None if event.trial is None else trials[event.trial], pending)
            elif event.trial is not None:
                self._tell(results[event.trial])
                del pending[event.trial]
        for number, trial in pending.items():
            if number in results:
                self._arrived[number] = results[number]
            else:
                self._start(trial)
        self._spent += sum(r.status is not Status.INVALID for r in results.values())
        self.state.arrived = len(results)
        self.state.replayed = self.state.evaluated
        self.state.earlier_seconds = history.seconds()

    def _replay_ask(self, trial: Trial | None, pending: dict[int, Trial]) -> None:
        found = self._algorithm.ask(1)
        expected = [] if trial is None else [trial.architecture]
        if found != expected:
            name = self._problem.space.format
            raise HistoryError(
                f"replaying the log, the algorithm asked for {[name(a) for a in found]} where the log has "
                f"{[name(a) for a in expected]} (trial {self.state.asked}): the code, a package or the configuration "
                "changed since the run was started. Start a new run, or go back to what config.json names."
            )
        if trial is not None:
            self.state.asked += 1
            pending[trial.id] = trial


def trial_seed(seed: int, number: int) -> int:
    """A trial's own seed, 31 bits, from the run's seed and the trial's number (splitmix64, Steele et al. 2014)."""
    mask = (1 << 64) - 1
    z = (seed * 0xD1342543DE82EF95 + (number + 1) * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return (z ^ (z >> 31)) >> 33
