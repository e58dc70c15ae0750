"""Train segmentations of CamVid from scratch: MUXNet-m, MobileNetV2 and ResNet-18, each with C1 and with PPM.

Run, from the root of the repository:

    python experiments/segmentation/camvid.py --data ../shared/data/images/camvid_240x180.parquet --minutes 4

trains the six in parallel on a GPU, all for the number of epochs that fits in the minutes (measured first, at that load),
and writes `results.csv`, `curves.csv`, `curves.png` and `pictures.png` to --out. `--small --device cpu --jobs 2 --minutes 110`
is for two cores: fewer pixels at a time, a coarser output stride and narrower heads. `--epochs` fixes the number of
epochs instead. The trainings stay in --runs, one folder each, and continue after an interruption.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that it runs as a script

import numpy as np
import torch
from torch import Tensor, nn

from experiments.segmentation.report import Trained, report
from nas.core.errors import NasError
from nas.training import FullSettings, Recipe, train_full
from nas.training.full import FullResult, Row
from nas.training.loop import Training, precision
from nas.training.recipe import RECIPES
from nas.training.tasks.segmentation.data import CamVid, load
from nas.training.tasks.segmentation.network import SegmentationNetwork
from nas.training.tasks.segmentation.settings import Augment, HeadSettings
from nas.training.tasks.segmentation.task import Segmentation
from nas.training.weights import read

NETWORKS = {"muxnet_m": "MUXNet-m", "mobilenet_v2": "MobileNetV2", "resnet18": "ResNet18"}
HEADS = {"c1": "C1", "ppm": "PPM"}
SHEET = 5  # test images on the sheet
SCALES = (0.75, 1.0, 1.25, 1.5, 1.75)  # of the multi-scale test
PACING = 0.01  # of the minutes: time to measure each network's pace
MARGIN = 0.85  # of the remaining time, for the planned epochs
PACE = "pace.json"  # beside the folder of a training, which must start empty
SCORES = "scores.json"  # in the folder of a training


@dataclass(frozen=True)
class Plan:
    """Settings of one network's training."""

    head: HeadSettings
    task: Segmentation
    recipe: Recipe
    validate_every: int


def plan_of(head: str, small: bool) -> Plan:
    """For a GPU, or `small` for two cores."""
    recipe = RECIPES["camvid"].recipe
    if small:
        return Plan(
            HeadSettings(head, output_stride=16, width=64 if head == "ppm" else None, auxiliary=True),
            Segmentation(Augment((96, 128), (0.6, 1.5))),
            replace(recipe, batch_size=8, lr=0.05, ema_decay=0.99),
            5,
        )
    return Plan(
        HeadSettings(head, output_stride=8, width=128 if head == "ppm" else None, auxiliary=True),
        Segmentation(Augment((176, 240), (0.75, 2.0))),
        recipe,
        5,
    )


def build(name: str, head: HeadSettings, *, num_classes: int, in_channels: int) -> SegmentationNetwork:
    """The whole network with its first weights."""
    from search_spaces.networks import create_features

    body: Any = create_features(name, in_channels)
    return SegmentationNetwork(body, head, num_classes=num_classes, in_channels=in_channels)


class Graphed(nn.Module):
    """A network whose training pass on batches of one shape is a recorded CUDA graph: one launch, not hundreds.

    Batches of another shape run as usual. Runs without a graph if it cannot be recorded.
    """

    def __init__(self, network: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.network = network
        self.shape = shape
        self.recorded: Any = None
        sample = torch.randn(shape, device="cuda").contiguous(memory_format=torch.channels_last)
        network.train()
        try:
            with torch.autocast("cuda", dtype=torch.bfloat16, cache_enabled=False):
                self.recorded = torch.cuda.make_graphed_callables(Pass(network), (sample,))
        except Exception as error:
            print(f"without CUDA graphs: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        network.zero_grad(set_to_none=True)

    def forward(self, x: Tensor) -> Any:
        use = self.recorded is not None and tuple(x.shape) == self.shape
        return self.recorded(x) if use else self.network(x)


class Pass(nn.Module):
    """Calls a network; recording a pass changes this module, not the network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Any:
        return self.network(x)


def wrapped(plan: Plan, graphs: bool, network: nn.Module) -> nn.Module:
    """The module to call in a step."""
    crop = plan.task.augment.crop
    if not graphs or crop is None:
        return network
    return Graphed(network, (plan.recipe.batch_size, 3, *crop))


def graphs(args: argparse.Namespace) -> bool:
    """Whether steps are recorded as CUDA graphs."""
    return bool(torch.device(args.device).type == "cuda" and not args.eager)


def pace_file(folder: Path) -> Path:
    """The pace of a training, by its folder."""
    return folder.with_name(f"{folder.name}-{PACE}")


def pace(args: argparse.Namespace) -> None:
    """Time an epoch and the final test under the load of the others; write `pace_file`.

    The time of the test is that of a validation, scaled by the number of pixels of its images, scales and mirroring.
    """
    device, plan = torch.device(args.device), plan_of(args.head, args.small)
    prepared = plan.task.prepare(CamVid(args.data), plan.recipe, device)
    torch.manual_seed(0)
    network = build(args.network, plan.head, num_classes=prepared.num_classes, in_channels=3)
    network = network.to(device).to(memory_format=torch.channels_last)
    training = Training(
        network,
        plan.recipe,
        epochs=10**6,
        seed=0,
        device=device,
        loss=plan.task.loss(plan.recipe, prepared),
        forward=wrapped(plan, graphs(args), network),
    )
    training.epoch(prepared.train)  # the first is slower
    begun, most = time.time(), PACING * 60 * args.minutes
    while training.done == 1 or time.time() - begun < most:
        training.epoch(prepared.train)
    epoch = (time.time() - begun) / (training.done - 1)
    begun = time.time()
    plan.task.judge(network, prepared.validation, prepared, training.precision)
    validation = time.time() - begun
    epoch += validation / plan.validate_every
    passes = 1 + 2 * sum(scale**2 for scale in SCALES)
    test = validation * passes * len(prepared.test) / len(prepared.validation)
    args.runs.mkdir(parents=True, exist_ok=True)
    found = {"seconds_an_epoch": epoch, "seconds_of_the_test": test}
    pace_file(args.folder).write_text(json.dumps(found), encoding="utf-8")
    print(f"{args.network} {args.head}: {epoch:.2f} s an epoch", flush=True)


def epochs_that_fit(args: argparse.Namespace, until: float) -> int:
    """The number of epochs that fits until then, the same for every network, so that the table compares them."""
    run_all(args, ["--pace"], pace_file)
    paces = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(args.runs.glob(f"*-{PACE}"))]
    if not paces:
        sys.exit("no epoch of any network came to an end")

    def side_by_side(key: str) -> float:
        seconds = [one[key] for one in paces]
        return float(max(max(seconds), sum(seconds) / args.jobs))

    left = MARGIN * (until - time.time()) - side_by_side("seconds_of_the_test")
    return max(2, int(left / side_by_side("seconds_an_epoch")))


def train_one(args: argparse.Namespace) -> None:
    """Train one network in a separate process; write `scores.json` and `sheet.npz` beside the training's files."""
    torch.backends.cudnn.benchmark = True
    device = torch.device(args.device)
    plan = plan_of(args.head, args.small)
    recipe = replace(plan.recipe, epochs=args.epochs)
    settings = FullSettings(
        seed=0,
        threads=args.threads,
        device=args.device,
        checkpoint_seconds=60.0,
        validate_every=plan.validate_every,
        wrap=partial(wrapped, plan, graphs(args)),
        on_epoch=partial(_say, f"{args.network} {args.head}", args.epochs),
    )
    making = partial(build, args.network, plan.head)
    result = train_full(making, CamVid(args.data), recipe, args.folder, settings=settings, task=plan.task)
    _judge(args, plan, result, device)


def _judge(args: argparse.Namespace, plan: Plan, result: FullResult, device: torch.device) -> None:
    """The test at one scale and at several, and predictions for the sheet."""
    prepared = plan.task.prepare(CamVid(args.data), plan.recipe, device)
    network = build(args.network, plan.head, num_classes=prepared.num_classes, in_channels=3)
    network.load_state_dict(read(result.weights)["network"])
    network.to(device).eval()
    cast = precision(plan.recipe, device)
    several = replace(plan.task, test_scales=SCALES, test_mirror=True)
    assert result.test is not None
    scores = {
        "epochs": len(result.log),
        "seconds": round(sum(row["seconds"] for row in result.log), 1),
        "test": result.test.report(prepared.class_names),
        "multi_scale": several.judge(network, prepared.test, prepared, cast).report(prepared.class_names),
    }
    at = sheet_rows(len(prepared.test))
    with torch.inference_mode():
        x = torch.cat([x for x, _ in prepared.test.batches([torch.tensor(at)], None)])
        predicted = plan.task.probabilities(network, x, cast).argmax(1).to(torch.uint8).cpu().numpy()
    np.savez_compressed(args.folder / "sheet.npz", predicted=predicted)
    (args.folder / SCORES).write_text(json.dumps(scores, indent=2), encoding="utf-8")


def sheet_rows(count: int) -> list[int]:
    """Positions of the test images on the sheet, evenly spaced."""
    return [int(i) for i in np.linspace(0, count - 1, SHEET + 2)[1:-1]]


def _say(name: str, epochs: int, row: Row) -> None:
    if "validation_miou" in row:
        print(
            f"{name}: epoch {row['epoch']:.0f}/{epochs} loss {row['train_loss']:.3f} "
            f"mIoU {row['validation_miou']:.2f}% {row['seconds']:.2f} s",
            flush=True,
        )


def run_all(args: argparse.Namespace, options: Sequence[str], result: Callable[[Path], Path]) -> None:
    """Run this script for every network without that result, `--jobs` at a time; again without CUDA graphs after a failure."""
    pending = [
        (n, h, args.eager)
        for h in args.heads
        for n in args.networks
        if not result(folder_of(args.runs, n, h)).is_file()
    ]
    running: list[tuple[subprocess.Popen[bytes], tuple[str, str, bool]]] = []
    while pending or running:
        while pending and len(running) < args.jobs:
            running.append((_start(args, *pending[0], options), pending.pop(0)))
        time.sleep(0.2)
        for process, (name, head, eager) in running:
            if process.poll() not in (None, 0) and not eager and args.device != "cpu":
                pending.append((name, head, True))  # what may have been in the way
        running = [one for one in running if one[0].poll() is None]


def train_all(args: argparse.Namespace) -> None:
    """Train every network with every head; then report on the complete ones."""
    until = time.time() + 60 * args.minutes
    try:
        splits = load(CamVid(args.data))
    except NasError as error:  # before anything is started
        sys.exit(str(error))
    planned = args.runs / "epochs.json"
    if args.epochs is None and planned.is_file():  # of trainings that were interrupted
        args.epochs = int(json.loads(planned.read_text())["epochs"])
    epochs = args.epochs or epochs_that_fit(args, until)
    args.runs.mkdir(parents=True, exist_ok=True)
    planned.write_text(json.dumps({"epochs": epochs}), encoding="utf-8")
    print(f"{epochs} epochs of every network", flush=True)
    run_all(args, ["--epochs", str(epochs)], lambda folder: folder / SCORES)
    pairs = [splits.test.pair(i) for i in sheet_rows(len(splits.test))]
    trained = [
        Trained(f"{NETWORKS.get(n, n)} + {HEADS[h]}", folder_of(args.runs, n, h))
        for h in args.heads
        for n in args.networks
    ]
    done = [one for one in trained if (one.folder / SCORES).is_file()]
    report(done, pairs, splits.class_names, args.out)
    if failed := [one.name for one in trained if one not in done]:
        sys.exit(f"failed: {', '.join(failed)}")


def folder_of(runs: Path, network: str, head: str) -> Path:
    """The folder of a training."""
    return runs / f"{network}_{head}"


def _start(
    args: argparse.Namespace, name: str, head: str, eager: bool, options: Sequence[str]
) -> subprocess.Popen[bytes]:
    command = [sys.executable, __file__, "--data", args.data, "--runs", str(args.runs)]
    command += ["--one", f"{name}:{head}", "--device", args.device, "--threads", str(args.threads)]
    command += ["--minutes", str(args.minutes)] + ["--small"] * args.small + ["--eager"] * eager
    return subprocess.Popen([*command, *options])


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", required=True, help="the Parquet file, or a folder (see docs/segmentation.md)"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--runs", type=Path, default=Path("runs/camvid"))
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--heads", nargs="+", default=list(HEADS), choices=list(HEADS))
    parser.add_argument("--minutes", type=float, default=4.0, help="for all trainings together")
    parser.add_argument("--epochs", type=int, help="instead of as many as fit in the minutes")
    parser.add_argument("--jobs", type=int, default=6, help="trainings side by side")
    parser.add_argument("--threads", type=int, default=1, help="of each training")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--small", action="store_true", help="for two cores")
    parser.add_argument("--eager", action="store_true", help="without CUDA graphs")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--pace", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.one is None:
        train_all(args)
    else:
        args.network, _, args.head = args.one.partition(":")
        args.folder = folder_of(args.runs, args.network, args.head)
        pace(args) if args.pace else train_one(args)


if __name__ == "__main__":
    main()
