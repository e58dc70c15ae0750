"""Transfer from five classes of CIFAR-10 to the other five, multiplexed against plain, paired by seed.

    python experiments/multiplexing/transferred.py --data FOLDER --runs runs/transferred

The networks of the paired plan's spatial study learn the first five classes (12,500 images), then the other five from 50 and from 500 images a class, beside the same networks from new
weights; five seeds. Each network is trained for the same number of epochs (`EPOCHS`), by the study's recipe, fine-tuned at a tenth of its rate. Test accuracy on the other five classes. Rows are
appended to paired/transferred.csv; the same command continues with the missing ones, then writes paired/transferred.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from decoded import Decoded, decode
from equal_cost import STUDIES, Variant
from resumed import Rows
from runs import Mode, Task
from study import HERE, PLANS

from nas.compare.statistics import mean_interval
from nas.core.errors import NasError
from nas.training.data import MemoryPictures, Splits
from nas.training.data.splits import subset
from nas.training.evaluator import reproducible
from nas.training.feed import prepare
from nas.training.judging import put_weights
from nas.training.loop import Training, judge, stream
from search_spaces.muxnet.network import MUXNet

FIRST, OTHERS = tuple(range(5)), tuple(range(5, 10))
EPOCHS = {None: 12, 50: 60, 500: 30}  # by images a class; None: the first five classes
FINE = 0.1  # of the rate, when weights are given
SEEDS = 5
COLUMNS = ["budget", "method", "seed", "per_class", "start", "accuracy"]
CPU = torch.device("cpu")


@dataclass(frozen=True)
class SomeClasses:
    """The images of some classes, numbered from 0; `per_class` training images of each (None: all), the same for every network."""

    source: Decoded
    classes: tuple[int, ...]
    per_class: int | None

    def load(self) -> Splits:
        """Training and test images; none for validation, since nothing is selected."""
        whole = self.source.load()
        train, test = (self._of(part) for part in (whole.train, whole.test))
        if self.per_class is not None:
            train = train.select(subset(train.labels, self.per_class * len(self.classes), seed=0))
        names = tuple(whole.class_names[c] for c in self.classes)
        return replace(
            whole, train=train, validation=train.select(np.arange(0)), test=test, class_names=names
        )

    def _of(self, part: object) -> MemoryPictures:
        assert isinstance(part, MemoryPictures)
        kept = part.select(np.flatnonzero(np.isin(part.labels, self.classes)))
        return MemoryPictures(kept.images, np.searchsorted(self.classes, kept.labels))


def train(variant: Variant, seed: int, data: SomeClasses, weights: Path | None, keep: Path | None) -> float:
    """Test accuracy in percent of a network trained from `weights` (None: new ones), which are stored in `keep`."""
    plan = PLANS["paired"]
    epochs = EPOCHS[data.per_class]
    rate = plan.lr if weights is None else FINE * plan.lr
    recipe = Task(variant, seed, epochs, plan.batch, rate, data.source.folder, "cpu", Mode()).recipe
    with reproducible(1, CPU):
        prepared = prepare(data, recipe, CPU, None)
        torch.manual_seed(stream(seed, 0))
        network = variant.build()
        assert isinstance(network, MUXNet)
        network.reset_classifier(len(data.classes))
        if weights is not None:
            put_weights(network, weights)
            network.reset_classifier(len(data.classes))
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        training = Training(network, recipe, epochs=epochs, seed=seed, device=CPU)
        while training.done < epochs:
            training.epoch(prepared.train)
        score = judge(network, prepared.test, prepared.num_classes, autocast=training.precision)
    if keep is not None:
        torch.save(network.state_dict(), keep)
    return round(100.0 - score.error, 3)


def rows_of(variant: Variant, seed: int, source: Decoded, runs: Path) -> pd.DataFrame:
    """All trainings of a network with one seed."""
    runs.mkdir(parents=True, exist_ok=True)
    pretrained = runs / f"{variant.name}-{seed}.pt"
    train(variant, seed, SomeClasses(source, FIRST, None), None, pretrained)
    found = [
        (count, start, train(variant, seed, SomeClasses(source, OTHERS, count), weights, None))
        for count in (50, 500)
        for start, weights in (("pretrained", pretrained), ("new", None))
    ]
    rows = [(variant.budget, variant.method, seed, *row) for row in found]
    return pd.DataFrame(rows, columns=COLUMNS)


def summary(frame: pd.DataFrame) -> str:
    """A row for each budget and number of images: accuracies, and the differences paired by seed."""
    lines = [
        "| budget | images a class | start | plain (%) | multiplexed (%) | multiplexed minus plain (points) |",
        "|---|--:|---|--:|--:|--:|",
    ]
    table = frame.pivot_table(
        index=["budget", "per_class", "start", "seed"], columns="method", values="accuracy"
    ).dropna()
    for (budget, count, start), group in table.groupby(level=["budget", "per_class", "start"]):
        mean, half = mean_interval((group["multiplexed"] - group["plain"]).to_numpy())
        cells = [f"{group[method].mean():.2f}" for method in ("plain", "multiplexed")]
        lines.append(f"| {budget} | {count} | {start} | {' | '.join(cells)} | {mean:+.2f} ± {half:.2f} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the missing networks, then write the summary."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="as for study.py")
    parser.add_argument(
        "--runs", type=Path, required=True, help="folder for the weights of the first five classes"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(SEEDS)))
    parser.add_argument("--out", type=Path, default=HERE / "paired")
    given = parser.parse_args(arguments)
    plan = PLANS["paired"]
    table = Rows(given.out / "transferred.csv", COLUMNS)
    with tempfile.TemporaryDirectory(prefix="multiplexing-") as folder:
        decode(given.data, Path(folder), {plan.setting.side}, plan.train, plan.test)
        source = Decoded(folder, plan.setting.side)
        for seed in given.seeds:
            for variant in STUDIES["spatial"](plan.setting):
                if table.has(variant, seed):
                    continue
                rows = rows_of(variant, seed, source, given.runs)
                table.add(rows)
                print(rows.to_string(index=False, header=False), flush=True)
    text = summary(table.frame)
    (given.out / "transferred.md").write_text(f"# Transfer to other classes\n\n{text}\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    try:
        main()
    except NasError as error:
        sys.exit(f"error: {error}")
