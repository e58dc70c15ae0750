"""How long does tracing take for the exact cost of a network, against building it and counting on the CPU?

    python experiments/speed/traced_cost.py [--repeats 21]

A MobileNetV2 of 1.3 times the width in plain PyTorch, a small vision transformer of torch's layers (both of 5M parameters)
and one of 1,000M, at 224 pixels. Median processor seconds on one thread (close to the time on an idle machine), construction
included, of `nas.spaces.tracing.trace` and of `FlopCounterMode` on the CPU and on the meta device, in turns. Multiply-adds
must agree with those on the meta device; on the CPU `FlopCounterMode` misses fused attention. Writes results/traced_cost.csv.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from nas.spaces.tracing import trace

RESULTS = Path(__file__).parent / "results" / "traced_cost.csv"
SHAPE = (3, 224, 224)
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def conv(entering: int, leaving: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    inner = nn.Conv2d(entering, leaving, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [inner, nn.BatchNorm2d(leaving)]


class Block(nn.Module):
    """An inverted residual block."""

    def __init__(self, entering: int, leaving: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = entering * expansion
        parts = [*conv(entering, hidden, 1), nn.ReLU6(inplace=True)] if expansion > 1 else []
        parts += [*conv(hidden, hidden, 3, stride, hidden), nn.ReLU6(inplace=True), *conv(hidden, leaving, 1)]
        self.body = nn.Sequential(*parts)
        self.residual = stride == 1 and entering == leaving

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.residual else self.body(x)


class MobileNetV2(nn.Module):
    """Sandler et al. 2018, table 2."""

    def __init__(self, width: float = 1.3) -> None:
        super().__init__()
        entering = int(32 * width + 4) // 8 * 8
        parts: list[nn.Module] = [*conv(3, entering, 3, 2), nn.ReLU6(inplace=True)]
        for expansion, channels, depth, stride in STAGES:
            leaving = int(channels * width + 4) // 8 * 8
            for place in range(depth):
                parts.append(Block(entering, leaving, expansion, 1 if place else stride))
                entering = leaving
        last = int(1280 * width)
        self.body = nn.Sequential(*parts, *conv(entering, last, 1), nn.ReLU6(inplace=True))
        self.classifier = nn.Linear(last, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.body(x).mean((2, 3)))


class Transformer(nn.Module):
    """A vision transformer without a class token."""

    def __init__(self, width: int = 192, heads: int = 3, depth: int = 12) -> None:
        super().__init__()
        self.cut = nn.Conv2d(3, width, 16, 16)
        self.places = nn.Parameter(torch.zeros(1, 196, width))
        make = partial(
            nn.TransformerEncoderLayer,
            width,
            heads,
            4 * width,
            batch_first=True,
            norm_first=True,
            activation="gelu",
        )
        self.layers = nn.Sequential(*(make() for _ in range(depth)))
        self.classifier = nn.Linear(width, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = self.cut(x).flatten(2).transpose(1, 2) + self.places
        return self.classifier(self.layers(x).mean(1))


def counted(make: Callable[[], nn.Module], device: str) -> int:
    with torch.device(device), torch.no_grad():
        network = make().eval()
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, *SHAPE))
    return counter.get_total_flops() // 2


def measure(name: str, make: Callable[[], nn.Module], repeats: int, on_cpu: bool) -> dict[str, str]:
    ways: dict[str, Callable[[], object]] = {
        "trace_s": lambda: trace(make, SHAPE),
        "flop_counter_meta_s": lambda: counted(make, "meta"),
    }
    if on_cpu:
        ways["flop_counter_cpu_s"] = lambda: counted(make, "cpu")
    costs, seconds = trace(make, SHAPE), {way: [] for way in ways}
    if costs["madds"] != counted(make, "meta"):
        raise SystemExit(f"{name}: traced {costs}, counted {counted(make, 'meta')}")
    for _ in range(repeats):
        for way, run in ways.items():
            start = time.process_time()
            run()
            seconds[way].append(time.process_time() - start)
    medians = {way: f"{statistics.median(found):.4f}" for way, found in seconds.items()}
    shown = {key: f"{value:.0f}" for key, value in costs.items()}
    return {"network": name, **shown, "flop_counter_cpu_s": "", **medians, "target_s": "0.05"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=21)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    start = time.process_time()
    trace(MobileNetV2, SHAPE)
    print(f"first trace of this process: {time.process_time() - start:.3f} s")
    rows = [
        measure("MobileNetV2 1.3", MobileNetV2, repeats, True),
        measure("transformer, width 192", Transformer, repeats, True),
        measure("transformer, width 1664", partial(Transformer, 1664, 13, 30), repeats, False),
    ]
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
