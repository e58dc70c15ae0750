"""The task of a search, resolved once before it starts: a problem whose costs are those of the networks it trains."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import FunctionType, MethodType
from typing import Any

from nas.core.errors import ConfigError, NasError
from nas.core.evaluator import HasForSpace, HasTask
from nas.core.problem import Problem
from nas.core.space import SearchSpace, for_task
from nas.core.task_spec import TaskSpec
from nas.core.tracebacks import summarize_exception

DEPTH = 3  # how far an evaluator is followed to the one that it calls


def settled(problem: Problem, *, recorded: TaskSpec | None = None, optional: bool = False) -> Problem:
    """The problem with the costs, limits and networks of its evaluator's data; the same one where nothing is known.

    With `optional` the data need not be readable here (workers on another machine have them, or nothing is left to
    train): then the task is the `recorded` one of an earlier session, if there is one.

    Raises the evaluator's `NasError` when the data cannot be read, and `ConfigError` when the space contradicts them.
    """
    sources = task_sources(problem.evaluate)
    if not sources:
        return problem
    try:
        tasks = {_asked(source) for source in sources}
        if len(tasks) > 1:  # which one counts, only the user knows
            return problem
        task: TaskSpec | None = tasks.pop()
    except NasError:
        if not optional:
            raise
        task = recorded
    space = problem.space if task is None else for_task(problem.space, task)
    given: object = problem.evaluate
    evaluate = given.for_space(space, task) if isinstance(given, HasForSpace) else problem.evaluate
    if task is not None and any(isinstance(source, HasForSpace) for source in sources):
        from nas.training.counts import check_counts  # which loads torch

        check_counts(space, task)
    return problem.settled(space, evaluate, task)


def task_sources(evaluate: object) -> list[HasTask]:
    """The evaluator if it knows its data; else those that it holds or names and that do."""
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
    """What a callable holds: attributes, bound arguments, variables around it, and globals that it names."""
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
            except ValueError:  # not set yet
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
