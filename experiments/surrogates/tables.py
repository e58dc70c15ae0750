"""The cells whose errors are predicted: three published tables, as architectures and test errors in percent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from nas.core.records import Architecture, FloatArray
from nas.core.space import SearchSpace
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench201 import NASBench201


@dataclass(frozen=True)
class Cells:
    """Architectures of a space and their test errors in percent, (n,)."""

    space: SearchSpace
    architectures: list[Architecture]
    errors: FloatArray


def _nasbench101(frame: pd.DataFrame, column: str) -> Cells:
    frame, space = frame.dropna(subset=[column]), NASBench101()
    texts = frame["adjacency"] + "-" + frame["ops"]
    cells = [space.canonical(space.parse(text)) for text in texts]
    return Cells(space, cells, 100.0 * frame[column].to_numpy(dtype=np.float64))


def nasbench101_5v(data: Path) -> Cells:
    """Cells of at most five vertices, mean test error after 108 epochs."""
    frame = pd.read_parquet(data / "nasbench101_5v" / "cells_108epochs.parquet")
    return _nasbench101(frame, "test_error_108")


def nasbench101_cec(data: Path) -> Cells:
    """Cells met by uniformly random encodings (which favours small ones), mean test error after 108 epochs."""
    frame = pd.read_parquet(data / "nasbench101_cec" / "cells.parquet")
    return _nasbench101(frame[frame["random_sample"]], "test_error")


def nasbench201(data: Path) -> Cells:
    """All cells, mean CIFAR-10 test error after 200 epochs."""
    frame, space = pd.read_parquet(data / "nasbench201" / "archs.parquet"), NASBench201()
    errors = 100.0 - frame["cifar10_test_acc_200"].to_numpy(dtype=np.float64)
    return Cells(space, [space.parse(text) for text in frame["ops"]], errors)


TABLES: dict[str, Callable[[Path], Cells]] = {
    "nasbench201": nasbench201,
    "nasbench101_5v": nasbench101_5v,
    "nasbench101_cec": nasbench101_cec,
}
