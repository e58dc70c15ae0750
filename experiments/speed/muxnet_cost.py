"""Time of a MUXNet architecture's exact cost, against building the network and counting.

    python experiments/speed/muxnet_cost.py [--points 1000]

For each preset: microseconds of `cost` an architecture (median of five passes over the points), and of building the
network and counting with hooks over some of the same points; the two must agree. Building is on PyTorch's meta
device (no weights, no arithmetic), which is the quickest way to count. Writes results/muxnet_cost.csv.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from nas.core.records import Architecture
from search_spaces.muxnet import PRESETS, MUXNetSpace

RESULTS = Path(__file__).parent / "results" / "muxnet_cost.csv"


def counted(space: MUXNetSpace, architecture: Architecture) -> dict[str, int]:
    """Parameters and MAdds by building and running."""
    with torch.device("meta"), torch.no_grad():
        network = space.build(architecture).eval()
        size = network.spec.resolution
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, space.in_channels, size, size))
    params = sum(p.numel() for p in network.parameters())
    return {"params": params, "madds": counter.get_total_flops() // 2}


def measure(preset: str, points: int) -> dict[str, str]:
    space = MUXNetSpace(preset)
    rng = np.random.default_rng(0)
    architectures = [space.sample(rng) for _ in range(points)]
    passes = []
    for _ in range(5):
        start = time.perf_counter()
        costs = [space.cost(a) for a in architectures]
        passes.append((time.perf_counter() - start) / points)
    built = []
    for architecture, cost in list(zip(architectures, costs, strict=True))[: max(5, points // 50)]:
        start = time.perf_counter()
        count = counted(space, architecture)
        built.append(time.perf_counter() - start)
        if count != cost:
            raise SystemExit(f"{space.format(architecture)}: closed form {cost}, counted {count}")
    closed, counting = statistics.median(passes), statistics.median(built)
    return {
        "space": space.name,
        "networks": f"{space.size:.3e}",
        "cost_us": f"{1e6 * closed:.1f}",
        "target_us": "100",
        "build_and_count_us": f"{1e6 * counting:.0f}",
        "times_faster": f"{counting / closed:.0f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--points", type=int, default=1000)
    points = parser.parse_args().points
    torch.set_num_threads(1)
    rows = [measure(preset, points) for preset in PRESETS]
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
