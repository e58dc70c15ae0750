"""Train MobileNets as the finalists of the searches are trained, and test them.

    python experiments/practitioner/mobilenets.py [--networks mobilenet_v2@0.25 ...]

MobileNetV2 and MobileNetV3 (large and small) at several widths, small ones first; one recipe and seed for all, those of
experiments/weight_sharing/equal_compute.py. Appends a row for each to results/mobilenets.csv. A killed run continues.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads its libraries

import argparse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "weight_sharing"))

from equal_compute import finalist  # first: it finds the modules of the pools

# isort: split
from pools import TASK

from nas.baselines.networks import DEFAULT, FAMILIES, NARROW, fitted
from nas.baselines.space import BaselineSpace

RESULTS = Path(__file__).resolve().parent / "results"
NAMES = (*DEFAULT, *(family + width for family in FAMILIES for width in NARROW))


def mobilenets() -> BaselineSpace:
    """The MobileNets, counted for the images of the study."""
    return BaselineSpace({name: fitted(name, name, TASK, traced=False) for name in NAMES}, TASK)


def main() -> None:
    """Train the missing networks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    space = mobilenets()
    for name in sorted(args.networks, key=lambda one: space.cost(space.of(one))["madds"]):
        print(finalist(name, args.results / "mobilenets.csv", space), flush=True)


if __name__ == "__main__":
    main()
