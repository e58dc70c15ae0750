"""SSDLite on blood cells, from scratch: MUXNet-m and MobileNetV2 (BCCD: 205 training, 87 validation, 72 test images).

On a GPU, in about four minutes:

    python experiments/detection/train.py --images detection_images.parquet --boxes detection_boxes.parquet \
        --device cuda --minutes 4

Networks train in parallel, one process each, with all images on the device. The time of an epoch is measured first; all
train for the number of epochs that fits in the minutes. Without `--device cuda` two processes share two cores, at a
reduced size. Measurements go to `--out`, the final files to `--results`; `report.py` writes the latter again.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import math
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that it runs as a script

import torch

from experiments.detection.networks import DETECTORS
from experiments.detection.report import write_report
from nas.core.errors import NasError
from nas.training import weights
from nas.training.full import FullSettings, train_full
from nas.training.loop import Training, precision
from nas.training.recipe import RECIPES, Recipe
from nas.training.tasks.detection.augment import Augmentation
from nas.training.tasks.detection.data import DetectionParquet
from nas.training.tasks.detection.feed import DetectionFeed
from nas.training.tasks.detection.task import Detection, look

HERE = Path(__file__).resolve().parent
SHARE = 0.8  # of the remaining time; others may use the device too
PACE, PLAN = "pace.json", "epochs.json"  # beside the folder of a training, which must start empty
COLUMNS = ("picture", "label", "score", "left", "top", "right", "bottom")


@dataclass(frozen=True)
class Job:
    """One network to train."""

    network: str
    seed: int
    data: DetectionParquet
    device: str
    out: Path
    threads: int
    batch: int
    passes: int  # over the training images, per epoch

    @property
    def task(self) -> Detection:
        return Detection(augmentation=Augmentation(zoom=(0.5, 1.25), flip_vertical=0.5), repeats=self.passes)

    @property
    def folder(self) -> Path:
        return self.out / f"{self.network.replace(' + ', '-').lower()}-{self.seed}"


def planned(out: Path, jobs: Sequence[Job], pool: ProcessPoolExecutor, processes: int, ends: float) -> int:
    """The number of epochs that fits until `ends`, the same for every network so that results compare.

    The number of an earlier call is kept, so that its trainings can continue.
    """
    file = out / PLAN
    if file.is_file():
        return int(json.loads(file.read_text(encoding="utf-8"))["epochs"])
    paces = [found["seconds_an_epoch"] for found in pool.map(measured, jobs)]
    longest = max(max(paces), sum(paces) / processes)
    epochs = max(3, int(SHARE * (ends - time.time()) / longest))
    file.write_text(json.dumps({"epochs": epochs}), encoding="utf-8")
    return epochs


def recipe_for(job: Job, epochs: int, channels_last: bool) -> Recipe:
    """The recipe for this number of epochs; the learning rate scales with the root of the batch size, as usual for Adam."""
    recipe = RECIPES["blood-cells"].recipe
    return dataclasses.replace(
        recipe,
        epochs=epochs,
        batch_size=job.batch,
        lr=recipe.lr * math.sqrt(job.batch / recipe.batch_size),
        warmup_epochs=2.0,
        channels_last=channels_last,
    )


def pace(job: Job, channels_last: bool) -> float:
    """Seconds of an epoch and its evaluation in this memory format, after an uncounted first step."""
    device = torch.device(job.device)
    recipe = recipe_for(job, 1, channels_last)
    prepared = job.task.prepare(job.data, recipe, device)
    memory = torch.channels_last if channels_last else torch.contiguous_format
    network = DETECTORS[job.network](num_classes=prepared.num_classes, in_channels=3)
    network = network.to(device).to(memory_format=memory)
    loss = job.task.loss(recipe, prepared)
    training = Training(network, recipe, epochs=1, seed=0, device=device, loss=loss)
    feed = prepared.train
    assert isinstance(feed, DetectionFeed)
    training.epoch(dataclasses.replace(feed, repeats=1))
    job.task.judge(training.judged, prepared.validation, prepared, training.precision)
    start = time.perf_counter()
    training.epoch(dataclasses.replace(feed, repeats=1))
    once = time.perf_counter() - start
    job.task.judge(training.judged, prepared.validation, prepared, training.precision)
    return once * job.passes + time.perf_counter() - start - once


def measured(job: Job) -> dict[str, Any]:
    """The faster memory format and its seconds per epoch; stored, so that a training can continue."""
    torch.set_num_threads(job.threads)
    torch.backends.cudnn.benchmark = True
    file = job.folder.with_name(f"{job.folder.name}-{PACE}")
    if file.is_file():
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found
    paces = {layout: pace(job, layout) for layout in (True, False)}
    best = min(paces, key=lambda layout: paces[layout])
    decided = {"channels_last": best, "seconds_an_epoch": paces[best]}
    job.out.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(decided), encoding="utf-8")
    return decided


def run(job: Job, epochs: int) -> Path:
    """Train, evaluate on the test images, store the detections; return the folder."""
    decided = measured(job)
    recipe = recipe_for(job, epochs, decided["channels_last"])
    print(f"{job.network}, seed {job.seed}: {epochs} epochs, {decided}", flush=True)

    def tell(row: dict[str, float]) -> None:
        values = "  ".join(
            f"{k.removeprefix('validation_')} {row[k]:.2f}" for k in row if k != "pictures_per_second"
        )
        print(f"{job.network}, seed {job.seed}: {values}", flush=True)

    settings = FullSettings(job.seed, job.threads, job.device, checkpoint_seconds=20, on_epoch=tell)
    start = time.perf_counter()
    train_full(DETECTORS[job.network], job.data, recipe, job.folder, settings=settings, task=job.task)
    judge(job, recipe, time.perf_counter() - start)
    return job.folder


def judge(job: Job, recipe: Recipe, seconds: float) -> None:
    """Evaluate the trained weights: write `scores.json`, and every detection to `detections.csv`."""
    device = torch.device(job.device)
    prepared = job.task.prepare(job.data, recipe, device)
    state = weights.read(job.folder / "checkpoint.pt", device)
    network = DETECTORS[job.network](num_classes=prepared.num_classes, in_channels=3).to(device)
    network.load_state_dict(state["average"])
    autocast = precision(recipe, device)
    feed = prepared.test
    assert isinstance(feed, DetectionFeed)
    splits = {"validation": prepared.validation, "test": feed}
    scores = {
        name: job.task.judge(network, part, prepared, autocast).report(prepared.class_names)
        for name, part in splits.items()
    }
    about = {
        "network": job.network,
        "seed": job.seed,
        "passes": int(state["done"]) * job.passes,
        "passes_an_epoch": job.passes,
        "seconds": seconds,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
        "resolution": job.data.resolution,
        "class_names": prepared.class_names,
        "scores": scores,
    }
    (job.folder / "scores.json").write_text(json.dumps(about, indent=2), encoding="utf-8")
    found, _ = look(network, feed, job.task, autocast)
    with (job.folder / "detections.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for seen, name, size in zip(found, feed.annotated.names, feed.annotated.sizes.tolist(), strict=True):
            boxes = seen.boxes * torch.tensor([*size, *size])
            for label, score, box in zip(
                seen.labels.tolist(), seen.scores.tolist(), boxes.tolist(), strict=True
            ):
                corners = (f"{c:.1f}" for c in box)
                writer.writerow([name, prepared.class_names[label], f"{score:.5f}", *corners])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", required=True, help="Parquet file of images")
    parser.add_argument("--boxes", required=True, help="Parquet file of boxes")
    parser.add_argument("--source", default="bccd", help="set in the files")
    parser.add_argument("--networks", nargs="+", default=list(DETECTORS), choices=list(DETECTORS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--epochs", type=int, help="number of epochs, instead of --minutes")
    parser.add_argument("--passes", type=int, default=10, help="passes over the training images per epoch")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--resolution", type=int, help="side of the images (default: 320, on a CPU 192)")
    parser.add_argument("--batch", type=int, help="batch size (default: 32, on a CPU 8)")
    parser.add_argument(
        "--processes", type=int, help="parallel trainings (default: all on a GPU, two on a CPU)"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/detection"))
    parser.add_argument("--results", type=Path, default=HERE)
    asked = parser.parse_args()
    gpu = asked.device.startswith("cuda")
    data = DetectionParquet(
        asked.images, asked.boxes, source=asked.source, resolution=asked.resolution or (320 if gpu else 192)
    )
    count = len(asked.networks) * asked.seeds
    processes = min(count, asked.processes or (count if gpu else 2))
    ends = time.time() + 60 * asked.minutes
    threads = max(1, min(4, (os.cpu_count() or 1) // processes)) if gpu else 1
    jobs = [
        Job(n, s, data, asked.device, asked.out, threads, asked.batch or (32 if gpu else 8), asked.passes)
        for s in range(asked.seeds)
        for n in asked.networks
    ]
    folders, failed = [], 0
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        try:
            epochs = asked.epochs or planned(asked.out, jobs, pool, processes, ends)
        except NasError as error:  # of the data: nothing can be trained
            raise SystemExit(str(error)) from None
        coming = [(job, pool.submit(run, job, epochs)) for job in jobs]
        for job, future in coming:
            try:
                folders.append(future.result())
            except Exception as error:  # the others are worth reporting
                failed += 1
                print(f"{job.network}, seed {job.seed}: failed: {type(error).__name__}: {error}", flush=True)
    if folders:
        write_report(folders, data, asked.results)
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
