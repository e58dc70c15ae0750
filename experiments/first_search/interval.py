"""Does the stated interval hold the test error of the networks on the front of `make search`?

Reads the runs of `first_search.py` (one folder per seed), evaluates each network of the front on the test images with its kept weights,
and writes one row per run to results/interval.csv: members of the front, those whose test error lies within `error_low` and
`error_high`, and the means of the measured, the expected and the test error.

    python experiments/first_search/first_search.py --seeds 1 2 3 --runs /tmp/first
    python experiments/first_search/interval.py --runs /tmp/first --engine COMMIT
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

from nas.config.assemble import make_problem
from nas.config.schema import check_config
from nas.core.records import Trial
from nas.engine.settle import settled

RESULTS = Path(__file__).parent / "results" / "interval.csv"
_ROUNDING = 1e-9


def tested(run: Path) -> pd.DataFrame:
    """The front of a run with a column `test_error`."""
    record = json.loads((run / "config.json").read_text(encoding="utf-8"))
    problem = settled(make_problem(check_config(record["config"]["search"])))
    evaluator: Any = problem.evaluate
    evaluator = evaluator.keeping(str(run / "weights"), None)
    kept = json.loads((run / "weights" / "index.json").read_text(encoding="utf-8"))
    front = pd.read_csv(run / "front.csv")
    errors = []
    for text in front["architecture"]:
        if text not in kept:  # its weights were removed
            errors.append(float("nan"))
            continue
        entry = kept[text]
        trial = Trial(entry["trial"], problem.space.parse(text), entry["seed"], entry["budget"])
        errors.append(evaluator.test(trial).values()["error"])
    return front.assign(test_error=errors)


def row(run: Path, engine: str) -> dict[str, float | str]:
    """The row of a run that this commit made; networks whose weights were removed are left out."""
    front = tested(run).dropna(subset="test_error")
    low, high = front["error_low"] - _ROUNDING, front["error_high"] + _ROUNDING
    inside = (low <= front["test_error"]) & (front["test_error"] <= high)
    return {
        "engine": engine,
        "run": run.name,
        "front": len(front),
        "inside": int(inside.sum()),
        "share": round(float(inside.mean()), 3),
        "error": round(float(front["error"].mean()), 3),
        "error_expected": round(float(front["error_expected"].mean()), 3),
        "test_error": round(float(front["test_error"].mean()), 3),
    }


def main() -> None:
    """Write the table and print it, with the share over all runs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs, one per seed")
    parser.add_argument("--engine", required=True, help="the commit that made the runs, for the table")
    given = parser.parse_args()
    table = pd.DataFrame([row(path.parent, given.engine) for path in sorted(given.runs.glob("*/front.csv"))])
    RESULTS.parent.mkdir(exist_ok=True)
    table.to_csv(RESULTS, index=False)
    print(table.to_string(index=False))
    print(f"within the interval: {table['inside'].sum()} of {table['front'].sum()}")


if __name__ == "__main__":
    main()
