"""Make the missing runs of a comparison: each as a task of an executor, or with its trials spread over workers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from nas.compare.config import SPREAD, spread
from nas.compare.results import check_values
from nas.compare.runs import CarryOut, Comparison, RunKey, carry_out
from nas.config.assemble import make_executor
from nas.core.errors import NasError
from nas.core.records import Architecture, Result, Trial

_POLL = 0.5  # seconds between reports


@dataclass
class Progress:
    """Progress of a comparison: all runs, existing runs, and the outcome of the others."""

    total: int
    earlier: int
    done: list[RunKey] = field(default_factory=list)
    failed: dict[RunKey, str] = field(default_factory=dict)
    running: int = 0
    now: str = ""  # status of a run whose trials are spread
    checked: set[str] = field(default_factory=set)  # problems with a run that has every value to report


Report = Callable[[Progress], None]


def run_missing(comparison: Comparison, report: Report) -> Progress:
    """Make every incomplete run; call `report` after each and about twice a second.

    A failed run is recorded with its reason; the others continue. KeyboardInterrupt passes through: the next
    call continues the started runs. Raises `ConfigError` after the first finished run of a problem without a value of its `report`
    or `time`.
    """
    keys = list(comparison.every_run())
    missing = [key for key in keys if not comparison.done(key)]
    progress = Progress(len(keys), len(keys) - len(missing))
    report(progress)
    for key in keys:
        if key not in missing and key.problem not in progress.checked:
            _check(comparison, key, progress)
    spread = {p.name for p in comparison.config.problems if p.executor.name == SPREAD}
    _as_tasks(comparison, tuple(key for key in missing if key.problem not in spread), progress, report)
    for key in missing:
        if key.problem in spread:
            _with_spread_trials(comparison, key, progress, report)
    return progress


def _as_tasks(comparison: Comparison, keys: tuple[RunKey, ...], progress: Progress, report: Report) -> None:
    if not keys:
        return
    part = spread(comparison.config.executor, min(comparison.config.workers, len(keys)))
    make, _ = make_executor(part, comparison.base)
    todo = list(range(len(keys)))
    with closing(make(CarryOut(comparison, keys), frozenset())) as executor:
        out = 0
        while todo or out:
            while todo and executor.free > 0:
                number = todo.pop(0)
                executor.submit(Trial(number, Architecture("runs", (number,)), keys[number].seed))
                out += 1
            progress.running = out
            report(progress)
            for result in executor.collect(_POLL):
                out -= 1
                _note(comparison, progress, keys[result.trial.id], result)
    progress.running = 0
    report(progress)


def _check(comparison: Comparison, key: RunKey, progress: Progress) -> None:
    if key.problem not in progress.checked:
        check_values(comparison, key)
        progress.checked.add(key.problem)


def _note(comparison: Comparison, progress: Progress, key: RunKey, result: Result) -> None:
    if result.ok:
        progress.done.append(key)
        _check(comparison, key, progress)
    else:
        progress.failed[key] = f"{result.status.value}: {result.error}".split("\n")[0]


def _with_spread_trials(comparison: Comparison, key: RunKey, progress: Progress, report: Report) -> None:
    def show(state: Any) -> None:
        progress.now = f"{key}: {state.evaluated}/{state.settings.evaluations} evaluated"
        report(progress)

    progress.running = 1
    try:
        carry_out(comparison, key, [show])
        progress.done.append(key)
    except NasError as error:
        progress.failed[key] = str(error).split("\n")[0]
    else:
        _check(comparison, key, progress)
    progress.running, progress.now = 0, ""
    report(progress)
