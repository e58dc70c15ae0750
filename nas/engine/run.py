"""Run a specification: check, prepare, search, write."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from nas.core.code_files import code_of
from nas.core.errors import ConfigError, NasError
from nas.core.executor import Executor
from nas.core.files import absolute
from nas.core.interrupts import InterruptWatch, is_interrupt
from nas.core.plugins import collecting
from nas.core.problem import Problem
from nas.core.rungs import HasRule
from nas.core.task_spec import TaskSpec
from nas.core.tracebacks import summarize_exception
from nas.deployment.collapse import collapse_notice
from nas.deployment.drift import drift_notice
from nas.engine.again import repeat_measurements
from nas.engine.callbacks import AnyCallback, as_callback
from nas.engine.changed_code import checked_code, measuring
from nas.engine.fidelity import Rungs
from nas.engine.heartbeat import HeartbeatWriter
from nas.engine.ignored import IgnoredValues
from nas.engine.in_flight import default_concurrency
from nas.engine.initial import AnyArchitectures
from nas.engine.kept_weights import KeptWeights
from nas.engine.loop import LoopSettings, Search
from nas.engine.plan import TASK, NamedAlgorithm, Plan, check_ready, rule_of, with_weights
from nas.engine.record import SearchResult, conclude, recorded_code, remember
from nas.engine.search_state import utilisation_line
from nas.engine.settle import settled
from nas.engine.stopping import StopRule
from nas.engine.warm_start import AnySource, WarmStart, read_warm_start, recorded
from nas.executors import MakeExecutor
from nas.runs.files import check_new, check_resumable
from nas.runs.history import FILE, History
from nas.runs.history_table import check_readable
from nas.runs.log_file import well_formed

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SearchSpec:
    """All objects that `run` needs; names are already resolved.

    `algorithm_settings` None: defaults for the budget. `executor_settings` is recorded for readers; `remote` means that
    workers are on other machines, so data may be absent here. `record` is written to config.json. `code` are further modules
    of the search; their files are named relative to `base`. The other fields are arguments of `nas.search`.
    """

    problem: Problem
    algorithm: NamedAlgorithm
    algorithm_settings: Any = None
    executor: MakeExecutor
    executor_settings: Any = None
    loop: LoopSettings
    out: Path | None = None
    resume: bool = False
    keep_weights: bool = True
    warm_start: AnySource | None = None
    initial: AnyArchitectures = ()
    stop: Sequence[StopRule] = ()
    callbacks: Sequence[AnyCallback] = ()
    accept_changed_code: bool = False
    csv: bool = False
    plots: bool = True
    record: Mapping[str, Any] | None = None
    code: Sequence[ModuleType] = ()
    base: Path | None = None

    @property
    def remote(self) -> bool:
        """Whether workers are on an existing cluster."""
        return getattr(self.executor_settings, "address", None) is not None

    @property
    def workers(self) -> int | None:
        """The number of workers in the executor's settings; None if unknown."""
        workers = getattr(self.executor_settings, "workers", None)
        return workers if isinstance(workers, int) and workers > 0 else None


def run(spec: SearchSpec, on_ready: Callable[[Plan], None] | None = None) -> SearchResult:
    """Run a search to its end. `on_ready` is called after all checks, before the first worker starts.

    Raises the errors of `nas.search`.
    """
    with InterruptWatch():  # only a signal counts as an interrupt, not an exception of user code
        return _run_checked(_checked(spec), on_ready)


def check_spec(spec: SearchSpec) -> None:
    """Raise the errors that a new search raises before its first evaluation, such as a budget below the initial design."""
    prepare(_checked(replace(spec, out=None, keep_weights=False)), None)


def _run_checked(spec: SearchSpec, on_ready: Callable[[Plan], None] | None) -> SearchResult:
    """Resolve the task, make the plan, record it, then search."""
    base = spec.base or absolute(".")
    now = code_of(_parts(spec), base)  # before anything runs, so that it is the code that runs
    history = _opened_log(spec)
    try:
        # if every trial failed, changed code is the fix: there are no results to mix
        accept = spec.accept_changed_code or (history is not None and not history.succeeded())
        then = recorded_code(history, spec.resume)
        made_of = checked_code(then, now, accept)
        with collecting() as found:  # modules loaded by name, such as the file of a surrogate
            plan, kept = prepare(spec, history)
        if found:
            now = dict(sorted((code_of(found, base) | now).items()))
            made_of = checked_code(then, now, accept)
        if history is None or history.evaluated() < _planned(spec):
            check_ready(plan.problem, remote=spec.remote)
        if history is None and spec.out is not None:
            history = History(spec.out, plan.problem.space, create=True)
        if history is not None:
            remember(history, plan, spec.record, spec.resume, spec.stop, made_of)
        if spec.workers is not None and spec.workers > 1:
            _LOG.info("%s", utilisation_line(plan.settings, spec.workers))
        evaluator: object = plan.problem.evaluate
        if isinstance(evaluator, HasRule) and (notice := evaluator.notice(plan.rule)):
            _LOG.warning("%s", notice)
        if on_ready is not None:
            on_ready(plan)
        with nullcontext() if history is None else HeartbeatWriter(history.path.parent) as heartbeat:
            own = [callback for callback in (heartbeat, kept, IgnoredValues()) if callback is not None]
            return _search(spec, plan, history, [*own, *spec.callbacks], kept)
    except BaseException:
        if history is not None and not spec.resume:
            history.discard_if_empty()
        raise
    finally:
        if history is not None:
            history.close()


def prepare(spec: SearchSpec, log: History | None) -> tuple[Plan, KeptWeights | None]:
    """Prepare a search, or with a `log` its continuation; return its plan and the callback that prunes weights."""
    complete = log is not None and log.evaluated() >= _planned(spec)
    problem = settled(
        spec.problem, recorded=None if log is None else _recorded_task(log), optional=spec.remote or complete
    )
    warm = _warm_start(spec, problem) if log is None else recorded(log, problem, spec.warm_start)
    problem, kept = with_weights(problem, spec.loop.halving, spec.out, spec.keep_weights)
    loop = _with_concurrency(spec, log)
    plan = Plan.make(problem, spec.algorithm, spec.algorithm_settings, loop, log, warm, spec.initial)
    return plan, kept


def _with_concurrency(spec: SearchSpec, log: History | None) -> LoopSettings:
    """The settings of the loop with a number of trials in flight: as given, as recorded, or chosen from the workers."""
    if spec.loop.concurrency is not None:
        return spec.loop
    number = default_concurrency(spec.workers, spec.loop.evaluations)
    if log is not None:
        with well_formed(log.path):
            number = int((log.meta("identity") or {}).get("concurrency") or number)
    return replace(spec.loop, concurrency=number)


def _checked(spec: SearchSpec) -> SearchSpec:
    """The specification with callback objects and an absolute folder, after checking that folder."""
    if spec.resume and spec.out is None:
        raise ConfigError("resume: needs out, the folder of the run to continue")
    if spec.loop.evaluations is None:
        raise ConfigError("budget: expected a whole number of evaluations of at least 1, got None")
    out = None if spec.out is None else absolute(spec.out)  # now: a candidate may change the working folder
    if out is not None and spec.resume:
        check_readable(out / FILE)
        check_resumable(out)
    elif out is not None and not _is_folder(spec.warm_start, out):
        check_new(out)  # the folder is made after all other checks
    return replace(spec, out=out, callbacks=[as_callback(given) for given in spec.callbacks])


def _is_folder(source: AnySource | None, folder: Path) -> bool:
    return isinstance(source, (str, Path)) and absolute(source) == folder


def _planned(spec: SearchSpec) -> int:
    assert spec.loop.evaluations is not None
    return spec.loop.evaluations


def _parts(spec: SearchSpec) -> list[object]:
    """The objects whose code determines the search."""
    return [*measuring(spec.problem), *spec.code, spec.algorithm.make, spec.executor, *spec.callbacks]


def _opened_log(spec: SearchSpec) -> History | None:
    """The log of the run to resume; a new run's log is made after all other checks."""
    if spec.out is None or not spec.resume:
        return None
    return History(spec.out, spec.problem.space, create=False)


def _warm_start(spec: SearchSpec, problem: Problem) -> WarmStart | None:
    if spec.warm_start is None:
        return None
    now = None if spec.accept_changed_code else code_of(measuring(problem), spec.base or absolute("."))
    rule = rule_of(problem, spec.loop, spec.loop.evaluations, spec.loop.seconds)
    first = Rungs(spec.loop.fidelity, rule).budgets[0]
    return read_warm_start(spec.warm_start, problem, first, spec.out, now)


def _recorded_task(history: History) -> TaskSpec | None:
    """The recorded task of an earlier session; None if missing."""
    with well_formed(history.path):
        return TaskSpec.from_json((history.meta("identity") or {}).get(TASK))


@contextmanager
def _opened(executor: Executor) -> Iterator[Executor]:
    try:
        yield executor
    finally:
        executor.close()


def _search(
    spec: SearchSpec,
    plan: Plan,
    history: History | None,
    callbacks: Sequence[AnyCallback],
    kept: KeptWeights | None,
) -> SearchResult:
    """Run the loop, and write its results however it ends."""
    problem, ended = plan.problem, "finished"
    with _opened(spec.executor(problem.measure(), problem.measured)) as executor:
        imported = () if plan.warm is None else plan.warm.results
        loop = Search(
            problem,
            plan.algorithm,
            executor,
            plan.settings,
            history,
            callbacks,
            imported,
            spec.stop,
            plan.rule,
            plan.identity["algorithm"],
        )
        try:
            if spec.resume:
                loop.resume()
            loop.run()
        except KeyboardInterrupt:
            ended = "interrupted"
        except BaseException as error:
            if is_interrupt(error):  # such as SystemExit from a handler of SIGTERM
                raise
            if history is not None and loop.state.results:
                with suppress(Exception):  # report the first error
                    executor.close()
                    conclude(plan, loop.state, history, "stopped", kept, spec.plots, spec.csv)
            loop.end("stopped")
            if isinstance(error, Exception):
                raise
            raise NasError(f"the search was stopped by {summarize_exception(error)}") from error
    if loop.state.exhausted and ended == "finished":
        ended = "exhausted"
    result = conclude(plan, loop.state, history, ended, kept, spec.plots, spec.csv)
    loop.end(ended)
    if ended in ("finished", "exhausted") and result.out is not None and not spec.remote:
        repeat_measurements(problem, loop.state.front.items, result.out)
    for find in (collapse_notice, drift_notice):
        if notice := find(r.values for r in loop.state.results if r.ok):
            _LOG.warning("%s", notice)
    return result
