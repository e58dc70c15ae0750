"""Images per second of the ImageNet recipe on one GPU, beside a bare training loop.

Run: python experiments/imagenet/gpu_throughput.py [--batch 256] [--steps 8] [--rounds 5] [--networks ...]

The input is synthetic and of full size: random 224x224 images on the GPU as bytes, so that neither disk nor
decoding is measured. The recipe is that of `nas train --recipe imagenet`, through the trainer's own loop: normalising,
flip, random erasing, bfloat16 by autocast, channels_last, RMSprop, moving average of the weights. The bare loop is a
ten-line loop for a reference network: the same precision and layout, SGD, one repeated batch, no transform, no moving
average. All contenders run in turn, an epoch of `--steps` each, for several rounds; medians are reported.

`busy` is the share of a step in which the GPU computes: time within kernels, by torch's profiler, over the time of an
unprofiled step. `flops_share` is the floating-point operations of convolutions and linear layers (three passes) a second, as a share of
--peak (dense bfloat16 of the GPU, in TFLOP/s; an H100 SXM has 989). Writes results/gpu_throughput.csv.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from imagenet_rows import RESULTS, write
from torch import Tensor
from torch.nn.functional import cross_entropy

from nas.training.feed import MemoryFeed, Normalise
from nas.training.loop import Training
from nas.training.recipe import RECIPES
from search_spaces.networks import create_network, network_named, rows_of

SIDE, CLASSES = 224, 1000
Steps = Callable[[int], None]  # runs this number of steps


def recipe_steps(name: str, batch: int, most: int, device: torch.device) -> Steps:
    """The trainer on the published recipe; an epoch has the requested number of steps, `most` at most."""
    published = RECIPES["imagenet"]
    recipe = dataclasses.replace(published.recipe, batch_size=batch)
    network = create_network(name, dropout=published.dropout, drop_connect=published.drop_connect)
    network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    training = Training(network, recipe, epochs=recipe.epochs, seed=0, device=device)
    pixels, labels = images(batch * most, device)
    mean, std = (torch.tensor([value] * 3, device=device) for value in (127.5, 73.6))
    normalise = Normalise(mean, std, recipe.channels_last)

    def run(steps: int) -> None:
        count = batch * steps
        training.epoch(MemoryFeed(pixels[:count], labels[:count], normalise))

    return run


def bare_steps(name: str, batch: int, most: int, device: torch.device) -> Steps:
    """A minimal loop for this network alone."""
    network = create_network(name, dropout=0.0)
    network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    pixels, y = images(batch, device)
    x = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1

    def run(steps: int) -> None:
        for _ in range(steps):
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                loss = cross_entropy(network(x), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return run


LOOPS: dict[str, Callable[[str, int, int, torch.device], Steps]] = {
    "recipe": recipe_steps,
    "bare": bare_steps,
}


def images(count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Random bytes (count, side, side, 3) and labels."""
    generator = torch.Generator(device).manual_seed(0)
    pixels = torch.randint(
        0, 256, (count, SIDE, SIDE, 3), dtype=torch.uint8, device=device, generator=generator
    )
    return pixels, torch.randint(0, CLASSES, (count,), device=device, generator=generator)


def seconds_of(run: Steps, steps: int, wait: Callable[[], None]) -> float:
    """Wall seconds per step."""
    wait()
    start = time.perf_counter()
    run(steps)
    wait()
    return (time.perf_counter() - start) / steps


def kernel_seconds(run: Steps, steps: int) -> float:
    """Seconds per step within kernels of the GPU."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        run(steps)
        torch.cuda.synchronize()
    return sum(event.self_device_time_total for event in profiler.key_averages()) / 1e6 / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--networks", nargs="+", default=["resnet18", "mobilenet_v2", "muxnet_m"])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60.0, help="begin no further round after so long")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--peak", type=float, default=989.0, help="TFLOP/s of the GPU")
    parser.add_argument(
        "--benchmark", action="store_true", help="let cuDNN choose by timing (the trainer does not)"
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "gpu_throughput.csv")
    asked = parser.parse_args()
    device = torch.device(asked.device)
    on_gpu = device.type == "cuda"
    wait = torch.cuda.synchronize if on_gpu else lambda: None
    torch.backends.cudnn.benchmark = asked.benchmark
    runs = {
        (name, loop): make(name, asked.batch, asked.steps, device)
        for name in asked.networks
        for loop, make in LOOPS.items()
    }
    for run in runs.values():
        run(min(3, asked.steps))
    times: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
    begun = time.perf_counter()
    for _ in range(asked.rounds):
        for key, run in runs.items():
            times[key].append(seconds_of(run, asked.steps, wait))
        if time.perf_counter() - begun > asked.seconds:
            break
    rows = []
    for (name, loop), run in runs.items():
        step = statistics.median(times[name, loop])
        kernels = kernel_seconds(run, min(3, asked.steps)) if on_gpu else float("nan")
        rows.append(row_of(name, loop, asked.batch, asked.peak, step, kernels, times[name, loop]))
        print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    write(asked.out, with_ratio(rows))


def row_of(
    name: str, loop: str, batch: int, peak: float, step: float, kernels: float, times: list[float]
) -> dict[str, object]:
    """One row of the file, without the ratio."""
    madds = sum(row.madds for row in rows_of(network_named(name)))
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return {
        "network": name,
        "loop": loop,
        "batch": batch,
        "pictures_per_second": round(batch / step, 1),
        "ms_step": round(1e3 * step, 3),
        "ms_step_low": round(1e3 * min(times), 3),
        "ms_step_high": round(1e3 * max(times), 3),
        "ms_kernels": round(1e3 * kernels, 3),
        "busy": round(kernels / step, 3),
        "flops_share": round(3 * 2 * madds * batch / step / (peak * 1e12), 4),
        "rounds": len(times),
        "where": f"{where}, torch {torch.__version__}",
    }


def with_ratio(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """The rows, each with its images per second relative to the bare loop of the same network."""
    bare = {row["network"]: float(str(row["ms_step"])) for row in rows if row["loop"] == "bare"}
    return [{**row, "to_bare": round(bare[row["network"]] / float(str(row["ms_step"])), 3)} for row in rows]


if __name__ == "__main__":
    main()
