"""How well do models that see several budgets rank networks by their errors after the longest training?

    PYTHONPATH=experiments/quality python experiments/halving/ranks.py [--data ../shared/data] [--results 100 150] [--seeds 21]

Random networks of the tables of fidelities.py are trained with successive halving. All models begin with the search's predictor of the results of the
first rung (`first`). From rung to rung `value` adds a Gaussian process of the value, `steps` those of the search (`nas.algorithms.fidelities`: of the value, and of what remains given
value and architecture), `one` a single process of value and architecture. Printed are Kendall's tau with the true errors of the networks
that had the lowest budget alone (`low`) and of 500 that were not trained (`unseen`; `half`, the better half of them; `near`, pairs of them
whose parameters differ by less than a tenth), and how often a 90% interval, of the predictor's deviation and those of all steps, each scaled by its held-out
results, holds the error (`held_low`, `held`).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads its libraries

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fidelities import TABLES, Table

import nas
from nas.algorithms.fidelities import Step, budgets_to_learn, by_budget
from nas.algorithms.prediction import Encoding, Scale, make_predictors, process_for
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation, Result, Status
from nas.engine.fidelity import Rungs
from nas.training import Halving
from surrogates.quality import Z90, calibration, kendall_tau

ERROR = nas.Objective("error", "%", best=0.0)


def trained(table: Table, problem: Problem, results: int, order: Sequence[Architecture]) -> list[Observation]:
    """So many results of successive halving, over architectures in this order."""
    rungs = Rungs(rule=Halving(1, table.budgets[-1], 3.0))
    seen: list[Observation] = []
    fresh = iter(order)
    while len(seen) < results:
        number = len(seen)
        trial = rungs.next(number) or rungs.first(number, next(fresh), number)
        values = table(trial) | problem.cheap_values(trial.architecture)
        result = Result(trial, Status.OK, values)
        seen.append(problem.observe(result))
        rungs.told(result, seen[-1])
    return seen


@dataclass(frozen=True)
class Uncertain:
    """A step with its deviation: parts whose means add up, of the value (n, 1) or of the architecture and the value."""

    below: Scale
    own: Scale
    by_value: Any
    by_both: Any
    factor: float

    @classmethod
    def of(cls, kind: str, make: Any, X: FloatArray, below: FloatArray, values: FloatArray) -> Uncertain:
        step = Step.learn(ERROR, make, X, below, values)
        x, z = step.below.scores(below)[:, None], step.own.scores(values)
        line, both = step.line, step.remainder
        if kind == "one":
            both = make(tune_points=120, max_iterations=20, noise=0.5, noise_width=0.5)
            line, both = None, both.fit(np.column_stack([X, x]), z)
        elif kind == "value":
            both = None
        last, target = (both or line), z - (line.leave_one_out()[0] if line and both else 0.0)
        factor = max(0.5, calibration(*last.leave_one_out(), target))
        return cls(step.below, step.own, line, both, factor)

    def __call__(self, X: FloatArray, below: FloatArray) -> tuple[FloatArray, FloatArray]:
        x = self.below.scores(below)[:, None]
        parts = [self.by_value.predict(x)] if self.by_value else []
        parts += [self.by_both.predict(np.column_stack([X, x]))] if self.by_both else []
        return np.sum([mean for mean, _ in parts], axis=0), self.factor * parts[-1][1]


def passed(
    steps: Sequence[Uncertain], X: FloatArray, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean and deviation, each (n,), after these steps, of values a deviation below and above their mean."""
    for step in steps:
        (m0, s0), (m1, s1) = step(X, low), step(X, high)
        mean, std = (m0 + m1) / 2, np.sqrt((s0**2 + s1**2) / 2 + ((m1 - m0) / 2) ** 2)
        low, high = step.own.values(mean - std), step.own.values(mean + std)
    return mean, std


def near_tau(predicted: FloatArray, true: FloatArray, params: FloatArray) -> float:
    """Kendall's tau of the pairs whose parameters differ by less than a tenth."""
    log = np.log(params)
    i, j = np.nonzero(np.triu(np.abs(log[:, None] - log) < 0.1, 1))
    return float(np.mean(np.sign(predicted[i] - predicted[j]) * np.sign(true[i] - true[j])))


def taus(table: Table, results: int, seed: int) -> list[dict[str, object]]:
    """The numbers of each model."""
    problem = Problem(table.space, [ERROR, "params"], table)
    rng = np.random.default_rng(seed)
    members = list(table.rows)
    order = [members[i] for i in rng.permutation(len(members))]
    known = trained(table, problem, results, order)
    budgets = budgets_to_learn(known)
    rungs = [{s.architecture: float(s.objectives[0]) for s in by_budget(known)[b]} for b in budgets]
    unseen = [a for a in order if a not in rungs[0]][:500]
    low = [a for a in rungs[0] if a not in rungs[1]]
    errors = {
        name: table.errors[[table.rows[a] for a in of]] for name, of in (("low", low), ("unseen", unseen))
    }
    params = np.array([problem.cheap_values(a)["params"] for a in unseen])
    half = np.argsort(errors["unseen"][:, -1], kind="stable")[: len(unseen) // 2]
    (predictor,) = make_predictors(problem)
    predictor.fit(list(rungs[0]), np.array(list(rungs[0].values())))
    measured = np.array([rungs[0][a] for a in low])
    mean, std = predictor.predict([unseen])
    ends = predictor.values(mean - std), predictor.values(mean + std)
    encode, make = process_for(problem)
    found = []
    for model in ("first", "value", "steps", "one"):
        row: dict[str, object] = {"model": model}
        predicted, expected = mean, measured
        if model != "first":
            steps = learned(model, encode, make, rungs)
            predicted, deviation = passed(steps, encode(unseen), *ends)
            expected, narrow = passed(steps, encode(low), measured, measured)
            own, at = steps[-1].own, len(budgets) - 1
            for name, m, s, of in (
                ("held", predicted, deviation, "unseen"),
                ("held_low", expected, narrow, "low"),
            ):
                true = errors[of][:, at]
                row[name] = np.mean((own.values(m - Z90 * s) <= true) & (true <= own.values(m + Z90 * s)))
        true = errors["unseen"][:, -1]
        row |= {"low": kendall_tau(expected, errors["low"][:, -1]), "unseen": kendall_tau(predicted, true)}
        row |= {"half": kendall_tau(predicted[half], true[half]), "near": near_tau(predicted, true, params)}
        found.append(row)
    return found


def learned(
    model: str, encode: Encoding, make: Any, rungs: Sequence[dict[Architecture, float]]
) -> list[Uncertain]:
    """The steps of a model between these rungs."""
    steps = []
    for below, rung in pairwise(rungs):
        both = [a for a in rung if a in below]
        values = (np.array([of[a] for a in both]) for of in (below, rung))
        steps.append(Uncertain.of(model, make, encode(both), *values))
    return steps


def main() -> None:
    """Print the means over seeds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--results", nargs="+", type=int, default=[100, 150])
    parser.add_argument("--seeds", type=int, default=21)
    args = parser.parse_args()
    rows = []
    for name, read in TABLES.items():
        table = read(args.data)
        for n in args.results:
            rows += [
                {"table": name, "results": n} | row for s in range(args.seeds) for row in taus(table, n, s)
            ]
    found = pd.DataFrame(rows).groupby(["table", "results", "model"], sort=False)
    print(found.mean().to_string(float_format="%.2f"))


if __name__ == "__main__":
    main()
