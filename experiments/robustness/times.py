"""Milliseconds that each corruption takes on one core, for images of 32 and 224 pixels.

Run: python experiments/robustness/times.py [--rounds 5] [--out experiments/robustness/times.csv]

The median over rounds of the mean over the five severities, by processor time, corruptions in turn; the first round,
which makes kernels and frosted windows, is not counted.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np

from nas.training.corruptions import CORRUPTIONS, corrupt

SIDES = (32, 224)


def milliseconds(name: str, image: np.ndarray, seed: int) -> float:
    """Mean over the severities."""
    rng = np.random.default_rng(seed)
    start = time.process_time()
    for severity in range(1, 6):
        corrupt(image, name, severity, rng)
    return 200 * (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    table = [["corruption", *(f"ms_{side}" for side in SIDES)]]
    found: dict[tuple[str, int], list[float]] = {}
    for side in SIDES:
        image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
        for k in range(given.rounds + 1):
            for name in CORRUPTIONS:
                spent = milliseconds(name, image, k)
                if k:
                    found.setdefault((name, side), []).append(spent)
    for name in CORRUPTIONS:
        table.append([name, *(f"{np.median(found[name, side]):.2f}" for side in SIDES)])
    for row in table:
        print(row[0].ljust(16), *(cell.rjust(8) for cell in row[1:]))
    if given.out is not None:
        with given.out.open("w", newline="", encoding="utf-8") as lines:
            csv.writer(lines, lineterminator="\n").writerows(table)


if __name__ == "__main__":
    main()
