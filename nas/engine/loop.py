"""The search loop: ask, evaluate, tell until the budget is spent, for any algorithm and executor."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nas.core.algorithm import Algorithm, HasNotes, HasRecall
from nas.core.bounds import TimeUp, time_limit
from nas.core.errors import EvaluationError, HistoryError, TooManyFailures
from nas.core.executor import Executor, HasClock, HasWorkers
from nas.core.problem import Problem
from nas.core.records import Architecture, Note, Observation, Result, Status, Trial
from nas.core.rungs import Rule
from nas.core.space import with_whole_genes
from nas.core.text import storable
from nas.core.values import absent_message, reported
from nas.engine.asking import NamedCalls
from nas.engine.callbacks import AnyCallback, Callbacks
from nas.engine.expected import ExpectedLog
from nas.engine.replay import before_draining, check_exact_values, check_whole
from nas.engine.search_state import LoopSettings, SearchState, numerics, trial_seed
from nas.engine.silence import SilenceWatch
from nas.engine.stopping import StopRule, Watch
from nas.pareto.indicators import beyond_best
from nas.runs.failures import in_common
from nas.runs.history import History
from nas.runs.sharing_quality import SHARING

__all__ = ["LoopSettings", "Search", "SearchState", "trial_seed"]

_LOG = logging.getLogger(__name__)


class Search:
    """A running search: the loop's state and its steps."""

    POLL = 0.5  # seconds between calls of `Callback.waiting` while no trial finishes
    COMPARED = 1_000  # most successes to compare with failures when a search stops
    RULED_OUT = 10_000  # consecutive candidates that violate a cheap limit before the search gives up

    def __init__(
        self,
        problem: Problem,
        algorithm: Algorithm,
        executor: Executor,
        settings: LoopSettings,
        history: History | None = None,
        callbacks: Sequence[AnyCallback] = (),
        imported: Sequence[Result] = (),
        stop: Sequence[StopRule] = (),
        rule: Rule | None = None,
        name: str | None = None,
    ) -> None:
        """`rule` gives architectures several budgets (None: `halving` of the settings, if any). `imported` are results of earlier runs, which the algorithm already has; they join the front.

        `stop` are rules that end the search before its budget is spent (`nas.engine.stopping`). `name` is that of the
        algorithm in errors (None: its class).
        """
        initial = max(2, algorithm.initial)
        clock = executor.now if isinstance(executor, HasClock) else time.monotonic
        self._in_flight: dict[int, Trial] = {}
        self.state = SearchState(
            problem,
            settings,
            in_flight=self._in_flight,
            workers=executor.workers if isinstance(executor, HasWorkers) else tuple,
            clock=clock,
            initial=initial,
            imported=tuple(imported),
            out=None if history is None else history.path.parent,
            rule=settings.halving if rule is None else rule,
        )
        self._problem = problem
        self._every_budget = algorithm.every_budget
        self._algorithm = NamedCalls(algorithm, name or type(algorithm).__name__, problem.space, self._saved)
        self._executor = executor
        self._settings = settings
        self._history = history
        self._callbacks = Callbacks(callbacks)
        self._silence = SilenceWatch(self.state)
        self._stop = tuple(stop)
        self._watch = Watch((), self.state)
        # evaluated once: a protocol check takes as long as a tell
        self._notes_of = algorithm if isinstance(algorithm, HasNotes) else None
        self._recalls = algorithm if isinstance(algorithm, HasRecall) else None
        self._arrived: dict[int, Result] = {}  # returned, not yet told
        self._next = 0  # the next id to tell, in ordered mode
        self._spent = 0  # evaluations asked for
        bests = [-math.inf if o.best is None else o.sign * o.best for o in problem.objectives]
        self._bests = np.array(
            bests
        )  # declared best values of the objectives; -inf once the warning was logged
        self._interrupted = False  # the time limit ended the last ask
        self._said: set[str] = set()  # logged messages about dropped values
        self._dry = False  # the last ask returned nothing, and no tell followed
        self._ruled_out = 0  # consecutive asks that violated a cheap limit
        self._earlier: frozenset[int] = frozenset()  # trials that an earlier session evaluated
        self._recent: deque[Result] = deque(maxlen=20)  # evaluated and told in this session
        self._expected_log = None if history is None else ExpectedLog(history, problem.space)

    def run(self) -> SearchState:
        """Search until the budget is spent or the space is exhausted.

        Raises `TooManyFailures`, and `InfeasibleError` when no proposal meets the cheap limits; passes KeyboardInterrupt
        on. The state stays consistent in either case, and a run with a history can be resumed.
        """
        self.begin()
        with self._silence:
            self._stop_when_due()
            while True:
                self._fill()
                if not self._in_flight and not self._arrived:
                    self.state.exhausted |= self._dry and not self.state.stopped_by
                    if self.state.rungs.finish() and self._wants_more():
                        continue
                    self._stop_when_all_failed()
                    return self.state
                if not self.tell_next():
                    self._collect()

    def begin(self) -> None:
        """Call `begin` of the callbacks, and start the rules of `stop`."""
        self._watch = Watch(self._stop, self.state)
        self.record_expected()
        self._callbacks.begin(self.state)

    def record_expected(self) -> None:
        """Record expected values that were estimated again, for those who read the log."""
        if self._expected_log is not None:
            self._expected_log.record(self.state.expected, len(self.state.imported))

    def _fill(self) -> None:
        while self._wants_more():
            self.ask()

    def ask(self) -> Trial | None:
        """Ask for the next trial, record it and submit it; None when there is nothing to ask for now.

        A trial that a cheap limit rules out has its result at once. Until the next tell, a further call returns None again.
        """
        trial = self.state.rungs.next(self.state.asked)
        if trial is None:
            # an ask before a tell would make the outcome depend on when results arrive
            if self._dry or self._interrupted:
                return None
            found = self._found()
            if found is None:
                return None
            trial = self._new(found)
        notes = self._take_notes()
        if self._history is not None:
            self._history.record_ask(trial, notes)
        self._dry = trial is None
        if trial is not None:
            self.state.asked += 1
            self._start(trial)
            self._callbacks.asked(self.state, trial)
        return trial

    @numerics
    def _found(self) -> Sequence[Architecture] | None:
        """The algorithm's next proposal; None if the time limit expired during the ask."""
        if self._settings.seconds is None:
            return self._asked()
        try:
            with time_limit(self._time_is_up):
                return self._asked()
        except TimeUp:  # its state may be half updated: it receives the remaining results, but no further ask
            self._interrupted = True
            return None

    def _asked(self) -> list[Architecture]:
        found = self._algorithm.ask()
        return [] if found is None else [found]

    def _saved(self) -> str:
        """Where the results are when an error ends the search, as a sentence; "" without any."""
        done = len(self.state.results)
        if self.state.out is None or not done:
            return ""
        results = "result so far is" if done == 1 else "results so far are"
        return f". The {done:,} {results} saved in {self.state.out}: fix the cause, then resume the run"

    def _wants_more(self) -> bool:
        settings, rungs = self._settings, self.state.rungs
        left = settings.evaluations is None or self._spent < settings.evaluations
        if not (self._searches_on() or (rungs.at_end and rungs.due and left)):
            return False
        if settings.ordered:
            return len(self._in_flight) + len(self._arrived) < settings.in_flight
        return not self._arrived and self._executor.free > 0  # tell first

    def _searches_on(self) -> bool:
        """Whether the search has something left to ask for before its end."""
        limit = self._settings.evaluations
        if self._dry or self.state.stopped_by or self._interrupted or self._time_is_up():
            return False
        return limit is None or self._spent < limit - self.state.rungs.reserve

    def _time_is_up(self) -> bool:
        """Whether the time limit ends the asking now, so that the end of the search fits; it applies once `at_least` evaluations were asked for."""
        limit = self._settings.seconds
        if limit is None or self._spent < self._settings.at_least:
            return False
        end = self.state.rungs.end_seconds / max(1, len(self.state.workers()))
        return self.state.seconds >= limit - end

    def _new(self, found: Sequence[Architecture]) -> Trial | None:
        """The first trial of the proposed architecture, if there is one."""
        if not found:
            return None
        number = self.state.asked
        architecture = with_whole_genes(found[0])
        return self.state.rungs.first(number, architecture, trial_seed(self._settings.seed, number))

    def _start(self, trial: Trial) -> None:
        """Submit a trial, unless a cheap limit, or a cheap objective that cannot be computed, rules it out."""
        reason = self._problem.cost_failure(trial.architecture)
        violation = self._problem.cheap_violation(trial.architecture)
        if reason or violation > 0:
            reason = storable(
                reason
                or f"violates a limit before training: {self._problem.why_excluded(trial.architecture)}"
            )
            self._accept(Result(trial, Status.INVALID, error=reason))
            self._ruled_out += 1
            if self._ruled_out >= self.RULED_OUT:
                raise self._problem.infeasible(
                    f"the last {self._ruled_out:,} candidates of the algorithm violate them; an algorithm that proposes "
                    "candidates within them may help"
                )
            return
        self._ruled_out = 0
        self._spent += 1
        self._in_flight[trial.id] = trial
        self._executor.submit(trial)

    def _collect(self) -> None:
        results = self._executor.collect(self.POLL)
        for result in results:
            self.take(result)
        if not results:
            self._callbacks.waiting(self.state)

    def take(self, result: Result) -> None:
        """Record a returned result and add its exact objectives; `tell_next` tells it."""
        self._accept(self._with_cheap_values(self._sound(result)))

    def _sound(self, result: Result) -> Result:
        """Drop values that are not finite numbers, which a custom executor may return; log each message once."""
        if result.status is not Status.OK:
            return result
        try:
            found = reported(result.values, self._problem.measured)
        except EvaluationError as error:
            return replace(result, status=Status.FAILED, values={}, error=str(error))
        if found.left_out or found.values != result.values:
            result = replace(result, values=found.values, error=result.error or found.left_out)
        absent = [name for name in self._problem.companions if name not in result.values]
        for message in (result.error, absent_message(absent, result.values)):
            if message and message not in self._said:
                self._said.add(message)
                _LOG.warning("trial %d: values %s (logged once)", result.trial.id, message)
        return result

    def _with_cheap_values(self, result: Result) -> Result:
        if result.status is not Status.OK or not self._problem.has_cheap_values:
            return result
        values = {**result.values, **self._problem.cheap_values(result.trial.architecture)}
        return replace(result, values=values)

    def _accept(self, result: Result) -> None:
        if self._history is not None:
            self._history.record_result(result)
        self._silence.arrived(result)
        self._in_flight.pop(result.trial.id, None)
        self._arrived[result.trial.id] = result
        self.state.arrived += 1

    def tell_next(self) -> bool:
        """Tell one due result, if any."""
        if self._settings.ordered:
            result = self._arrived.pop(self._next, None)
        else:
            first = next(iter(self._arrived), None)
            result = None if first is None else self._arrived.pop(first)
        if result is None:
            return False
        self._tell(result)
        if result.trial.id not in self._earlier and result.status is not Status.INVALID:
            self._recent.append(result)
        notes = self._take_notes()
        for note in notes:
            if note.kind == SHARING and note.values.get("text"):
                _LOG.warning("%s", note.values["text"])
        if self._history is not None:
            self._history.record_tell(result.trial.id, self.state.seconds, notes)
        self.record_expected()
        self._callbacks.told(self.state, result)
        self._stop_when_due()
        if not result.ok:
            self._stop_when_broken()
        return True

    @numerics
    def _tell(self, result: Result) -> None:
        seen = self._problem.observe(result)
        self._warn_beyond_best(seen)
        self.state.results.append(result)
        self.state.counts[result.status] += 1
        self._next = result.trial.id + 1
        if self.state.rungs.told(result, seen) or self._every_budget:
            self._algorithm.tell([seen])
        self._dry = False

    def _warn_beyond_best(self, seen: Observation) -> None:
        """Warn once for each objective with a value better than its declared best."""
        if seen.ok and (seen.objectives < self._bests).any():
            for name, sentence in beyond_best(self._problem.objectives, seen.objectives).items():
                self._bests[self._problem.names.index(name)] = -math.inf
                _LOG.warning("%s", sentence)

    def _take_notes(self) -> list[Note]:
        """Collect the algorithm's notes since the last ask or tell."""
        notes = [] if self._notes_of is None else list(self._notes_of.notes())
        notes += self.state.rungs.take_notes()
        self.state.take_notes(notes)
        return notes

    def end(self, outcome: str) -> None:
        """Call `end` of the callbacks with the outcome."""
        self._callbacks.end(self.state, outcome)

    def _stop_when_due(self) -> None:
        if not self.state.stopped_by:
            self.state.stopped_by = self._watch.reason()

    def _stop_when_broken(self) -> None:
        bad = [r for r in self._recent if not r.ok]
        if len(self._recent) < 10 or len(bad) <= self._settings.max_failures * len(self._recent):
            return
        worked = [r for r in self.state.results if r.ok][-self.COMPARED :]
        raise TooManyFailures(
            f"{len(bad)} of the last {len(self._recent)} candidates failed (allowed share: "
            f"{self._settings.max_failures:g}); {in_common(bad, worked)}. Fix the cause, then continue with "
            "--resume (resume=True), or raise max_failures."
        )

    def _stop_when_all_failed(self) -> None:
        """Stop a search too short for the rule above if every candidate failed."""
        if self._recent and not self.state.counts[Status.OK] and self._settings.max_failures < 1:
            raise TooManyFailures(
                f"every candidate failed ({self.state.evaluated} of {self.state.evaluated}); "
                f"{in_common(list(self._recent), [])}. Fix the cause and start again."
            )

    def resume(self) -> None:
        """Restore algorithm and state from the log, then submit again the trials that were running.

        Raises `HistoryError` when the algorithm asks for anything but the logged trial (an algorithm with `recall` accepts
        the log), or when an exact objective has changed.
        """
        history = self._history
        if history is None:
            raise HistoryError("a search without a history cannot be resumed; start it with out")
        trials = history.trials()
        results = history.results(trials)
        check_whole(self._problem, results.values())
        for result in list(results.values())[:20]:  # enough to notice a changed space or objective
            check_exact_values(self._problem, result)
        evaluated = frozenset(i for i, r in results.items() if r.status is not Status.INVALID)
        self.state.earlier_seconds = history.seconds()
        events = history.events()
        more = self._settings.evaluations is None or len(evaluated) < self._settings.evaluations
        if self._settings.ordered and more:
            kept = before_draining(events, self._settings.in_flight)
            history.forget_events_after(kept)
            events = events[:kept]
        pending: dict[int, Trial] = {}
        for event in events:
            if event.kind == "ask":
                self._replay_ask(None if event.trial is None else trials[event.trial], pending)
            elif event.trial is not None:
                self._tell(results[event.trial])
                del pending[event.trial]
        self._take_notes()  # already in the history, unless the replay skipped them
        history.forget_notes_after(len(self.state.results))
        self.state.take_notes(history.notes())
        self._earlier = evaluated
        self._spent = len(evaluated)
        for number, trial in pending.items():
            if number in results:
                self._arrived[number] = results[number]
            else:
                self._start(trial)
        self.state.arrived = len(results)
        self.state.replayed = len(evaluated)

    @numerics
    def _replay_ask(self, logged: Trial | None, pending: dict[int, Trial]) -> None:
        self._dry = logged is None
        number = self.state.asked
        rungs = self.state.rungs
        trial = rungs.next(number)
        if trial is None and logged is not None and logged.budget != rungs.starting and rungs.finish():
            trial = rungs.next(number)
        if trial is None and self._recalls is not None:
            self._recalls.recall(None if logged is None else logged.architecture)
            trial = self._new([] if logged is None else [logged.architecture])
        elif trial is None:
            trial = self._new(self._asked())
        if trial != logged:
            raise HistoryError(
                f"replaying the log, the algorithm asked for {self._named(trial)} where the log has "
                f"{self._named(logged)} (trial {number}): the code, a package or the configuration "
                "changed since the run started. Start a new run, or restore the versions in config.json."
            )
        if logged is not None:
            self.state.asked += 1
            pending[logged.id] = logged

    def _named(self, trial: Trial | None) -> str:
        if trial is None:
            return "nothing"
        at = "" if trial.budget is None else f" at budget {trial.budget:g}"
        return f"{self._problem.space.format(trial.architecture)}{at}"
