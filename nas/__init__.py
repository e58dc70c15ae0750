"""Multi-objective neural architecture search: search a space of networks for the Pareto front of your objectives.

Start with `search`. Names are imported on first use, so importing this package is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.core import moved
from nas.core.lazy import lazy_names

if TYPE_CHECKING:
    from nas.api import SearchResult, search, shrink
    from nas.baselines.compare import baseline
    from nas.core.algorithm import Algorithm
    from nas.core.errors import NasError
    from nas.core.evaluator import Evaluate
    from nas.core.executor import Executor
    from nas.core.objectives import Limit, Objective
    from nas.core.problem import Problem
    from nas.core.records import Architecture, Note, Observation, Result, Status, Trial
    from nas.core.space import SearchSpace
    from nas.core.surrogate import Surrogate
    from nas.core.task_spec import TaskSpec
    from nas.engine.callbacks import Callback
    from nas.engine.loop import LoopSettings, SearchState
    from nas.engine.stopping import Reached, Stalled, StopRule
    from nas.engine.study import Study, StudyTrial
    from nas.export.load_network import load_network
    from nas.export.product import export_run
    from nas.pareto.decision import Picked, knee, pick
    from nas.pareto.preferences import Preference
    from nas.runs.reading import load_run
    from nas.spaces.choices import Choices
    from nas.spaces.parameters import Choice, Float, Integer, Repeat
    from nas.spaces.space import Space

moved.install()

_HOMES = {
    "nas.api": ("SearchResult", "search", "shrink"),
    "nas.baselines.compare": ("baseline",),
    "nas.runs.reading": ("load_run",),
    "nas.engine.callbacks": ("Callback",),
    "nas.core.task_spec": ("TaskSpec",),
    "nas.engine.stopping": ("Reached", "Stalled", "StopRule"),
    "nas.engine.study": ("Study", "StudyTrial"),
    "nas.core.errors": ("NasError",),
    "nas.export.product": ("export_run",),
    "nas.export.load_network": ("load_network",),
    "nas.core.algorithm": ("Algorithm",),
    "nas.core.evaluator": ("Evaluate",),
    "nas.core.executor": ("Executor",),
    "nas.core.space": ("SearchSpace",),
    "nas.core.surrogate": ("Surrogate",),
    "nas.engine.loop": ("LoopSettings", "SearchState"),
    "nas.core.objectives": ("Limit", "Objective"),
    "nas.pareto.decision": ("Picked", "knee", "pick"),
    "nas.pareto.preferences": ("Preference",),
    "nas.core.problem": ("Problem",),
    "nas.spaces.choices": ("Choices",),
    "nas.spaces.parameters": ("Choice", "Float", "Integer", "Repeat"),
    "nas.spaces.space": ("Space",),
    "nas.core.records": ("Architecture", "Note", "Observation", "Result", "Status", "Trial"),
}
__all__ = [
    "Algorithm", "Architecture", "Callback", "Choice", "Choices", "Evaluate", "Executor", "Float",
    "Integer", "Limit", "LoopSettings", "NasError", "Note", "Objective", "Observation", "Picked",
    "Preference", "Problem", "Reached", "Repeat", "Result", "SearchResult", "SearchSpace", "SearchState",
    "Space", "Stalled", "Status", "StopRule", "Study", "StudyTrial", "Surrogate", "TaskSpec", "Trial",
    "baseline", "export_run", "knee", "load_network", "load_run", "pick", "search", "shrink",
]  # fmt: skip


__getattr__ = lazy_names(__name__, _HOMES, packages=("spaces", "testing", "training"))


def __dir__() -> list[str]:
    return sorted(__all__)
