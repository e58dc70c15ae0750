"""`nas.search`: the whole way from a space and objectives to a Pareto front."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from nas.algorithms.noise import posterior_front
from nas.core.checks import check_known
from nas.core.code_files import changed, code_of
from nas.core.errors import ConfigError, HistoryError, NasError
from nas.core.evaluator import Evaluate
from nas.core.executor import Executor
from nas.core.files import absolute
from nas.core.interrupts import InterruptWatch, is_interrupt
from nas.core.objectives import AnyObjective, Limit, Objective
from nas.core.plugins import collecting
from nas.core.problem import Problem
from nas.core.space import SearchSpace
from nas.core.task_spec import TaskSpec
from nas.core.tracebacks import explain
from nas.core.versions import versions
from nas.engine.callbacks import AnyCallback, as_callback
from nas.engine.changed_code import META as CODE
from nas.engine.changed_code import RunCode, check_accepted, checked_code, measuring
from nas.engine.fidelity import Rungs
from nas.engine.initial import AnyArchitecture
from nas.engine.kept_weights import KeptWeights
from nas.engine.loop import LoopSettings, Search, SearchState
from nas.engine.plan import (
    COST_SECONDS,
    TASK,
    MakeAlgorithm,
    NamedAlgorithm,
    Plan,
    check_ready,
    named_algorithm,
    with_weights,
)
from nas.engine.settle import settled
from nas.engine.stopping import AnyRules, StopRule, stop_rules
from nas.engine.warm_start import META, AnySource, imported_table, read_warm_start, recorded
from nas.executors import EXECUTORS
from nas.monitor.pulse import PulseWriter
from nas.runs.files import check_new, check_resumable, run_files
from nas.runs.history import FILE, History, as_json, read_history, read_notes
from nas.runs.history_table import check_readable
from nas.runs.log_file import well_formed
from nas.runs.rows import frame_of
from nas.runs.run_folder import RunTable, export, run_table, summarise

MakeExecutor = Callable[[Evaluate, frozenset[str]], Executor]


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    `front`: the non-dominated architectures that meet every limit, one row each, column ``architecture`` and
    one column an objective in its own unit. `history`: one row a trial (see `nas.runs.history.read_history`).
    `summary`: the numbers of summary.json. `state`: how it ended: ``finished``, ``exhausted`` (nothing new
    left in the space) or ``interrupted``. `front_posterior`: where something was measured more than once and the
    algorithm has a model, the front by that model's posterior mean (see `nas.algorithms.noise.posterior_front`). `space`: what was
    searched, with the costs and networks of the data.
    """

    front: pd.DataFrame
    history: pd.DataFrame
    summary: dict[str, Any]
    state: str
    out: Path | None = None
    table: RunTable | None = field(default=None, repr=False)
    front_posterior: pd.DataFrame | None = field(default=None, repr=False)
    space: SearchSpace | None = field(default=None, repr=False)


def search(
    space: SearchSpace,
    objectives: Sequence[AnyObjective],
    evaluate: Evaluate | None = None,
    *,
    algorithm: str | MakeAlgorithm = "moead",
    algorithm_settings: Any = None,
    executor: str | MakeExecutor = "serial",
    executor_settings: Any = None,
    budget: int | None = None,
    seed: int | None = None,
    limits: Sequence[Limit | str] = (),
    loop: LoopSettings | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    keep_weights: bool = True,
    warm_start: AnySource | None = None,
    initial: Sequence[AnyArchitecture] = (),
    stop: AnyRules = (),
    callbacks: Sequence[AnyCallback] = (),
    accept_changed_code: bool = False,
    csv: bool = False,
) -> SearchResult:
    """Search a space for the Pareto front of the objectives.

    Args:
        space: what to search; any `SearchSpace`.
        objectives: built-in names (``error``, ``accuracy``, ``params``, ``madds``), `Objective` values, or plain functions of an
            `Architecture`: each is minimised under the function's own name, without a unit, and measured on a worker.
        evaluate: measures the expensive objectives of one `Trial` on a worker; returns them by name.
        algorithm: a name in `nas.algorithms.ALGORITHMS`, or a class or function of (problem, rng, settings). The command
            `nas search` uses "sa-moead", which pays when an evaluation takes seconds.
        algorithm_settings: its `Settings`; None for defaults that suit the budget.
        executor: ``serial``, ``ray``, or a function of (evaluate, names it must return) that makes one.
        executor_settings: `SerialSettings` or `RaySettings`; None for their defaults.
        budget: how many architectures to evaluate (100); candidates that break a cheap limit cost none.
        seed: decides everything that is random (0).
        limits: bounds on any objective, such as ``"madds <= 300e6"``.
        loop: everything else about the loop; `budget` and `seed` override its own.
        out: a folder for the log, the front and the plots, new or empty; None keeps the search in memory.
        resume: go on with the run in `out`. Same space, objectives, limits, algorithm and seed, or `HistoryError`.
        keep_weights: with `out` and an evaluator that trains (`nas.training.TrainingEvaluator`), leave the weights of
            the front's networks, and no others, in `out/weights`; see `nas.load_network`.
        warm_start: the folder of an earlier run of the same space and objectives, or a CSV file or DataFrame (a column
            ``architecture`` and one for each measured objective), whose results this one begins with:
            they teach the algorithm and may be on the front, are not measured again and count as no evaluations. A
            resumed run has them in its own log.
        initial: known good architectures to evaluate first: text forms, genes, or `Architecture` values. They count in the
            budget and take the place of as many of the initial design. A resumed run has them in its own log.
        stop: rules that end the search before its budget is spent: ``nas.Stalled(30)`` (no growth of the hypervolume for
            30 evaluations), ``nas.Reached("error <= 2")`` (by a member of the front), or the same as in a config,
            ``{"stalled": 30}``. A callback may ask for it too: `SearchState.request_stop`. Rules may change on resuming.
        callbacks: `nas.Callback` objects, which are told how the search goes; or functions, each called with the
            `SearchState` after every result and about twice a second while none comes. Their errors end nothing.
        accept_changed_code: on resuming, or with `warm_start`, go on although the user's code (the files of the space, the
            evaluator and so on, and the local modules that they import) is not what it was; the change is put on record.
        csv: also write every trial to `out/history.csv`, a table that spreadsheets open.

    Returns:
        The result. Ctrl-C (KeyboardInterrupt) ends a search early, in order: the result then has the state
        ``interrupted``, and a run in a folder can be resumed.

    Raises:
        ConfigError: an argument cannot be used; nothing was evaluated.
        HistoryError: the folder holds another run, or files of yours (`ForeignFileError`), or its log cannot be read or written.
        ExecutorError: workers cannot be reached. TooManyFailures: something is broken for all candidates.
    """
    settings = loop or LoopSettings()
    if budget is not None:
        settings = replace(settings, evaluations=budget)
    if seed is not None:
        settings = replace(settings, seed=seed)
    return solve(
        Problem(space, objectives, evaluate, limits),
        algorithm=algorithm,
        algorithm_settings=algorithm_settings,
        executor=executor,
        executor_settings=executor_settings,
        loop=settings,
        out=out,
        resume=resume,
        keep_weights=keep_weights,
        warm_start=warm_start,
        initial=initial,
        stop=stop,
        callbacks=callbacks,
        accept_changed_code=accept_changed_code,
        csv=csv,
    )


def solve(
    problem: Problem,
    *,
    algorithm: str | MakeAlgorithm | NamedAlgorithm = "moead",
    algorithm_settings: Any = None,
    executor: str | MakeExecutor = "serial",
    executor_settings: Any = None,
    loop: LoopSettings,
    out: str | Path | None = None,
    resume: bool = False,
    keep_weights: bool = True,
    warm_start: AnySource | None = None,
    initial: Sequence[AnyArchitecture] = (),
    stop: AnyRules = (),
    callbacks: Sequence[AnyCallback] = (),
    config: dict[str, Any] | None = None,
    plots: bool = True,
    csv: bool = False,
    on_ready: Callable[[Plan], None] | None = None,
    accept_changed_code: bool = False,
    code: Sequence[ModuleType] = (),
    base: Path | None = None,
) -> SearchResult:
    """`search` for a problem that is made already; `config` is recorded in config.json; without `plots` none is drawn.

    `on_ready` is called once all is resolved and checked, before the first worker starts. `code` are modules that the
    search is made of beside those of its objects; their files are named relative to `base`.
    """
    if resume and out is None:
        raise ConfigError("resume: needs out, the folder of the run to go on with")
    if loop.evaluations is None:
        raise ConfigError("budget: expected a whole number of evaluations of at least 1, got None")
    place = None if out is None else absolute(out)  # once: a candidate may change the working folder
    if place is not None and resume:
        check_readable(place / FILE)
        check_resumable(place)
    elif place is not None and (not isinstance(warm_start, (str, Path)) or absolute(warm_start) != place):
        check_new(place)  # the run is made only when everything else was checked
    callbacks = [as_callback(given) for given in callbacks]
    rules = stop_rules(stop, problem)
    factory = _executor_factory(executor, executor_settings)
    remote = getattr(executor_settings, "address", None) is not None
    base = base or absolute(".")
    measured_by = measuring(problem)
    others = [*code, named_algorithm(algorithm).make, factory, *callbacks]
    now = code_of(
        [*measured_by, *others], base
    )  # before anything runs: what is in the files later was not run
    if not resume:
        problem = settled(problem, optional=remote)
    warm = None
    if warm_start is not None and not resume:
        _check_code_of(warm_start, code_of(measured_by, base), accept_changed_code)
        first = Rungs(loop.fidelity, loop.halving).budgets[0]
        warm = read_warm_start(warm_start, problem, first, place)
    history = History(place, problem.space, create=False) if place is not None and resume else None
    try:
        # where all failed, the cause is mended: there are no results to mix
        accept = accept_changed_code or (history is not None and resume and not history.succeeded())
        made_of = checked_code(recorded_code(history, resume), now, accept)
        if history is not None and resume:
            complete = history.evaluated() >= loop.evaluations
            problem = settled(problem, recorded=_recorded_task(history), optional=remote or complete)
        problem, kept = with_weights(problem, loop.halving, place, keep_weights)
        if history is not None and resume:
            warm = recorded(history, problem, warm_start)
        earlier = history if resume else None
        with collecting() as found:  # such as the file of a surrogate
            plan = Plan.make(problem, algorithm, algorithm_settings, loop, earlier, warm, initial)
        if found:
            now = dict(sorted((code_of(found, base) | now).items()))
            made_of = checked_code(recorded_code(history, resume), now, accept)
        if history is None or history.evaluated() < loop.evaluations:
            check_ready(problem, remote=remote)
        if place is not None and history is None:
            history = History(place, problem.space, create=True)
        if history is not None:
            remember(history, plan, config, resume, rules, made_of)
        if on_ready is not None:
            on_ready(plan)
        if history is None:
            return _run(plan, factory, history, callbacks, resume, kept, plots, csv, rules)
        with PulseWriter(history.path.parent) as pulse:
            return _run(plan, factory, history, [pulse, *callbacks], resume, kept, plots, csv, rules)
    except BaseException:
        if history is not None and not resume:
            history.discard_if_empty()
        raise
    finally:
        if history is not None:
            history.close()


def _recorded_task(history: History) -> TaskSpec | None:
    """The task that an earlier session found in its data; None where it did not say."""
    with well_formed(history.path):
        return TaskSpec.from_json((history.meta("identity") or {}).get(TASK))


def recorded_code(history: History | None, resume: bool) -> RunCode | None:
    """The code that the run which is resumed is made of; None where its version did not record it."""
    if history is None or not resume:
        return None
    with well_formed(history.path):
        return RunCode.from_meta(history.meta(CODE))


def _check_code_of(warm_start: AnySource, now: Mapping[str, str], accept: bool) -> None:
    """Raise `HistoryError` when what an earlier run was measured by has changed since, unless that is accepted."""
    if not isinstance(warm_start, (str, Path)) or Path(warm_start).is_file():
        return  # a table
    try:
        _, meta = read_history(Path(warm_start))
    except HistoryError:
        return  # read_warm_start has its own sentence for it
    then = RunCode.from_meta(meta.get(CODE))
    if then is not None:
        check_accepted(changed(then.files, now), accept, f"{warm_start} was measured")


def remember(
    history: History,
    plan: Plan,
    config: dict[str, Any] | None,
    resume: bool,
    rules: Sequence[StopRule] = (),
    code: RunCode | None = None,
) -> None:
    """Put on record, in the log and in config.json, how a run is made."""
    resolved = {
        "schema": 1,
        "config": config,
        **{key: value for key, value in plan.identity.items() if key != "evaluations"},
        "loop": dataclasses.asdict(plan.settings),
        "stop": [str(rule) for rule in rules],
        "versions": versions(),
        **({} if code is None else {CODE: code.as_meta()}),
    }
    values: dict[str, Any] = {"config": resolved}
    if code is not None:
        values[CODE] = code.as_meta()
    if not resume:
        values |= {
            "identity": plan.identity,
            "initial": plan.algorithm.initial,
            COST_SECONDS: plan.problem.cost_seconds,
            "objectives": [_described(o) for o in plan.problem.objectives],
            "limits": [str(limit) for limit in plan.problem.limits],
            META: None if plan.warm is None else plan.warm.as_meta(plan.problem),
        }
    history.write_meta(values)
    path = history.path.parent / "config.json"
    try:
        run_files(path.parent).write_text(path.name, as_json(resolved))
    except OSError as error:
        raise HistoryError(f"{path}: cannot be written: {error}") from error


_CODE = ("function", "for_space")  # of an objective: what a log cannot hold


def _described(item: Objective) -> dict[str, Any]:
    plain = replace(item, function=None, for_space=None)
    return {key: value for key, value in dataclasses.asdict(plain).items() if key not in _CODE}


def load_run(folder: str | Path) -> tuple[RunTable, dict[str, Any]]:
    """Read a run back, finished or under way, without its space or code: its table and its meta values."""
    path = Path(folder)
    frame, meta = read_history(path)
    if not meta.get("objectives"):
        raise HistoryError(f"{folder}: the run ended before its first evaluation; start it again")
    notes = read_notes(path)
    with well_formed(path / FILE):
        objectives = [Objective(**values) for values in meta["objectives"]]
        limits = [Limit.parse(text) for text in meta["limits"]]
        imported = imported_table(meta)
        return run_table(frame, objectives, limits, int(meta["initial"]), notes, imported), meta


def _executor_factory(executor: str | MakeExecutor, settings: Any) -> MakeExecutor:
    if not isinstance(executor, str):
        return executor
    check_known("executor", executor, EXECUTORS)
    make = EXECUTORS[executor]
    return lambda evaluate, required: make(evaluate, settings, required=required)


@contextmanager
def _opened(executor: Executor) -> Iterator[Executor]:
    try:
        yield executor
    finally:
        executor.close()


def _run(
    plan: Plan,
    make: MakeExecutor,
    history: History | None,
    callbacks: Sequence[AnyCallback],
    resume: bool,
    kept: KeptWeights | None,
    plots: bool,
    csv: bool,
    rules: Sequence[StopRule],
) -> SearchResult:
    problem, ended = plan.problem, "finished"
    callbacks = callbacks if kept is None else [kept, *callbacks]
    with InterruptWatch(), _opened(make(problem.measure(), problem.measured)) as executor:
        imported = () if plan.warm is None else plan.warm.results
        loop = Search(problem, plan.algorithm, executor, plan.settings, history, callbacks, imported, rules)
        try:
            if resume:
                loop.resume()
            loop.run()
        except KeyboardInterrupt:
            ended = "interrupted"
        except BaseException as error:
            if is_interrupt(error):  # such as SystemExit from somebody's handler of SIGTERM
                raise
            if history is not None and loop.state.results:
                with suppress(Exception):  # the first error is the one to report
                    executor.close()
                    conclude(plan, loop.state, history, "stopped", kept, plots, csv)
            loop.end("stopped")
            if isinstance(error, Exception):
                raise
            raise NasError(f"the search was stopped by {explain(error)}") from error
    if loop.state.exhausted and ended == "finished":
        ended = "exhausted"
    result = conclude(plan, loop.state, history, ended, kept, plots, csv)
    loop.end(ended)
    return result


def conclude(
    plan: Plan,
    state: SearchState,
    history: History | None,
    ended: str,
    kept: KeptWeights | None,
    plots: bool,
    csv: bool = False,
) -> SearchResult:
    """Measure a run that has `ended` so; with a log, write its files."""
    problem = plan.problem
    extra: dict[str, Any] = {
        "state": ended,
        "stopped_by": state.stopped_by or None,
        "space": problem.space.name,
        "algorithm": plan.identity["algorithm"],
        "seed": plan.settings.seed,
        "objectives": {o.name: {"unit": o.unit, "maximize": o.maximize} for o in problem.objectives},
        "limits": [str(limit) for limit in problem.limits],
    }
    posterior = posterior_front(problem, plan.algorithm, [*state.imported, *state.results])
    if history is None:
        frame = frame_of(problem.space, state.results)
        initial = plan.algorithm.initial
        warm = {} if plan.warm is None else {META: plan.warm.as_meta(problem)}
        table = run_table(
            frame, problem.objectives, problem.limits, initial, state.notes, imported_table(warm)
        )
        return SearchResult(
            table.front, frame, summarise(table, extra), ended, None, table, posterior, problem.space
        )
    history.check_in_place()
    out = history.path.parent
    table, meta = load_run(out)
    recorded_code = RunCode.from_meta(meta.get(CODE))
    if recorded_code is not None and recorded_code.accepted:
        extra["code_changed"] = [dict(change) for change in recorded_code.accepted]
    summary = export(out, table, extra, posterior, plots=plots, csv=csv)
    if kept is not None:
        kept.conclude(problem.space, state.front.items, history.trials())
    return SearchResult(table.front, table.frame, summary, ended, out, table, posterior, problem.space)
