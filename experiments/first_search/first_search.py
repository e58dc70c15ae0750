"""Does the search of `make search` end well with every seed, and in time?

Runs the built-in search with several seeds in turn, by its command line, and writes one row per front to
results/first_search.csv: seconds and load of the machine (wall time means little on a busy one), size of the front,
fewest and most parameters on it, best validation accuracy. A run that exists in `--runs` is only read.

    python experiments/first_search/first_search.py --seeds 1 2 3 4 5 --runs /tmp/first
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

RESULTS = Path(__file__).parent / "results" / "first_search.csv"
NAS = "from nas.cli import main; main()"


def run(seed: int, folder: Path, further: list[str]) -> None:
    """Run the search of one seed into `folder`."""
    command = [sys.executable, "-c", NAS, "search", "--seed", str(seed), "--out", str(folder), *further]
    subprocess.run(command, check=True)
    (folder / "load.txt").write_text(f"{os.getloadavg()[1]:.1f}\n", encoding="utf-8")


def row(seed: int, folder: Path) -> dict[str, float]:
    """The result of the run in `folder`."""
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    front = pd.read_csv(folder / "front.csv")
    load = folder / "load.txt"
    return {
        "seed": seed,
        "evaluations": summary["evaluations"],
        "failed": summary["failed"],
        "seconds": round(summary["seconds"]),
        "load": float(load.read_text(encoding="utf-8")) if load.exists() else float("nan"),
        "front": len(front),
        "least_params": int(front["params"].min()),
        "most_params": int(front["params"].max()),
        "above_20000": int((front["params"] > 20_000).sum()),
        "best_accuracy": round(100 - float(front["error"].min()), 2),
    }


def main() -> None:
    """Run the missing seeds, write the table, print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs, one per seed")
    known, further = parser.parse_known_args()  # the remaining options go to nas search
    rows = []
    for seed in known.seeds:
        folder = known.runs / f"seed{seed}"
        if not (folder / "summary.json").exists():
            run(seed, folder, further)
        rows.append(row(seed, folder))
    table = pd.DataFrame(rows)
    RESULTS.parent.mkdir(exist_ok=True)
    table.to_csv(RESULTS, index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
