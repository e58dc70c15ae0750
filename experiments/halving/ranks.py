"""How well do models that see several budgets rank networks by their errors after the longest training?

    PYTHONPATH=experiments/quality python experiments/halving/ranks.py [--data ../shared/data] [--results 100 150] [--seeds 21]

Random networks of the tables of fidelities.py are trained with successive halving. Three models then rank those that had the lowest budget alone
(`low`) and 500 that were not trained (`unseen`, and the better `half` of them), by Kendall's tau with the true errors: `first` learns the results of the first rung;
`every` is the search's (`nas.algorithms.fidelities`); `architecture` passes from budget to budget with a Gaussian process that sees the architecture too.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads its libraries

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from fidelities import TABLES, Table

import nas
from nas.algorithms.expectation import Expectation
from nas.algorithms.fidelities import by_budget, target_budget
from nas.algorithms.prediction import Scale, make_predictors, process_for
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation, Result, Status
from nas.engine.fidelity import Rungs
from nas.training import Halving
from surrogates.quality import kendall_tau

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


def with_architectures(problem: Problem, known: Sequence[Observation]) -> dict[Architecture, float]:
    """Errors at the target budget, from a process that sees the architecture and its error at the budget below."""
    encode, make = process_for(problem)
    rungs = [of for budget, of in by_budget(known).items() if budget <= target_budget(known)]
    below = np.array([seen.objectives[0] for seen in rungs[0]])
    architectures = [seen.architecture for seen in rungs[0]]
    for rung in rungs[1:]:
        here = {seen.architecture: seen.objectives[0] for seen in rung}
        values = np.array([here.get(a, np.nan) for a in architectures])
        there = np.isfinite(values)
        X = np.column_stack([encode(architectures), Scale.of(ERROR, below).scores(below)])
        scale = Scale.of(ERROR, values[there])
        process = make(tune_points=120, max_iterations=20, noise=0.5, noise_width=0.5)
        process.fit(X[there], scale.scores(values[there]))
        below = np.where(there, values, scale.values(process.predict(X)[0]))
    return dict(zip(architectures, below.tolist(), strict=True))


def taus(table: Table, results: int, seed: int) -> list[dict[str, object]]:
    """Tau of each model."""
    problem = Problem(table.space, [ERROR, "params"], table)
    rng = np.random.default_rng(seed)
    members = list(table.rows)
    order = [members[i] for i in rng.permutation(len(members))]
    known = trained(table, problem, results, order)
    first = {seen.architecture: float(seen.objectives[0]) for seen in known if seen.budget == 1}
    believed = Expectation(problem).fit(known).believed(known).learned
    learned = {
        "first": first,
        "every": {seen.architecture: float(seen.objectives[0]) for seen in believed},
        "architecture": with_architectures(problem, known),
    }
    high = {seen.architecture for seen in known if (seen.budget or 0) >= target_budget(known)}
    unseen = [a for a in order if a not in first][:500]
    found = []
    for name, values in learned.items():
        (predictor,) = make_predictors(problem)
        predictor.fit(list(values), np.array(list(values.values())))
        predicted = predictor.predict([unseen])[0]
        true = table.errors[[table.rows[a] for a in unseen], -1]
        half = np.argsort(true, kind="stable")[: len(true) // 2]
        low = [a for a in values if a not in high]
        of_low: FloatArray = table.errors[[table.rows[a] for a in low], -1]
        found.append(
            {
                "model": name,
                "low": kendall_tau(np.array([values[a] for a in low]), of_low),
                "unseen": kendall_tau(predicted, true),
                "half": kendall_tau(predicted[half], true[half]),
            }
        )
    return found


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
