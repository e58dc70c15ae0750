"""Checks and cuts of a log before it is replayed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from nas.core.errors import HistoryError
from nas.core.problem import Problem
from nas.core.records import Result
from nas.runs.history import Event


def before_draining(events: Sequence[Event], concurrency: int) -> int:
    """Number of events of an ordered search to keep when it is resumed with a larger budget.

    Once its budget is spent, a search tells running trials without asking in between. To continue as if the budget had been
    larger from the start, those tells are undone and repeated.
    """
    running, dry = 0, False
    for position, event in enumerate(events):
        if event.kind == "ask":
            dry = event.trial is None
            running += not dry
        elif running < concurrency and not dry:
            asked_later = any(later.kind == "ask" for later in events[position:])
            return len(events) if asked_later else position
        else:
            running, dry = running - 1, False
    return len(events)


def check_whole(problem: Problem, results: Iterable[Result]) -> None:
    """Raise `HistoryError` when a logged success has no finite number for an objective."""
    for result in results:
        for name in problem.names if result.ok else ():
            value = result.values.get(name)
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                raise HistoryError(
                    f"trial {result.trial.id} is on record as a success with {name} = {value!r}, expected a finite "
                    "number: the log is damaged; restore it from a copy"
                )


def exact_difference(problem: Problem, result: Result) -> str:
    """Describe changes of the exact objectives of an earlier result; "" if there are none."""
    architecture = result.trial.architecture
    for name, now in problem.cheap_values(architecture).items():
        then = result.values.get(name, math.nan)
        if not math.isclose(then, now, rel_tol=1e-9):
            of = "" if problem.task is None else f" (for the data: {problem.task})"
            return (
                f"architecture {problem.space.format(architecture)} had {name} = {then:.10g} when the run was "
                f"started and has {now:.10g} now{of}"
            )
    return ""


def check_exact_values(problem: Problem, result: Result) -> None:
    """Raise `HistoryError` when an exact objective of a logged result has changed."""
    difference = exact_difference(problem, result) if result.ok else ""
    if difference:
        raise HistoryError(
            f"{difference}: the space's settings, the data or the objective changed, or an earlier version made the run, "
            "with costs of the space's default task (see CHANGELOG). Restore the settings in config.json, or start a new run."
        )
