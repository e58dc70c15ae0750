"""Ask-and-tell interface: your loop asks for a trial, evaluates it anywhere, and passes the result back."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nas.core.code_files import code_of
from nas.core.errors import ConfigError, NothingToAsk
from nas.core.files import absolute
from nas.core.objectives import AnyObjective, Limit
from nas.core.problem import Problem, as_objectives
from nas.core.records import Result, Status, Trial
from nas.core.space import HasChoices, SearchSpace, can_build, for_task, text_of
from nas.core.task_spec import TaskSpec
from nas.core.text import storable
from nas.deployment.wiring import BY_TRAINED, with_deployment
from nas.engine.by_hand import ByHand
from nas.engine.changed_code import checked_code, measuring
from nas.engine.fidelity import Rungs
from nas.engine.heartbeat import HeartbeatWriter
from nas.engine.initial import AnyArchitectures
from nas.engine.loop import LoopSettings, Search
from nas.engine.plan import DEFAULT_ALGORITHM, MakeAlgorithm, Plan, named_algorithm
from nas.engine.record import conclude, recorded_code, remember
from nas.engine.search_state import halving_of
from nas.engine.told import completed, kind_of, told_values
from nas.engine.warm_start import AnySource, read_warm_start, recorded
from nas.executors.worker import describe_failure
from nas.runs.brought import META, imported_table
from nas.runs.history import History
from nas.runs.history_table import frame_of
from nas.runs.parameters import Parameters
from nas.runs.reading import load_run
from nas.runs.run_folder import run_table

if TYPE_CHECKING:
    from torch import nn

    from nas.deployment.target import Target
    from nas.training.halving import Halving

Told = Mapping[str, Any] | float | BaseException


@dataclass(frozen=True, slots=True)
class StudyTrial(Trial):
    """A trial of a study: a `nas.Trial` with its space, so an evaluator accepts it directly.

    `id` counts from 0, `architecture` is the architecture to evaluate, `text` its text form, `seed` the trial's seed,
    `budget` the epochs to train (None: your choice), `choices` the values of the active parameters by name, in a space where
    they have names.
    """

    space: SearchSpace = field(kw_only=True, repr=False, compare=False)
    task: TaskSpec | None = field(kw_only=True, repr=False, compare=False, default=None)

    @property
    def text(self) -> str:
        """The architecture's text form, as in front.csv."""
        return self.space.format(self.architecture)

    def build(self, **settings: Any) -> nn.Module:
        """Build the network with the space's `build` and these settings; by default for the study's `task`.

        Raises `ConfigError` when the space builds no networks.
        """
        if not can_build(self.space):
            raise ConfigError(
                f"space {self.space.name!r} has no build(architecture), so a trial has no network"
            )
        if self.task is not None:
            of_task = {"num_classes": self.task.num_classes, "in_channels": self.task.in_channels}
            settings = of_task | settings
        return self.space.build(self.architecture, **settings)


class Study:
    """Ask and tell: a search in steps, for your own loop, scheduler or cluster.

    ``trial = study.ask()``, then ``study.tell(trial, {"error": 5.2})`` or ``study.tell(trial, exception)``, in any order and
    with any number of pending trials. Exact objectives (``params``, ``madds``) are computed here. The same seed and the same
    order of calls give the same asks. Thread-safe; as a context manager it closes the study.

    With `out`, everything is on disk when a call returns; ``nas front``, ``watch`` and ``report`` read the folder at any time.
    After a kill, `resume` restores everything, and `ask` returns the pending trials first.
    """

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[AnyObjective],
        *,
        out: str | Path | None = None,
        resume: bool = False,
        algorithm: str | MakeAlgorithm = DEFAULT_ALGORITHM,
        algorithm_settings: Any = None,
        seed: int = 0,
        limits: Sequence[Limit | str] = (),
        target: Target | str | os.PathLike[str] | None = None,
        fidelity: float | None = None,
        halving: Halving | Mapping[str, Any] | None = None,
        initial: AnyArchitectures = (),
        warm_start: AnySource | None = None,
        task: TaskSpec | None = None,
        accept_changed_code: bool = False,
    ) -> None:
        """Begin a study, or continue the one in `out`.

        Args:
            space: the space to search; any `SearchSpace`.
            objectives: as in `nas.search`. Pass measured ones to `tell`; one with a function is computed in `tell` if
                missing.
            out: a folder for the log and the tables; None keeps the study in memory.
            resume: continue the study in `out`: the same space, objectives, limits, algorithm and seed.
            algorithm: a name in `nas.algorithms.ALGORITHMS`, or a class or function of (problem, rng, settings).
            algorithm_settings: its `Settings`, or a mapping of some of them; the defaults are independent of any budget.
            seed: determines all random choices.
            limits: bounds on any objective. Architectures that violate a cheap one are never returned by `ask`.
            target: the device to deploy on, as in `nas.search`. Architectures beyond its memory, or with operators that it lacks, are never
                returned by `ask`. Latencies and sizes that you do not pass to `tell` are measured there, with random weights.
            fidelity: the budget of every trial, such as epochs.
            halving: instead, the rungs of budgets that architectures climb (`nas.training.Halving`, or a mapping of its settings).
            initial: architectures to ask first, as in `nas.search`.
            warm_start: results of an earlier run, as in `nas.search`.
            task: channels, classes and image size of your data, which costs and networks then follow.
            accept_changed_code: on resume, accept and record changed code of the space or the objectives.

        Raises:
            ConfigError: an invalid argument. HistoryError: the folder holds another run, or cannot be used.
        """
        if resume and out is None:
            raise ConfigError("resume: needs out, the folder of the study to continue")
        folder = None if out is None else Path(out).absolute()
        problem = _problem(space, objectives, limits, target)
        if task is not None:
            problem = problem.settled(for_task(space, task), _evaluated_by_the_user, task)
        chosen = named_algorithm(algorithm)
        now = code_of([*measuring(problem), chosen.make], absolute("."))
        settings = LoopSettings(
            evaluations=None, seed=seed, concurrency=1, ordered=False, fidelity=fidelity, halving=halving_of(halving), max_failures=1.0
        )  # fmt: skip
        warm = None
        if warm_start is not None and not resume:
            warm = read_warm_start(warm_start, problem, Rungs(fidelity, settings.halving).budgets[0], folder)
        self._lock = threading.RLock()
        self._problem = problem
        self._executor = ByHand()
        self._began: dict[int, tuple[float, float]] = {}  # start of each pending trial
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._closed = False
        self._resumed = resume
        self._pulse: HeartbeatWriter | None = None
        self._history = None if folder is None else History(folder, problem.space, create=not resume)
        try:
            if self._history is not None and resume:
                warm = recorded(self._history, problem, warm_start)
            earlier = self._history if resume else None
            self._plan = Plan.make(problem, chosen, algorithm_settings, settings, earlier, warm, initial)
            if self._history is not None:
                made_of = checked_code(recorded_code(self._history, resume), now, accept_changed_code)
                remember(self._history, self._plan, None, resume, code=made_of)
                self._pulse = HeartbeatWriter(self._history.path.parent)
            self._search = Search(
                problem,
                self._plan.algorithm,
                self._executor,
                settings,
                self._history,
                [] if self._pulse is None else [self._pulse],
                () if warm is None else warm.results,
                name=self._plan.identity["algorithm"],
            )
            if resume:
                self._search.resume()
                self._settle()
            if self._pulse is not None:
                self._pulse.__enter__()
            self._search.begin()
        except BaseException:
            self._let_go(unused=not resume)
            raise

    @property
    def out(self) -> Path | None:
        """The study's folder."""
        return None if self._history is None else self._history.path.parent

    def ask(self) -> StudyTrial:
        """Return the next trial to evaluate; after `resume` the pending trials come first, in order.

        Raises `NothingToAsk` when there is none: the space is exhausted, or the algorithm waits for pending results.
        """
        with self._lock:
            self._check_open()
            trial = self._executor.take()
            while trial is None:
                if self._search.ask() is None:
                    raise NothingToAsk(self._nothing())
                self._settle()  # a trial that violates a cheap limit already has its result
                trial = self._executor.take()
            self._began[trial.id] = time.time(), time.perf_counter()
            return self._shown(trial)

    def tell(self, trial: Trial | int, values: Told) -> None:
        """Record the result of a trial, given by itself or its number, and pass it to the algorithm.

        `values` maps each measured objective to its value, in its own unit and direction; further finite numbers are kept in
        the history. If only one objective is measured, a plain number suffices. An objective that is not finite marks the
        trial as failed, as does an exception: ``timeout`` for `TimeoutError`, ``out_of_memory`` for a lack of memory.

        Raises `ConfigError`, and records nothing, for a trial that is not pending, a missing objective, or a value that is
        not a number.
        """
        with self._lock:
            self._check_open()
            pending = self._pending_of(trial)
            result = self._result(pending, values)
            self._executor.withdraw(pending.id)
            self._search.take(result)
            self._settle()
            self._began.pop(pending.id, None)

    @property
    def pending(self) -> list[StudyTrial]:
        """Trials asked and not yet told, in the order of asking."""
        with self._lock:
            return [self._shown(t) for _, t in sorted(self._search.state.in_flight.items())]

    @property
    def front(self) -> pd.DataFrame:
        """The non-dominated architectures so far, like `SearchResult.front`: objectives in their own units.

        Where an objective is noisy its expected value decides, estimated from all results at each access.
        """
        with self._lock:
            problem, plan, state = self._problem, self._plan, self._search.state
            expected = state.settle_expected()
            if self.out is not None:
                if not self._closed:
                    self._search.record_expected()
                return load_run(self.out)[0].front
            warm = {} if plan.warm is None else {META: plan.warm.as_meta(problem)}
            told = frame_of(problem.space, state.results)
            known = [result.trial.architecture for result in (*state.imported, *state.results)]
            named = Parameters.of(problem.space, known)
            text = partial(text_of, problem.space)
            return run_table(
                told,
                problem.objectives,
                problem.limits,
                plan.algorithm.initial,
                state.notes,
                imported_table(warm),
                parameters=named,
                expected=None if expected is None else expected.values(text, len(state.imported)),
            ).front

    @property
    def history(self) -> pd.DataFrame:
        """One row per trial, like `SearchResult.history`; pending ones have the status ``running``."""
        with self._lock:
            if self.out is not None:
                return load_run(self.out)[0].frame
            state, space = self._search.state, self._problem.space
            trials = [*(result.trial for result in state.results), *state.in_flight.values()]
            named = Parameters.of(space, [trial.architecture for trial in trials])
            return named.added(frame_of(space, state.results, state.in_flight.values()))

    def close(self) -> None:
        """Write the tables and plots of the folder and release it; pending trials stay pending. May be called twice."""
        self._close("finished")

    def __enter__(self) -> Study:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        interrupted = isinstance(error, KeyboardInterrupt)
        self._close("interrupted" if interrupted else "finished" if error is None else "stopped")

    def _close(self, outcome: str) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            state = self._search.state
            try:
                if self._history is not None and state.results:
                    conclude(self._plan, state, self._history, outcome, None, True)
                self._search.end(outcome)
            finally:
                self._let_go(unused=not self._resumed and state.asked == 0)

    def _let_go(self, *, unused: bool) -> None:
        if self._pulse is not None:
            self._pulse.__exit__(None, None, None)
        if self._history is not None:
            if unused:
                self._history.discard_if_empty()
            self._history.close()

    def _check_open(self) -> None:
        if self._closed:
            go_on = (
                ""
                if self.out is None
                else f"; continue it with nas.Study(..., out={str(self.out)!r}, resume=True)"
            )
            raise ConfigError(f"this study is closed{go_on}")

    def _settle(self) -> None:
        """Tell the algorithm all due results."""
        while self._search.tell_next():
            pass

    def _shown(self, trial: Trial) -> StudyTrial:
        space, task = self._problem.space, self._problem.task
        choices = space.choices(trial.architecture) if isinstance(space, HasChoices) else None
        return StudyTrial(
            trial.id, trial.architecture, trial.seed, trial.budget, choices, space=space, task=task
        )

    def _nothing(self) -> str:
        number, space = len(self._search.state.in_flight), self._problem.space
        if number:
            waits = "trial is" if number == 1 else f"{number} trials are"
            return f"nothing new to ask for while the {waits} pending: tell a result, then ask again"
        within = " within the limits" if self._problem.limits else ""
        return (
            f"the algorithm has asked for every architecture of space {space.name!r}{within} that it can find"
        )

    def _pending_of(self, trial: Trial | int) -> Trial:
        """Find the pending trial. Raises `ConfigError` with the reason if there is none."""
        state = self._search.state
        if isinstance(trial, bool) or not isinstance(trial, (Trial, int, np.integer)):
            raise ConfigError(f"tell: expected a trial from ask(), or its number, got {type(trial).__name__}")
        number = trial.id if isinstance(trial, Trial) else int(trial)
        told = next((r for r in reversed(state.results) if r.trial.id == number), None)
        here = state.in_flight.get(number) or (None if told is None else told.trial)
        if here is None:
            raise ConfigError(
                f"tell: this study has no trial {number}; it asked for {state.asked}, numbered from 0"
            )
        if isinstance(trial, Trial) and _key(trial) != _key(here):
            shown = self._problem.space.format(here.architecture)
            raise ConfigError(
                f"tell: trial {number} belongs to another study; trial {number} of this one is {shown}"
            )
        if told is not None:
            raise ConfigError(f"tell: trial {number} already has a result, with status {told.status.value}")
        return here

    def _result(self, trial: Trial, given: Told) -> Result:
        """The result to record. Raises `ConfigError` for a mistake of the caller."""
        values: dict[str, float] = {}
        if isinstance(given, BaseException):
            status, error = kind_of(given), storable(describe_failure(given))
        else:
            values = told_values(self._problem, given)
            status, error = completed(self._problem, trial, values)
        began, clock = self._began.get(trial.id, (0.0, 0.0))
        now = time.time()
        seconds = time.perf_counter() - clock if began else 0.0
        kept = values if status is Status.OK else {}
        return Result(trial, status, kept, seconds, error, self._worker, began or now, now)


def _problem(
    space: SearchSpace,
    objectives: Sequence[AnyObjective],
    limits: Sequence[Limit | str],
    target: Target | str | os.PathLike[str] | None,
) -> Problem:
    """The problem of a study, with the limits of its target."""
    if target is None:
        return Problem(space, objectives, _evaluated_by_the_user, limits)
    parts = with_deployment(space, as_objectives(objectives), _TellsTrained(), limits, target)
    return Problem(
        space,
        parts.objectives,
        _evaluated_by_the_user,
        parts.limits,
        quantities=parts.quantities,
        deployment=parts.deployment,
    )


class _TellsTrained:
    """The user, who passes values of trained networks to `tell`."""

    reports = BY_TRAINED

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        return _evaluated_by_the_user(trial)


def _evaluated_by_the_user(trial: Trial) -> Mapping[str, float]:
    raise ConfigError("a study does not evaluate: pass it the result of each trial")


def _key(trial: Trial) -> tuple[Any, ...]:
    return trial.id, trial.architecture, trial.seed, trial.budget
