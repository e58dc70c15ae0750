"""The recorded values of a pool, as arrays over its networks and the two seeds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from nas.core.records import FloatArray

SINGLE = {  # the label in the tables, and the column
    "error": "val_error",
    "loss": "val_loss",
    "soft error": "val_soft",
    "error, averaged weights": "ema_val_error",
    "loss, averaged weights": "ema_val_loss",
    "soft error, averaged weights": "ema_val_soft",
    "training loss": "train_loss",
}
TEST = "test error"


@dataclass(frozen=True)
class Recorded:
    """Networks trained with both seeds. Each array in `values` is (n, 2), all minimised; `table` has a row for each network."""

    table: pd.DataFrame
    values: dict[str, FloatArray]

    def __len__(self) -> int:
        return len(self.table)

    @property
    def test(self) -> FloatArray:
        """Test errors in percent, (n, 2)."""
        return self.values[TEST]


def read(path: Path) -> Recorded:
    """The networks of a pool's table whose two trainings are both there and did not diverge, in the order of the list."""
    rows = pd.read_csv(path).dropna(subset="val_error").sort_values(["index", "seed"])
    rows = rows[rows.groupby("index")["seed"].transform("size") == 2]
    first, second = (rows[rows["seed"] == seed].reset_index(drop=True) for seed in ("A", "B"))

    def pair(column: Callable[[pd.DataFrame], FloatArray]) -> FloatArray:
        return np.stack([column(first), column(second)], axis=1)

    def recorded(name: str) -> Callable[[pd.DataFrame], FloatArray]:
        return lambda frame: frame[name].to_numpy(dtype=np.float64)

    def at(name: str, epoch: int) -> Callable[[pd.DataFrame], FloatArray]:
        return lambda frame: np.array([json.loads(text)[epoch] for text in frame[name]])

    values = {label: pair(recorded(column)) for label, column in SINGLE.items()}
    values |= {
        f"{what}, epoch {e + 1}": pair(at(f"curve_{what}", e)) for e in (0, 1) for what in ("error", "loss")
    }
    values[TEST] = pair(recorded("test_error"))
    return Recorded(first[["index", "params", "madds", "network"]], values | combinations(values))


def combinations(values: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Means of standardised values, each seed standardised over the networks."""
    parts = {
        "error + loss": ("error", "loss"),
        "loss + averaged": ("loss", "loss, averaged weights"),
        "loss + training loss": ("loss", "training loss"),
        "all losses and errors": tuple(SINGLE),
        "loss of epochs 2 and 3": ("loss", "loss, epoch 2"),
    }
    return {name: np.mean([standardised(values[v]) for v in of], axis=0) for name, of in parts.items()}


def standardised(values: FloatArray) -> FloatArray:
    """Values (n, ...) less their mean and divided by their deviation over the first axis."""
    return np.asarray((values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-12))
