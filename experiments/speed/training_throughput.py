"""Images per second of the training evaluator beside a bare hand-written loop, and of two workers beside one.

Run: python experiments/speed/training_throughput.py [--rounds 9] [--out experiments/speed/results/training_throughput.csv]

All contenders of a comparison run in turn within one process (two workers: in two processes started
beforehand), round after round, and medians of ratios are compared. One thread each. Rates are by wall clock
and by processor time; on a busy machine only the latter compares loops fairly. The evaluator's time is
that of a whole call, including making the network and evaluating a few images.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing as mp
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import torch
from torch import nn

from nas.core.records import Architecture, Trial
from nas.core.space import SearchSpace
from nas.training import Recipe, TrainingEvaluator
from nas.training.data import Digits, MemoryPictures, Splits

EPOCHS = 4


class OneNetwork(SearchSpace):
    """A plain convolution network of about 20,000 parameters; the one gene is the width in steps of eight."""

    name = "throughput"
    cardinalities = (4,)

    def build(self, architecture: Architecture, *, num_classes: int = 10, in_channels: int = 3) -> nn.Module:
        width = 8 * (architecture.genes[0] + 1)
        sizes = [(in_channels, width, 1), (width, width, 1), (width, 2 * width, 2), (2 * width, 2 * width, 2)]
        layers: list[nn.Module] = []
        for inputs, outputs, stride in sizes:
            layers += [
                nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
        return nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, num_classes)
        )


@dataclass(frozen=True)
class Noise:
    """Random images of a size, to time larger ones without a download."""

    side: int
    count: int

    def load(self) -> Splits:
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (self.count, 3, self.side, self.side), dtype=np.uint8)
        part = MemoryPictures(images, rng.integers(0, 10, self.count))
        small = part.select(np.arange(8))
        return Splits(part, small, small, tuple("0123456789"), (127.5,) * 3, (73.6,) * 3)


def bare(network: nn.Module, x: torch.Tensor, y: torch.Tensor, recipe: Recipe) -> None:
    """A minimal ten-line loop for this network alone."""
    optimiser = torch.optim.SGD(
        network.parameters(), lr=recipe.lr, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    steps = EPOCHS * -(-len(x) // recipe.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    network.train()
    for _ in range(EPOCHS):
        for at in torch.randperm(len(x)).split(recipe.batch_size):
            loss = nn.functional.cross_entropy(network(x[at]), y[at])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()


def contenders(width: int, data: Digits | Noise, recipe: Recipe) -> dict[str, Callable[[], float]]:
    """Functions that train once and return the number of training images."""
    space, architecture = OneNetwork(), Architecture("throughput", (width // 8 - 1,))
    splits = data.load()
    x = torch.from_numpy(splits.train.images).float()
    x = (x - torch.tensor(splits.mean).view(1, -1, 1, 1)) / torch.tensor(splits.std).view(1, -1, 1, 1)
    y = torch.from_numpy(splits.train.labels)
    images = len(x) * EPOCHS

    def hand_written() -> float:
        bare(space.build(architecture, in_channels=x.shape[1]), x, y, recipe)
        return images

    def evaluator(recipe: Recipe) -> Callable[[], float]:
        measure = TrainingEvaluator(space, data, recipe)

        def run() -> float:
            measure(Trial(0, architecture, seed=1))
            return images

        return run

    return {
        "bare loop": hand_written,
        "evaluator": evaluator(replace(recipe, channels_last=False)),
        "evaluator, channels_last": evaluator(recipe),
    }


def interleaved(
    functions: dict[str, Callable[[], float]], rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """Images per second, by the wall clock and by processor time, of each contender in each round."""
    for function in functions.values():
        function()  # the first run of a process pays for loading kernels
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    for k in range(rounds):
        names = list(functions)
        for name in names[k % len(names) :] + names[: k % len(names)]:  # nobody is always first
            wall, processor = time.perf_counter(), time.process_time()
            images = functions[name]()
            spent = time.perf_counter() - wall, time.process_time() - processor
            rates[name].append((images / spent[0], images / spent[1]))
    return rates


def worker(
    barrier: Barrier, active: list[bool], queue: mp.Queue[float], data: Digits, recipe: Recipe
) -> None:
    """Train whenever this worker is active in a round; report its trainings per second."""
    measure = TrainingEvaluator(OneNetwork(), data, recipe)
    trial = Trial(0, Architecture("throughput", (1,)), seed=1)
    measure(trial)
    for mine in active:
        barrier.wait()
        if mine:
            start = time.perf_counter()
            for _ in range(2):
                measure(trial)
            queue.put(2 / (time.perf_counter() - start))
        barrier.wait()


def two_workers(rounds: int, data: Digits, recipe: Recipe) -> dict[str, list[float]]:
    """Trainings per second of one worker and of two together, in turn."""
    context = mp.get_context("spawn")
    barrier, queue = context.Barrier(3), context.Queue()
    plan = [([True, False], "one worker"), ([True, True], "two workers")] * rounds
    processes = [
        context.Process(target=worker, args=(barrier, [a[i] for a, _ in plan], queue, data, recipe))
        for i in range(2)
    ]
    for process in processes:
        process.start()
    rates: dict[str, list[float]] = {"one worker": [], "two workers": []}
    for active, name in plan:
        barrier.wait()
        barrier.wait()
        rates[name].append(sum(queue.get() for a in active if a))
    for process in processes:
        process.join()
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    torch.set_num_threads(1)
    recipe = Recipe(epochs=EPOCHS)
    rows: list[tuple[str, str, str, list[float]]] = []
    cases: list[tuple[str, int, Digits | Noise]] = [
        ("digits 8x8, width 16", 16, Digits(validation=0.01)),
        ("32x32, width 16", 16, Noise(32, 320)),
        ("64x64, width 32", 32, Noise(64, 32)),
    ]
    for case, width, data in cases:
        rounds = options.rounds if width == 16 else max(3, options.rounds // 3)
        rates = interleaved(contenders(width, data, recipe), rounds)
        for k, unit in enumerate(("pictures/s", "pictures/CPU-s")):
            rows += [(case, name, unit, [v[k] for v in values]) for name, values in rates.items()]
    together = two_workers(options.rounds, Digits(), recipe)
    rows += [("digits 8x8, width 16", name, "trainings/s", values) for name, values in together.items()]
    table = []
    for case, name, unit, values in rows:
        first = next(v for c, _, u, v in rows if (c, u) == (case, unit))
        ratio = float(np.median(np.array(values) / np.array(first)))
        low, middle, high = np.percentile(values, [25, 50, 75])
        table.append([case, name, unit, f"{middle:.4g}", f"{low:.4g}", f"{high:.4g}", f"{ratio:.3f}"])
    head = ["case", "contender", "unit", "median", "quarter", "three_quarters", "ratio_to_first"]
    for line in [head, *table]:
        print(" | ".join(str(v).ljust(24 if i < 2 else 12) for i, v in enumerate(line)))
    if options.out is not None:
        with options.out.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([head, *table])


if __name__ == "__main__":
    main()
