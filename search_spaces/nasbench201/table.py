"""The recorded accuracies of NAS-Bench-201, as a table and as an evaluator.

Dong and Yang, ICLR 2020. The Parquet file holds means over the benchmark's seeds, so it has no noise and no
training times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pandas.api.types import is_numeric_dtype

from nas.core.errors import ConfigError, DataError, EvaluationError
from nas.core.records import Architecture, FloatArray, Trial
from nas.core.task_spec import TaskSpec
from search_spaces.nasbench201.space import NASBench201
from search_spaces.parquet_file import read_frame

CELLS = 15_625
# Task of the published networks of each data set (Dong and Yang, ICLR 2020, section 2.2).
PUBLISHED = {
    "cifar10": TaskSpec(3, 10, (32, 32)),
    "cifar100": TaskSpec(3, 100, (32, 32)),
    "imagenet16": TaskSpec(3, 120, (16, 16)),
}


@dataclass(frozen=True)
class Measure:
    """One accuracy column: CIFAR-10, CIFAR-100 or ImageNet-16-120, validation or test, epochs of the schedule.

    A validation accuracy of the 200-epoch schedule is not on record: a search at 200 epochs is a search on the test
    set, which every report must state.
    """

    dataset: str = "cifar10"  # cifar10, cifar100, imagenet16
    split: str = "val"  # val, test
    epochs: int = 12  # 12, 200

    @property
    def column(self) -> str:
        """Its name in the file."""
        return f"{self.dataset}_{self.split}_acc_{self.epochs}"


SEARCHED = Measure()
REPORTED = Measure(split="test", epochs=200)


class NASBench201Table:
    """Accuracies in percent of all architectures, by measure. Pickles as its path."""

    def __init__(self, path: Path, rows: Mapping[str, int], columns: Mapping[str, FloatArray]) -> None:
        self.path = path
        self._rows = rows
        self._columns = columns

    @classmethod
    def open(cls, path: str | Path) -> NASBench201Table:
        """Read `archs.parquet`, given as a file or by its folder. Raises `DataError` if it is incomplete."""
        path = Path(path).absolute()
        file = path / "archs.parquet" if path.is_dir() else path
        try:
            frame = read_frame(file)
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(f"{file}: missing or not a Parquet file ({reason}); fetch it again") from None
        measured = [c for c in frame.columns if "_acc_" in str(c)]
        if "ops" not in frame.columns or not measured:
            raise DataError(
                f"{file}: expected columns ops and ..._acc_..., got {', '.join(map(str, frame.columns))}"
            )
        texts = [str(t) for t in frame["ops"]]
        space = NASBench201()
        if sorted(texts) != [space.format(a) for a in space.enumerate()]:
            raise DataError(f"{file}: {len(texts):,} rows, expected each of {CELLS:,} architectures once")
        if bad := [str(c) for c in measured if not is_numeric_dtype(frame[c])]:
            raise DataError(f"{file}: {', '.join(bad)}: expected numbers")
        columns = {str(c): frame[c].to_numpy(dtype=np.float64) for c in measured}
        if bad := [c for c, values in columns.items() if not ((values >= 0) & (values <= 100)).all()]:
            raise DataError(f"{file}: {', '.join(bad)} have values missing or outside 0 to 100 percent")
        return cls(path, {t: i for i, t in enumerate(texts)}, columns)

    def __reduce__(self) -> tuple[Any, ...]:
        return NASBench201Table.open, (str(self.path),)

    @property
    def columns(self) -> tuple[str, ...]:
        """The measures on record, by column name."""
        return tuple(self._columns)

    def check(self, measure: Measure) -> None:
        """Raise `ConfigError`, naming the existing measures, unless the table holds this one."""
        if measure.column not in self._columns:
            raise ConfigError(f"{measure}: not in this table; available: {', '.join(self._columns)}")

    def accuracy(self, architecture: Architecture | str, measure: Measure = SEARCHED) -> float:
        """Percent, the mean over the benchmark's seeds.

        Raises `ConfigError` for a measure that is not on record, `ArchitectureError` for an invalid architecture.
        """
        self.check(measure)
        space = NASBench201()
        text = architecture if isinstance(architecture, str) else space.format(architecture)
        row = self._rows.get(text)
        if row is None:
            row = self._rows[space.format(space.parse(text))]
        return float(self._columns[measure.column][row])


@dataclass(frozen=True)
class NASBench201Evaluator:
    """Evaluates by look-up (an `nas.core.evaluator.Evaluate`).

    Returns in percent `accuracy`, the one searched on, and `error`, 100 minus it (by default
    the 12-epoch validation accuracy), and `test_error`, 100 minus the one reported (200 epochs), which no search may use. Raises `ConfigError`
    when the table lacks one of them, `EvaluationError` for a candidate of another space.
    """

    table: NASBench201Table
    searched: Measure = SEARCHED
    reported: Measure = field(default=REPORTED)

    def __post_init__(self) -> None:
        self.table.check(self.searched)
        self.table.check(self.reported)

    def task_spec(self) -> TaskSpec:
        """The published task of the data set that is searched on."""
        return PUBLISHED.get(self.searched.dataset, PUBLISHED["cifar10"])

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        architecture = trial.architecture
        if not NASBench201().is_valid(architecture) or architecture.space != NASBench201.name:
            raise EvaluationError(
                f"{architecture} is not in the table, which has the space {NASBench201.name!r}"
            )
        accuracy = self.table.accuracy(architecture, self.searched)
        return {
            "error": 100.0 - accuracy,
            "accuracy": accuracy,
            "test_error": 100.0 - self.table.accuracy(architecture, self.reported),
        }
