"""Time to cost, canonicalise and vary NASBench-101 cells, beside building and counting.

Run from the root of the repository: `python -m experiments.speed.nasbench101_cost [CELLS]`. Prints median microseconds
over random cells, in two populations: as sampled (small cells prevail) and uniform over the space.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from time import perf_counter_ns

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from nas.core.records import Architecture
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench101.canonical import canonical_genes, canonical_graph


def median_us(function: Callable[[Architecture], object], architectures: Sequence[Architecture]) -> float:
    times = []
    for architecture in architectures:
        start = perf_counter_ns()
        function(architecture)
        times.append(perf_counter_ns() - start)
    return float(np.median(times)) / 1000


def forget() -> None:
    canonical_genes.cache_clear()
    canonical_graph.cache_clear()


def report(space: NASBench101, architectures: Sequence[Architecture], rng: np.random.Generator) -> None:
    def build_and_count(architecture: Architecture) -> tuple[int, int]:
        network = space.build(architecture).eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, space.in_channels, space.image_size, space.image_size))
        return sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2

    def show(name: str, microseconds: float) -> None:
        print(f"  {name:<28}{microseconds:>12,.1f} us")

    # The caches are emptied before each measurement; within one they fill as in a search.
    forget()
    show("cost", median_us(space.cost, architectures))
    cold = []
    for architecture in architectures:
        forget()
        cold.append(median_us(space.canonical, [architecture]))
    show("canonical, nothing cached", float(np.median(cold)))
    forget()
    show("canonical, first time", median_us(space.canonical, architectures))
    show("canonical, cached", median_us(space.canonical, architectures))
    forget()
    show("mutate", median_us(lambda a: space.mutate(a, rng), architectures))
    forget()
    show("crossover", median_us(lambda a: space.crossover(a, architectures[0], rng), architectures))
    build_and_count(architectures[0])  # the first call loads things
    show("build and count", median_us(build_and_count, architectures[:20]))


def main() -> None:
    torch.set_num_threads(1)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    rng = np.random.default_rng(0)
    for label, space in (("benchmark's network", NASBench101()), ("digits network", NASBench101.digits())):
        uniform = space.uniform_sampler()
        for population, draw in (("as sampled", space.sample), ("uniform", uniform)):
            print(f"{label}, {count:,} cells {population} (medians)")
            report(space, [draw(rng) for _ in range(count)], rng)


if __name__ == "__main__":
    main()
