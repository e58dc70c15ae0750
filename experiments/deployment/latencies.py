"""Rank correlations of multiply-adds, PyTorch latency, ONNX Runtime latency and its latency in 8 bits.

    python experiments/deployment/latencies.py [--set muxnet-cifar published] [--networks 60]

`muxnet-cifar` are random networks of the space at 32 pixels (seed 0), `published` the named networks of the repository at 224 pixels with 1,000 classes. Weights are
random, in the size of trained ones; quantisation is calibrated on random images, which does not change the operators. One thread, one image; in onnxruntime in a
process of its own, with a reference network beside (docs/deployment.md). Each network is measured in all forms before the next. Appends a row for each network to
results/latencies.csv; a killed run continues. Prints Kendall's tau of every pair, with a 95% bootstrap interval over networks.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import kendalltau
from torch import nn

from nas.deployment.measure import Deployed
from nas.deployment.target import Target
from nas.spaces.making import make_space
from nas.training.latency import LatencySettings, enliven, network_timing, untrained
from search_spaces.networks import NETWORKS, create_network

sys.path.append(str(Path(__file__).resolve().parents[1]))
from engine_commit import engine_commit

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "latencies.csv"
SETS = ("muxnet-cifar", "published")
MEASURES = ("madds", "torch_ms", "ort_ms", "int8_ms")
TARGET = Target()
CALIBRATION = 16  # images
REPEATS = 1000  # of the bootstrap


def listed(name: str, count: int) -> Iterator[tuple[str, nn.Module, tuple[int, int, int], dict[str, float]]]:
    """Name, network, shape of its images and exact costs of the networks of a set."""
    if name == "published":
        for network, spec in list(NETWORKS.items())[:count]:
            torch.manual_seed(0)
            side = spec.resolution
            yield network, enliven(create_network(network)), (3, side, side), costs_of(network)
        return
    space, rng = make_space(name, {}), np.random.default_rng(0)
    for _ in range(count):
        architecture = space.canonical(space.sample(rng))
        made, shape = untrained(space, architecture, None, None, "ort_latency", "")
        yield space.format(architecture), made, shape, dict(space.cost(architecture))


def costs_of(network: str) -> dict[str, float]:
    """Parameters and multiply-adds of a named network."""
    from nas.cli.named_networks import named_network

    return dict(named_network(network).cost())


def row_of(network: nn.Module, shape: tuple[int, int, int]) -> dict[str, Any]:
    """Latencies in milliseconds with their unsteadiness, and sizes in bytes."""
    images = np.random.default_rng(0).standard_normal((CALIBRATION, *shape), dtype=np.float32)
    deployed = Deployed.of(network, images, TARGET)
    plain = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    timing = network_timing(plain, (1, *shape), LatencySettings())
    found: dict[str, Any] = {"torch_ms": timing.milliseconds, "torch_unsteady": timing.unsteadiness}
    for name, model in (("ort", deployed.model), ("int8", deployed.int8)):
        measured = deployed.device.measure(model, TARGET.timing_settings())
        found |= {
            f"{name}_ms": measured.milliseconds,
            f"{name}_unsteady": measured.unsteadiness,
            f"{name}_drift": measured.drift,
        }
    return found | {"file_size": len(deployed.model), "int8_size": len(deployed.int8)}


def measure(name: str, count: int, path: Path) -> None:
    """Append the missing rows of a set."""
    known = set(pd.read_csv(path).query("set == @name")["network"]) if path.is_file() else set()
    for text, network, shape, costs in listed(name, count):
        if text in known:
            continue
        costs = {key: costs[key] for key in ("params", "madds")}
        row = {"set": name, "network": text, **costs, **row_of(network, shape)}
        row |= {"processor": processor(), "engine": engine_commit()}
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame([row]).to_csv(
            path, mode="a", header=not path.is_file(), index=False, float_format="%.5g"
        )
        print(f"{name} {text[:60]}: " + ", ".join(f"{key} {row[key]:.4g}" for key in MEASURES), flush=True)


def processor() -> str:
    """The processor's name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Kendall's tau of every pair of measures, with a 95% interval."""
    rng = np.random.default_rng(0)
    rows = []
    for first, second in combinations(MEASURES, 2):
        x, y = table[first].to_numpy(), table[second].to_numpy()
        drawn = rng.integers(0, len(x), (REPEATS, len(x)))
        taus = [kendalltau(x[i], y[i]).statistic for i in drawn]
        low, high = np.nanquantile(taus, [0.025, 0.975])
        rows.append((first, second, kendalltau(x, y).statistic, low, high, len(x)))
    return pd.DataFrame(rows, columns=["first", "second", "tau", "low", "high", "networks"])


def main() -> None:
    """Measure, and print the agreement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument(
        "--networks", type=int, default=60, help=f"at most (there are {len(NETWORKS)} published)"
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    for name in args.set:
        measure(name, args.networks, args.results)
    table = pd.read_csv(args.results)
    for name, part in table.groupby("set"):
        print(f"\n{name}\n{agreement(part).round(2).to_string(index=False)}")


if __name__ == "__main__":
    main()
