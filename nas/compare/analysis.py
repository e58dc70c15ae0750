"""Evaluate the runs of a comparison: one `Study` per problem and view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nas.compare.config import CompareConfig, ProblemPart
from nas.compare.measures import Curve, Measure, by_algorithm, curves_of, measures_of
from nas.compare.reference import Reference, references
from nas.compare.results import SEARCHED, RunResult, View, read_runs
from nas.compare.runs import Comparison, RunKey
from nas.compare.statistics import Pair, Ranking, pairwise, ranking
from nas.core.records import FloatArray


@dataclass(frozen=True)
class Study:
    """The complete runs of a problem, measured in one view.

    `curves` maps the name of a measure to the runs. `measure` is the first one; tests and targets use it.
    """

    config: CompareConfig
    part: ProblemPart
    view: View
    reference: Reference | None
    measures: tuple[Measure, ...]
    runs: tuple[RunResult, ...]
    curves: dict[str, dict[RunKey, Curve]]

    @property
    def name(self) -> str:
        """Name for files and headings: the problem, and the kind of values if there are two."""
        return f"{self.part.name}, {self.kind}" if self.part.report else self.part.name

    @property
    def kind(self) -> str:
        """Whether values are searched or reported."""
        return self.view.kind

    @property
    def measure(self) -> Measure:
        """The measure of tests and targets."""
        return self.measures[0]

    @property
    def budget(self) -> int:
        """Evaluations of each run."""
        return self.config.budget_of(self.part)

    @property
    def labels(self) -> tuple[str, ...]:
        """The algorithms that have complete runs, in the order of the config."""
        present = {run.key.algorithm for run in self.runs}
        return tuple(label for label in self.config.labels if label in present)

    def of(self, measure: str) -> dict[str, list[Curve]]:
        """The curves of each algorithm, in the order of the config."""
        found = by_algorithm(self.curves[measure])
        return {label: found[label] for label in self.labels}

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """Seeds that every algorithm has completed, for comparison in pairs."""
        done = [{r.key.seed for r in self.runs if r.key.algorithm == label} for label in self.labels]
        return tuple(sorted(set.intersection(*done))) if done else ()

    def matrix(self, evaluations: int) -> FloatArray:
        """The measure after `evaluations`, larger is better: common seeds (n) by algorithms (k)."""
        curves = self.curves[self.measure.name]
        rows = [
            [curves[RunKey(self.part.name, label, seed)].at([evaluations])[0] for label in self.labels]
            for seed in self.seeds
        ]
        return self.measure.sign * np.array(rows, dtype=np.float64).reshape(len(self.seeds), len(self.labels))

    def pairs(self, evaluations: int) -> list[Pair]:
        """Pairwise comparison of all algorithms after `evaluations`."""
        return pairwise(self.labels, self.matrix(evaluations), self.config.alpha)

    def ranking(self, evaluations: int) -> Ranking:
        """Ranks after `evaluations` with seeds as blocks: they share design and trial seeds."""
        return ranking(self.labels, self.matrix(evaluations), "seeds", self.config.alpha)

    def fronts(self, label: str) -> list[FloatArray]:
        """The final front of each run of an algorithm, minimised."""
        return list(self._fronts(label).values())

    def paired_fronts(self, first: str, second: str) -> tuple[list[FloatArray], list[FloatArray]]:
        """The same of two algorithms, for the seeds that both have completed."""
        one, other = self._fronts(first), self._fronts(second)
        seeds = [seed for seed in one if seed in other]
        return [one[seed] for seed in seeds], [other[seed] for seed in seeds]

    def _fronts(self, label: str) -> dict[int, FloatArray]:
        runs = (run for run in self.runs if run.key.algorithm == label and run.members)
        return {run.key.seed: run.front(self.view) for run in runs}


def study(comparison: Comparison, part: ProblemPart) -> list[Study]:
    """The studies of one problem, searched values first; empty without a complete run."""
    views, runs = read_runs(comparison, part)
    if not runs:
        return []
    against = references(comparison, part, views, runs)
    found = []
    for view in views:
        measures = measures_of(view, against.get(view.kind))
        by_run = {run.key: curves_of(run, view, measures) for run in runs}
        curves = {m.name: {key: made[m.name] for key, made in by_run.items()} for m in measures}
        if measures:
            found.append(
                Study(comparison.config, part, view, against.get(view.kind), measures, tuple(runs), curves)
            )
    return found


def overall(studies: Sequence[Study], config: CompareConfig) -> dict[str, Ranking]:
    """Ranks over problems by kind of values: of the medians over all seeds at the end of the budget.

    Only algorithms with runs on every problem count. Blocks are problems, as in Demsar. A problem without
    reported values counts in both kinds. Empty with a single problem.
    """
    kinds = dict.fromkeys(s.kind for s in studies)
    found = {}
    for kind in kinds:
        chosen = [s for s in studies if s.kind == kind or (s.kind == SEARCHED and not s.part.report)]
        labels = [x for x in config.labels if all(x in s.labels for s in chosen)]
        rows = [[final_median(s, label) for label in labels] for s in chosen]
        values = np.array(rows, dtype=np.float64).reshape(len(chosen), len(labels))
        if len(labels) > 1 and len(chosen) > 1:
            found[kind] = ranking(labels, values, "problems", config.alpha)
    return found


def final_median(study: Study, label: str) -> float:
    """The median over all seeds at the end of the budget, larger is better."""
    values = [curve.at([study.budget])[0] for curve in study.of(study.measure.name)[label]]
    return float(study.measure.sign * np.median(values))
