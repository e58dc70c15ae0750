"""Speed of a fused MUXNet relative to the plain one, on one thread.

    python experiments/speed/muxnet_fuse.py [--rounds 15]

The plain eager NCHW network and the fused one take turns in one process; a ratio is that of their medians, so
that other load on the machine affects both. Weights and statistics are random (at initialisation the
logits are nearly 0). The spatial-multiplexing layer (48 channels, scales -,0,+, 28x28) is compared in the same way
with its plain form, which is views and copies in NCHW. Writes results/muxnet_fuse.csv beside this file.

Much of the gain comes from memory: on Linux, malloc frees large buffers after every layer, and the system clears the
pages of the next. Without that,

    MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=8589934592 \
        python experiments/speed/muxnet_fuse.py --out experiments/speed/results/muxnet_fuse_kept.csv
"""

from __future__ import annotations

import argparse
import csv
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from nas.training.latency import enliven
from search_spaces.muxnet import create_model, fuse
from search_spaces.muxnet.fusion import fuse_multiplexing
from search_spaces.muxnet.layers import SpatialMultiplexing

RESULTS = Path(__file__).parent / "results" / "muxnet_fuse.csv"
SAME = 1e-5  # how far outputs may be apart, of the largest
TARGETS = {("network", 1): 2.0, ("network", 16): 2.8, ("layer", 1): 1.35, ("layer", 16): 2.0}


def interleaved(plain: Callable[[], Tensor], fast: Callable[[], Tensor], rounds: int) -> tuple[float, float]:
    """Median milliseconds of each, taking turns, after two rounds of warming up."""
    times: tuple[list[float], list[float]] = ([], [])
    for i in range(rounds + 2):
        for function, into in ((plain, times[0]), (fast, times[1])):
            start = time.perf_counter()
            function()
            if i >= 2:
                into.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[0]), statistics.median(times[1])


def compare(
    kind: str, name: str, plain: nn.Module, fast: nn.Module, x: Tensor, rounds: int
) -> dict[str, str]:
    """One row: milliseconds of both, their ratio, the target, and the distance of the outputs."""
    layout = torch.contiguous_format if kind == "network" else torch.channels_last
    given = x.contiguous(memory_format=layout)  # a layer of a fused network finds its input in channels_last
    expected = plain(x)
    apart = float((expected - fast(given)).abs().max() / expected.abs().max())
    if not apart < SAME:
        raise SystemExit(
            f"{name}: outputs are {apart:.1e} of the largest apart: times of these are meaningless"
        )
    slow, quick = interleaved(lambda: plain(x), lambda: fast(given), rounds)
    return {
        "what": name,
        "batch": str(len(x)),
        "plain_ms": f"{slow:.3f}",
        "fused_ms": f"{quick:.3f}",
        "ratio": f"{slow / quick:.2f}",
        "target": str(TARGETS[kind, len(x)]),
        "relative_difference": f"{apart:.1e}",
    }


def measure_layer(when: str, rounds: int, generator: torch.Generator) -> list[dict[str, str]]:
    """The spatial-multiplexing layer; its plain form gains from memory that earlier work has left to reuse."""
    rows = []
    for batch in (1, 16):
        layer = SpatialMultiplexing(48, 3, (-1, 0, 1), 28)
        x = torch.randn(batch, 48, 28, 28, generator=generator)
        name = f"spatial multiplexing, {when}"
        rows.append(compare("layer", name, layer, fuse_multiplexing(layer), x, 20 * rounds))
    return rows


def measure(rounds: int) -> list[dict[str, str]]:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    rows = measure_layer("alone", rounds, generator)
    for name in ("muxnet_m", "muxnet_l"):
        plain = enliven(create_model(name)).eval()
        fused = fuse(plain)  # type: ignore[arg-type]
        for batch in (1, 16):
            x = torch.randn(batch, 3, 224, 224, generator=generator)
            rows.append(compare("network", name, plain, fused, x, 3 * rounds if batch == 1 else rounds))
    return rows + measure_layer("after the networks", rounds, generator)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15, help="turns at batch 16; three times as many at 1")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    rounds, out = asked.rounds, asked.out
    with torch.inference_mode():
        rows = measure(rounds)
    where = f"torch {torch.__version__}, {platform.machine()}, 1 thread"
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "where"])
        writer.writeheader()
        writer.writerows({**row, "where": where} for row in rows)
    print(f"{where}; written to {out.name}")


if __name__ == "__main__":
    main()
