"""Errors of the paired plan's spatial networks on corrupted test images, multiplexed against plain, paired by seed.

    python experiments/multiplexing/study.py --data FOLDER --plan paired --study spatial --jobs 2 --weights runs/multiplexing
    python experiments/multiplexing/corrupted.py --data FOLDER --weights runs/multiplexing

15 corruptions at 5 severities of 1,000 test images, the same for every network (`nas.training.robustness`). A network's rows are appended to paired/corrupted.csv when it is
evaluated; the same command continues with the missing ones, then writes paired/corrupted.md: for each budget the mean error under corruption and mCE relative to the plain
network of the same seed (100: equal, less is better), with 95% t-intervals over the seeds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from decoded import Decoded, decode
from equal_cost import STUDIES, Variant
from resumed import Rows
from study import HERE, PLANS

from nas.compare.statistics import mean_interval
from nas.core.errors import ConfigError, NasError
from nas.training.judging import put_weights
from nas.training.robustness import Robustness

IMAGES = 1000
OURS, OTHER = "multiplexed", "plain"
COLUMNS = ["budget", "method", "seed", "corruption", "severity", "error"]


def trained(variants: Sequence[Variant], seeds: int, weights: Path) -> list[tuple[Variant, int, Path]]:
    """The networks with weights, seeds outermost. Raises `ConfigError` if there are none."""
    files = [(v, seed, weights / f"{v.name}-{seed}.pt") for seed in range(seeds) for v in variants]
    found = [item for item in files if item[2].is_file()]
    if not found:
        raise ConfigError(
            f"--weights {weights}: expected files such as {files[0][2].name}; study.py --weights writes them"
        )
    return found


def errors_of(
    variant: Variant, seed: int, weights: Path, data: Decoded, images: int = IMAGES
) -> pd.DataFrame:
    """The rows of a network: severity 0 is the error on the same images, not corrupted."""
    network = variant.build()
    put_weights(network, weights)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    how = Robustness(pictures=images)
    device = torch.device("cpu")
    found = {("none", 0): how.clean_error(network, data, "test", None, device)}
    found |= how.errors(network, data, "test", None, device)
    rows = [(variant.budget, variant.method, seed, *key, round(error, 3)) for key, error in found.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


def summary(frame: pd.DataFrame) -> str:
    """A row for each budget: mean errors, their difference and mCE, paired by seed."""
    corrupted = frame[frame["severity"] > 0]
    by = (
        corrupted.groupby(["budget", "seed", "corruption", "method"])["error"]
        .mean()
        .unstack()[[OURS, OTHER]]
        .dropna()
    )
    lines = [
        "| budget | seeds | plain: mean error (%) | multiplexed | difference (points) | mCE against plain (%) |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for budget, table in by.groupby(level="budget"):
        means = table.groupby(level="seed").mean()
        ratio = 100.0 * (table[OURS] / table[OTHER]).groupby(level="seed").mean()
        cells = [f"{means[method].mean():.2f}" for method in (OTHER, OURS)]
        spans = [mean_interval(v.to_numpy()) for v in (means[OURS] - means[OTHER], ratio)]
        cells += [f"{spans[0][0]:+.2f} ± {spans[0][1]:.2f}", f"{spans[1][0]:.1f} ± {spans[1][1]:.1f}"]
        lines.append(f"| {budget} | {len(means)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate the missing networks, then write the summary."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="as for study.py")
    parser.add_argument("--weights", type=Path, required=True, help="as for study.py")
    parser.add_argument("--out", type=Path, default=HERE / "paired")
    given = parser.parse_args(arguments)
    plan = PLANS["paired"]
    wanted = trained(STUDIES["spatial"](plan.setting), plan.seeds["spatial"], given.weights)
    table = Rows(given.out / "corrupted.csv", COLUMNS)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="multiplexing-") as folder:
        decode(given.data, Path(folder), {plan.setting.side}, plan.train, plan.test)
        data = Decoded(folder, plan.setting.side)
        for variant, seed, weights in wanted:
            if table.has(variant, seed):
                continue
            rows = errors_of(variant, seed, weights, data)
            table.add(rows)
            print(
                f"{variant.name}, seed {seed}: {rows['error'][rows['severity'] > 0].mean():.2f}% under corruption",
                flush=True,
            )
    text = summary(table.frame)
    (given.out / "corrupted.md").write_text(f"# Errors on corrupted images\n\n{text}\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    try:
        main()
    except NasError as error:
        sys.exit(f"error: {error}")
