"""Resolve the task of a search once, so that costs are those of the trained networks."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import FunctionType, MethodType
from typing import Any

from nas.core.errors import ConfigError, NasError
from nas.core.evaluator import HasForSpace, HasLimits, HasTask
from nas.core.problem import Problem
from nas.core.space import SearchSpace, for_task
from nas.core.task_spec import TaskSpec
from nas.core.tracebacks import summarize_exception

DEPTH = 3  # depth of the search for an evaluator inside another


def settled(problem: Problem, *, recorded: TaskSpec | None = None, optional: bool = False) -> Problem:
    """The problem with the costs, limits and networks of its evaluator's data; unchanged if the data are unknown.

    With `optional`, unreadable data are accepted (workers on another machine have them, or nothing is left to train): the
    task is then the `recorded` one of an earlier session, if any.

    Raises the evaluator's `NasError` when the data cannot be read, and `ConfigError` when the space contradicts them.
    """
    sources = task_sources(problem.evaluate)
    if not sources:
        return problem
    try:
        tasks = {_asked(source) for source in sources}
        if len(tasks) > 1:  # ambiguous
            return problem
        task: TaskSpec | None = tasks.pop()
    except NasError:
        if not optional:
            raise
        task = recorded
    space = problem.space if task is None else for_task(problem.space, task)
    given: object = problem.evaluate
    evaluate: Any = given.for_space(space, task) if isinstance(given, HasForSpace) else problem.evaluate
    if isinstance(evaluate, HasLimits):
        evaluate = evaluate.for_limits(problem.all_limits)
    if task is not None and any(isinstance(source, HasForSpace) for source in sources):
        from nas.training.counts import check_counts, check_outputs  # imports torch

        check_counts(space, task)
        if any(getattr(source, "classifies", False) for source in sources):
            check_outputs(space, task)
    return problem.settled(space, evaluate, task)


def task_sources(evaluate: object) -> list[HasTask]:
    """The evaluator if it knows its data; otherwise the objects it holds or names that do."""
    if isinstance(evaluate, HasTask):
        return [evaluate]
    found: list[HasTask] = []
    seen: set[int] = set()
    waiting = [evaluate]
    for _ in range(DEPTH):
        inner = [part for one in waiting for part in _parts(one) if id(part) not in seen]
        seen |= {id(part) for part in inner}
        found += [part for part in inner if isinstance(part, HasTask) and not isinstance(part, type)]
        waiting = [part for part in inner if not isinstance(part, HasTask)]
    return found


def _parts(thing: object) -> Iterator[object]:
    """Parts of a callable: attributes, bound arguments, closure variables, and named globals."""
    if thing is None or isinstance(thing, (type, str, bytes, int, float, SearchSpace)):
        return
    if isinstance(thing, functools.partial):
        yield from (thing.func, *thing.args, *thing.keywords.values())
    elif isinstance(thing, MethodType):
        yield from (thing.__self__, thing.__func__)
    elif isinstance(thing, FunctionType):
        for cell in thing.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # an empty cell
                continue
        yield from (thing.__globals__[n] for n in thing.__code__.co_names if n in thing.__globals__)
    elif callable(thing):
        yield from getattr(thing, "__dict__", {}).values()
        slots: Any = getattr(type(thing), "__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(thing, name):
                yield getattr(thing, name)
        call = vars(type(thing)).get("__call__")
        if isinstance(call, FunctionType):
            yield call


def _asked(source: HasTask) -> TaskSpec:
    try:
        task = source.task_spec()
    except NasError:
        raise
    except Exception as error:
        raise ConfigError(f"evaluator: task_spec() failed: {summarize_exception(error)}") from error
    if not isinstance(task, TaskSpec):
        raise ConfigError(f"evaluator: task_spec() must return a nas.TaskSpec, got {type(task).__name__}")
    return task
