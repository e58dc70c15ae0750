"""Speed and memory of every network of the table on this machine.

Run: python experiments/imagenet/speed.py [--device cpu|cuda] [--batches 1 64] [--rounds 7]

All networks take turns: each round times every one once, plain and fused, so that other load on the machine
affects all of them; medians are compared. On a CPU with one thread the time is that of the processor. Weights are
random, in the size of trained ones. On a GPU the networks run plain, in float32 and in bfloat16 by autocast.
Writes results/speed_cpu.csv or results/speed_cuda.csv, one row per network, batch and form. Timings with too wide a spread are
marked in the column `steady`, and with --strict the script refuses to write them.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
from pathlib import Path

import torch
from imagenet_rows import RESULTS, chosen, write
from torch import nn

from nas.training.latency import Call, LatencySettings, Timing, enliven, forward_pass, steady, time_in_turns
from search_spaces.networks import create_network, fuse_network

SIDE = 224


def network_of(name: str, form: str, device: str) -> nn.Module:
    """A network ready to run: `plain` and `bfloat16` in channels_last, `fused` in its fast form."""
    network = enliven(create_network(name)).eval()
    if form == "fused":
        network = fuse_network(network)
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def calls(names: list[str], batch: int, device: str) -> dict[tuple[str, str], Call]:
    """A forward pass of every network in every form that suits the device."""
    forms = ("plain", "fused") if device == "cpu" else ("plain", "bfloat16")
    shape = (batch, 3, SIDE, SIDE)
    return {
        (name, form): forward_pass(network_of(name, form, device), shape, device, half=form == "bfloat16")
        for name in names
        for form in forms
    }


def timed(
    names: list[str], batch: int, settings: LatencySettings, strict: bool
) -> dict[tuple[str, str], Timing]:
    """Timings by network and form. Raises `UnsteadyTiming` if strict."""
    todo = calls(names, batch, settings.device)
    found = time_in_turns({f"{name}, {form}": call for (name, form), call in todo.items()}, settings)
    if strict:
        steady(found, settings.tolerance)
    return dict(zip(todo, found.values(), strict=True))


def processor() -> str:
    """The processor's name, or its architecture."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def memory_on_cpu(name: str, form: str, batch: int) -> float:
    """Peak resident memory (MB) that a forward pass adds, in a separate process (Linux)."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_added, (name, form, batch))


def _added(name: str, form: str, batch: int) -> float:
    torch.set_num_threads(1)
    network = network_of(name, form, "cpu")
    forward_pass(network, (1, 3, SIDE, SIDE))()
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _status("VmRSS")
    forward_pass(network, (batch, 3, SIDE, SIDE))()
    return (_status("VmHWM") - before) / 1024


def _status(key: str) -> int:
    """A figure of /proc/self/status in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def memory_on_gpu(name: str, form: str, batch: int, device: str) -> float:
    """Peak memory (MB) that a forward pass allocates, weights and images included."""
    call = forward_pass(network_of(name, form, device), (batch, 3, SIDE, SIDE), device, half=form != "plain")
    torch.cuda.reset_peak_memory_stats(device)
    call()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) / 2**20


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1, help="of torch, on a CPU")
    parser.add_argument("--tolerance", type=float, default=0.1)
    parser.add_argument("--extensions", type=int, default=1)
    parser.add_argument("--networks", nargs="+", default=[])
    parser.add_argument("--strict", action="store_true", help="refuse to write unsteady figures")
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--no-memory", action="store_true", help="leave the peak memory out")
    parser.add_argument("--out", type=Path, help="CSV file to write")
    asked = parser.parse_args(arguments)
    names = chosen(asked.networks)
    settings = LatencySettings(
        rounds=asked.rounds,
        warm_up=asked.warm_up,
        tolerance=asked.tolerance,
        extensions=asked.extensions,
        threads=asked.threads,
        device=asked.device,
    )
    rows: list[dict[str, object]] = []
    for batch in asked.batches:
        for (name, form), timing in timed(names, batch, settings, asked.strict).items():
            memory: float | str = ""
            if asked.device == "cuda" and not asked.no_memory:
                memory = round(memory_on_gpu(name, form, batch, asked.device), 1)
            elif form == "plain" and batch > 1 and not asked.no_memory:
                memory = round(memory_on_cpu(name, form, batch), 1)
            rows.append(row_of(name, form, batch, timing, settings) | {"peak_memory_mb": memory})
            print(
                "  ".join(f"{key} {value}" for key, value in rows[-1].items() if key != "where"), flush=True
            )
    write(asked.out or RESULTS / f"speed_{asked.device}.csv", rows)


def row_of(name: str, form: str, batch: int, timing: Timing, settings: LatencySettings) -> dict[str, object]:
    """One row of the file."""
    low, high = timing.interval
    where = f"{torch.cuda.get_device_name()}" if settings.device == "cuda" else processor()
    return {
        "network": name,
        "form": form,
        "batch": batch,
        "ms": round(timing.milliseconds, 3),
        "ms_low": round(1e3 * low, 3),
        "ms_high": round(1e3 * high, 3),
        "pictures_per_second": round(batch / timing.median, 1),
        "steady": timing.unsteadiness <= settings.tolerance,
        "runs": len(timing.seconds),
        "clock": settings.clock,
        "threads": settings.threads if settings.device == "cpu" else "",
        "where": f"{where}, torch {torch.__version__}",
    }


if __name__ == "__main__":
    main()
