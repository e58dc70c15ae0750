"""The state of the workers of a search in this process."""

from __future__ import annotations

from dataclasses import dataclass

from nas.core.evaluator import HasWeights
from nas.core.space import text_of
from nas.engine.search_state import SearchState


@dataclass(frozen=True, slots=True)
class Work:
    """The state of a worker: its trial and architecture (text form), and for how many seconds; None and "" when idle."""

    worker: str
    trial: int | None = None
    architecture: str = ""
    seconds: float = 0.0


def trains(state: SearchState) -> bool:
    """Whether the trials of a search train networks, as far as its evaluator declares it."""
    evaluator: object = state.problem.evaluate
    return isinstance(evaluator, HasWeights)


def workers_of(state: SearchState) -> tuple[list[Work], int]:
    """The state of each worker, and the number of submitted trials that wait for one. Thread-safe."""
    out = dict(state.in_flight)
    work = []
    for worker in state.workers():
        trial = None if worker.trial is None else out.pop(worker.trial, None)
        if trial is None:
            work.append(Work(worker.name))
        else:
            text = text_of(state.problem.space, trial.architecture)
            work.append(Work(worker.name, trial.id, text, worker.seconds))
    return work, len(out)
