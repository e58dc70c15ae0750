"""Quality along a run: hypervolume, IGD+ and additive epsilon; with one objective the best value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nas.compare.reference import Reference
from nas.compare.results import RunResult, View
from nas.compare.runs import RunKey
from nas.core.records import FloatArray
from nas.pareto.indicators import epsilon_additive, hypervolume, igd_plus


@dataclass(frozen=True)
class Measure:
    """A quality measure of a front.

    `of` takes its points (n, m), minimised. `nothing` is its value before the first result.
    """

    name: str
    label: str
    maximize: bool
    of: Callable[[FloatArray], float]
    nothing: float

    @property
    def sign(self) -> float:
        """+1 when larger is better, else -1."""
        return 1.0 if self.maximize else -1.0


def measures_of(view: View, reference: Reference | None) -> tuple[Measure, ...]:
    """The measures of a view, the first for tests and targets; none without a reference."""
    if len(view.objectives) == 1:
        item = view.objectives[0]
        nothing = -np.inf if item.maximize else np.inf
        label = f"{view.columns[0]} ({item.unit})" if item.unit else view.columns[0]
        return (Measure("best", label, item.maximize, lambda p: float(item.sign * p[0, 0]), nothing),)
    if reference is None:
        return ()
    front, box = reference.front, reference.box
    return (
        Measure("hypervolume", "hypervolume", True, lambda p: hypervolume(p, box), 0.0),
        Measure("igd_plus", "IGD+", False, lambda p: igd_plus(p, front, box), np.inf),
        Measure("epsilon", "additive epsilon", False, lambda p: epsilon_additive(p, front, box), np.inf),
    )


@dataclass(frozen=True)
class Curve:
    """A measure along one run: its values from the evaluations `steps` (k,) on, and their times.

    A run keeps its quality after its last evaluation.
    """

    key: RunKey
    measure: Measure
    steps: np.ndarray
    values: FloatArray
    clock: FloatArray  # (n,) seconds of every evaluation

    def at(self, evaluations: Sequence[int] | np.ndarray) -> FloatArray:
        """Quality after `evaluations`, (n,)."""
        return self._held(np.searchsorted(self.steps, evaluations, side="right"))

    def at_time(self, seconds: FloatArray) -> FloatArray:
        """Quality after `seconds`, (n,)."""
        return self.at(np.searchsorted(self.clock, seconds, side="right"))

    def _held(self, position: np.ndarray) -> FloatArray:
        held: FloatArray = np.concatenate([[self.measure.nothing], self.values])[position]
        return held

    def reaches(self, target: float) -> tuple[float, float]:
        """Evaluations and seconds until the value reaches the target; infinite if it does not."""
        good = np.flatnonzero(self.measure.sign * self.values >= self.measure.sign * target)
        if len(good) == 0:
            return np.inf, np.inf
        evaluation = int(self.steps[good[0]])
        return float(evaluation), float(self.clock[evaluation - 1])


def curves_of(run: RunResult, view: View, measures: Sequence[Measure]) -> dict[str, Curve]:
    """Every measure of a view along a run."""
    fronts = [run.front(view, step) for step in range(len(run.steps))]
    clock = run.rows["clock"].to_numpy(dtype=np.float64)
    found = {}
    for measure in measures:
        values = np.array([measure.of(front) for front in fronts], dtype=np.float64)
        found[measure.name] = Curve(run.key, measure, run.steps, values, clock)
    return found


def quartiles(values: FloatArray) -> FloatArray:
    """Lower quartile, median and upper quartile over runs, values (n, k), shape (3, k).

    Infinite values (no result yet, target not reached) count as worst.
    """
    with np.errstate(invalid="ignore"):
        found = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
    worst = np.where(np.isposinf(values).any(axis=0), np.inf, -np.inf)
    return np.where(np.isnan(found), worst, found)


def by_algorithm(curves: Mapping[RunKey, Curve]) -> dict[str, list[Curve]]:
    """The curves of each algorithm, by label, in order of their seeds."""
    found: dict[str, list[Curve]] = {}
    for key in sorted(curves, key=lambda k: k.seed):
        found.setdefault(key.algorithm, []).append(curves[key])
    return found


def time_grid(curves: Sequence[Curve], points: int = 200) -> FloatArray:
    """Seconds between the time when every run has a result and the end of the last one, (n,); may be empty."""
    timed = [c.clock for c in curves if len(c.clock) and len(c.steps)]
    if not timed:
        return np.empty(0)
    first = max(float(c.clock[c.steps[0] - 1]) for c in curves if len(c.steps))
    last = max(float(clock[-1]) for clock in timed)
    return np.linspace(first, last, points) if last > first else np.empty(0)


def evaluation_grid(budget: int, points: int = 400) -> np.ndarray:
    """Evaluations from 1 to the budget, all or an even selection."""
    return np.unique(np.linspace(1, budget, min(points, budget)).round().astype(np.int64))
