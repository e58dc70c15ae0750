"""Custom objectives: latency on this machine, energy, and robustness to noisy images, in addition to the error."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import nas
from nas.training import Recipe, TrainingEvaluator
from nas.training.latency import architecture_latency, forward_pass
from nas.training.robustness import Robustness
from search_spaces.nasbench101 import NASBench101

COUNTER = Path("/sys/class/powercap/intel-rapl:0/energy_uj")  # of the first processor; mostly for root alone
SPACE = NASBench101.digits()


@dataclass(frozen=True)
class PassCost:
    """Mean cost of `passes` forward passes of a batch of 64, by any monotonic clock."""

    clock: str
    passes: int = 20

    def __call__(self, architecture: nas.Architecture) -> float:
        """Joules or milliseconds per batch, depending on the clock."""
        read = CLOCKS[self.clock]
        network = SPACE.build(architecture, in_channels=1).eval()
        run = forward_pass(network, (64, 1, 8, 8))
        run()  # the first pass initialises
        start = read()
        for _ in range(self.passes):
            run()
        return (read() - start) / self.passes


def joules() -> float:
    """Energy used by the whole processor, including other programs (RAPL; it wraps round after hours)."""
    return int(COUNTER.read_text(encoding="ascii")) / 1e6


def processor_milliseconds() -> float:
    """Processor time of this process: a proxy without a counter, not an energy."""
    return 1e3 * time.process_time()


CLOCKS = {"joules": joules, "processor": processor_milliseconds}


def energy() -> nas.Objective:
    """Measured energy if the counter is readable; otherwise processor time, with a distinct name and unit."""
    try:
        joules()
    except (OSError, ValueError):
        return nas.Objective("processor_time", "ms", best=0, function=PassCost("processor"))
    return nas.Objective("energy", "J", best=0, function=PassCost("joules"))


def objectives() -> list[str | nas.Objective]:
    """The objectives; all but `params` are measured on the worker."""
    quick = architecture_latency(
        SPACE, batch=16, rounds=6, tolerance=0.5
    )  # a rough figure; see docs/latency.md
    latency = nas.Objective("latency", "ms", best=0, function=quick)
    return ["error", "robustness", "params", latency, energy()]


if __name__ == "__main__":
    noisy = Robustness(corruptions=("gaussian_noise",), severities=(3,), pictures=100, white=16)
    train = TrainingEvaluator(SPACE, recipe=Recipe(epochs=1), also=(noisy,))
    found = nas.search(SPACE, objectives(), train, limits=["params <= 300e3"], budget=10, seed=1)
    print(found.front.to_string(index=False))
