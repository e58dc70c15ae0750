"""Do MUXNet's layers do as claimed? Trains every network of both studies from several seeds.

Full (a GPU):   python experiments/multiplexing/study.py --data FOLDER --device cuda --minutes 6 --jobs 8
Small (2 cores): python experiments/multiplexing/study.py --data FOLDER --plan small --jobs 2 --minutes 120
Paired (2 cores, six hours): python experiments/multiplexing/study.py --data FOLDER --plan paired --jobs 2 --minutes 360

A row is appended to spatial.csv or channel.csv after its training; the same command continues with the missing
ones. Every network is trained with the first seed before any with the second, so that an interrupted run has
complete seeds. `report.py` turns the tables into figures and results.md.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing as mp
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from math import floor, inf
from pathlib import Path

import numpy as np
import torch
from decoded import decode
from equal_cost import STUDIES, Setting, Variant
from runs import Mode, Task, meet_at, step_seconds, train

from nas.core.errors import ConfigError, NasError

HERE = Path(__file__).resolve().parent
COLUMNS = [
    "variant",
    "method",
    "budget",
    "madds",
    "params",
    "seed",
    "accuracy",
    "train_loss",
    "epochs",
    "train_pictures",
    "side",
    "batch",
    "device",
    "seconds",
]
SAME = ("epochs", "train_pictures", "side", "batch")  # what all rows of a table have in common
RUN_OVERHEAD = 2.0  # seconds of a process per training besides its steps: building, recording, evaluation
MARGIN = 1.15
EPOCHS = 4, 60  # the least and the most that are chosen for a given time


@dataclass(frozen=True)
class Plan:
    """Data and settings of the trainings; `train` and `test` None are all images."""

    setting: Setting
    train: int
    test: int | None
    batch: int
    lr: float
    seeds: Mapping[str, int]  # of each study
    epochs: int
    folder: str  # of the tables, beside this script


BOTH = Setting(32, 1, (4, 8), (0.5,), (2, 2, 1), (3,), ("width", "depth", "groups-4"), stem=1)
PLANS = {
    "full": Plan(Setting(), 50_000, None, 500, 0.4, {"spatial": 5, "channel": 5}, 20, "full"),
    "small": Plan(
        Setting(16, 1, (4, 8), (0.5, 0.75)), 8_000, None, 64, 0.1, {"spatial": 3, "channel": 3}, 8, "."
    ),
    "paired": Plan(BOTH, 25_000, None, 64, 0.1, {"spatial": 10, "channel": 5}, 12, "paired"),
}


@dataclass(frozen=True)
class Job:
    """One planned row."""

    study: str
    variant: Variant
    seed: int


def jobs_of(studies: dict[str, list[Variant]], seeds: Mapping[str, int]) -> list[Job]:
    """All jobs, seeds outermost; within a seed the expensive ones first, so that processes end together."""
    pairs = [(name, variant) for name, variants in studies.items() for variant in variants]
    pairs.sort(key=lambda pair: -pair[1].cost().madds)
    most = max(seeds[name] for name in studies)
    return [Job(name, variant, seed) for seed in range(most) for name, variant in pairs if seed < seeds[name]]


def read_rows(file: Path, settings: dict[str, int]) -> set[tuple[str, int]]:
    """The (variant, seed) pairs in a table. Raises `ConfigError` when its rows were made with other settings."""
    if not file.is_file():
        return set()
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        for key, value in settings.items():
            if row.get(key) != str(value):
                raise ConfigError(
                    f"{file}: its rows have {key} {row.get(key)}, this run {value}; give another folder with --out, or "
                    f"--epochs {row.get('epochs')} and the same plan to continue it"
                )
    return {(row["variant"], int(row["seed"])) for row in rows}


def epochs_of(out: Path) -> int | None:
    """The epochs of the existing rows, if any."""
    for name in STUDIES:
        file = out / f"{name}.csv"
        if file.is_file():
            with file.open(newline="", encoding="utf-8") as lines:
                for row in csv.DictReader(lines):
                    return int(row["epochs"])
    return None


def append(file: Path, row: dict[str, object]) -> None:
    """One row at the end of a table, with a header if it is the first."""
    new = not file.is_file()
    with file.open("a", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def measured_mode(
    pool: ProcessPoolExecutor, jobs: int, task: Task, graphs: bool
) -> tuple[Mode, dict[Mode, float]]:
    """The fastest way to run the task's network in all processes at once, and the seconds per step of each way."""
    ways = [Mode(False, True), *([Mode(True, True), Mode(True, False)] if graphs else [])]
    seconds = {way: together(pool, jobs, replace(task, mode=way)) for way in ways}
    return min(seconds, key=lambda way: seconds[way]), seconds


def together(pool: ProcessPoolExecutor, jobs: int, task: Task) -> float:
    """Seconds for a step when every process trains: of all together, so less than one's step takes."""
    found = [f.result() for f in [pool.submit(step_seconds, task) for _ in range(jobs)]]
    rate = sum(1 / s for s in found)
    return 1 / rate if rate > 0 else inf


def estimate(
    jobs: list[Job], epochs: int, steps: int, known: list[tuple[int, float]], processes: int
) -> float:
    """Seconds for all `jobs`, from (MAdds, seconds per step) of a few networks."""
    madds, seconds = zip(*sorted(known), strict=True)
    each = np.interp([job.variant.cost().madds for job in jobs], madds, seconds)
    return float(MARGIN * (each.sum() * epochs * steps + RUN_OVERHEAD * len(jobs) / processes))


@dataclass(frozen=True)
class Session:
    """A run of this script: plan, folders, device, processes, and when it has to end; `weights` is the folder for the trained weights."""

    plan: Plan
    out: Path
    device: str
    jobs: int
    end: float  # by time.monotonic
    weights: Path | None = None

    @property
    def device_name(self) -> str:
        return torch.cuda.get_device_name() if self.device.startswith("cuda") else "CPU"

    def settings(self, epochs: int) -> dict[str, int]:
        plan = self.plan
        return dict(zip(SAME, (epochs, plan.train, plan.setting.side, plan.batch), strict=True))

    def task(self, folder: str, variant: Variant, seed: int, epochs: int, mode: Mode) -> Task:
        plan = self.plan
        file = None if self.weights is None else str(self.weights / f"{variant.name}-{seed}.pt")
        return Task(variant, seed, epochs, plan.batch, plan.lr, folder, self.device, mode, file)

    def pool(self) -> ProcessPoolExecutor:
        context = mp.get_context("spawn")
        return ProcessPoolExecutor(
            self.jobs, mp_context=context, initializer=meet_at, initargs=(context.Barrier(self.jobs),)
        )


def choose(session: Session, folder: str, jobs: list[Job], wanted: int | None) -> tuple[Mode, int]:
    """Choose the mode and the number of epochs (None: as many as fit the time) by timing three networks.

    Runs in separate processes, so that a failure here has no further effect.
    """
    ordered = sorted({job.variant for job in jobs}, key=lambda v: v.cost().madds)
    small, middle, large = ordered[0], ordered[len(ordered) // 2], ordered[-1]
    start = partial(session.task, folder, seed=0, epochs=1, mode=Mode())
    steps = session.plan.train // session.plan.batch
    with session.pool() as pool:
        graphs = session.device.startswith("cuda") and session.plan.train % session.plan.batch == 0
        mode, ways = measured_mode(pool, session.jobs, start(variant=middle), graphs)
        for way, seconds in ways.items():
            print(
                f"{way}: {1000 * seconds:.2f} ms per step of {session.plan.batch} images, {session.jobs} processes"
            )
        if not np.isfinite(ways[mode]):
            raise ConfigError(f"--device {session.device}: no network can be trained on it (see above)")
        known = [(middle.cost().madds, ways[mode])]
        for variant in (small, large):
            known.append(
                (
                    variant.cost().madds,
                    together(pool, session.jobs, replace(start(variant=variant), mode=mode)),
                )
            )
    cost = partial(estimate, jobs, steps=steps, known=known, processes=session.jobs)
    left = session.end - time.monotonic()
    per_epoch, fixed = cost(2) - cost(1), 2 * cost(1) - cost(2)
    epochs = wanted or int(np.clip(floor((left - fixed) / per_epoch), *EPOCHS))
    for madds, seconds in sorted(known):
        print(
            f"{madds / 1e6:.2f}M MAdds: {1000 * seconds:.2f} ms a step, {epochs * steps * seconds:.1f} s a training"
        )
    print(
        f"{len(jobs)} trainings of {epochs} epochs: about {cost(epochs):.0f} s; left {left:.0f} s", flush=True
    )
    return mode, epochs


def run(session: Session, folder: str, jobs: list[Job], mode: Mode, epochs: int) -> int:
    """Train `jobs` in order until the time is over; return the number of trainings."""
    waiting: Iterator[Job] = iter(jobs)
    running: dict[Future[dict[str, float]], Job] = {}
    done, longest = 0, 0.0
    with session.pool() as pool:
        while True:
            while len(running) < session.jobs and time.monotonic() + longest < session.end:
                job = next(waiting, None)
                if job is None:
                    break
                running[pool.submit(train, session.task(folder, job.variant, job.seed, epochs, mode))] = job
            if not running:
                return done
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job, row = running.pop(future), future.result()
                longest = max(longest, float(row["seconds"]))
                write(session, job, row, epochs)
                done += 1
                if done % 10 == 0 or done == len(jobs):
                    left = session.end - time.monotonic()
                    print(
                        f"{done}/{len(jobs)} done, {left:.0f} s left, {job.variant.name} {row['accuracy']}%",
                        flush=True,
                    )


def write(session: Session, job: Job, row: dict[str, float], epochs: int) -> None:
    """Append a finished training to its table."""
    cost = job.variant.cost()
    append(
        session.out / f"{job.study}.csv",
        {
            "variant": job.variant.name,
            "method": job.variant.method,
            "budget": job.variant.budget,
            "madds": cost.madds,
            "params": cost.params,
            "seed": job.seed,
            "device": session.device_name,
            **session.settings(epochs),
            **row,
        },
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with cifar10_train.parquet and cifar10_test.parquet"
    )
    parser.add_argument(
        "--plan",
        choices=PLANS,
        default="full",
        help="small: 8,000 images of 16 pixels; paired: 25,000 of 32 pixels, two or four networks, 10 and 5 seeds",
    )
    parser.add_argument(
        "--out", type=Path, help="folder for the tables (default: beside this script, by the plan)"
    )
    parser.add_argument(
        "--weights", type=Path, help="folder for the trained weights (default: none are kept)"
    )
    parser.add_argument("--study", choices=[*STUDIES, "both"], default="both")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once; they share the device")
    parser.add_argument(
        "--minutes", type=float, default=120.0, help="no training begins that would end later"
    )
    parser.add_argument("--seeds", type=int, help="how many, from 0 on (default: those of the plan)")
    parser.add_argument(
        "--epochs", type=int, help="default: what fits the minutes on a GPU, else those of the plan"
    )
    given = parser.parse_args(arguments)
    if given.jobs < 1 or given.minutes <= 0 or (given.seeds or 1) < 1 or (given.epochs or 1) < 1:
        raise ConfigError("--jobs, --minutes, --seeds and --epochs: expected numbers above 0")
    plan = PLANS[given.plan]
    out = given.out or HERE / plan.folder
    for folder_of in (out, given.weights):
        if folder_of is not None:
            folder_of.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * given.minutes
    session = Session(plan, out, given.device, given.jobs, end, given.weights)
    names = list(STUDIES) if given.study == "both" else [given.study]
    studies = {name: STUDIES[name](plan.setting) for name in names}
    jobs = jobs_of(studies, dict.fromkeys(names, given.seeds) if given.seeds else plan.seeds)
    with tempfile.TemporaryDirectory(prefix="multiplexing-") as folder:
        sides = {job.variant.spec.resolution for job in jobs}
        decode(given.data, Path(folder), sides, plan.train, plan.test)
        print(f"decoded; {session.end - time.monotonic():.0f} s left", flush=True)
        epochs, mode = given.epochs or epochs_of(out), Mode()
        if given.device.startswith("cuda"):
            try:
                mode, epochs = choose(session, folder, jobs, epochs)
            except BrokenProcessPool as error:
                print(f"timing failed, so CUDA graphs are not used: {error}", flush=True)
        epochs = epochs or plan.epochs
        there = {name: read_rows(out / f"{name}.csv", session.settings(epochs)) for name in names}
        missing = [job for job in jobs if (job.variant.name, job.seed) not in there[job.study]]
        done = run(session, folder, missing, mode, epochs)
    print(f"{done} trainings done, {len(missing) - done} missing; tables in {out}")


if __name__ == "__main__":
    try:
        main()
    except NasError as error:
        sys.exit(f"error: {error}")
