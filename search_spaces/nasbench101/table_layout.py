"""The columnar store of an imported table, on disk.

A folder: `meta.json` (schema number, source, counts) and one `.npy` file per column, written in a temporary folder
beside it and renamed when complete, so that a store is either whole or absent.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.core.errors import ConfigError

KIND = "nasbench101-table"
SCHEMA = 1
RUNS = 3
# In the order of `RunRecord.values`
METRICS = ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy")

Columns = Mapping[str, NDArray[np.generic]]


def write_store(
    out: Path, columns: Columns, budgets: tuple[int, ...], about: Mapping[str, str | int | bool]
) -> None:
    """Write a store: all of it, synced to disk, or nothing.

    `columns` holds `hash` (cells, 2) as two big-endian halves in ascending order, `cell` and `params` (cells,),
    and for each of `METRICS` `final_...` and `halfway_...` (cells, budgets, runs). Raises `ConfigError` when `out`
    exists or cannot be written.
    """
    check_new(out)
    order = np.argsort(columns["cell"], kind="stable").astype(np.uint32)
    arrays = {**columns, "search_cell": columns["cell"][order], "search_row": order}
    shapes = {name: {"dtype": a.dtype.str, "shape": list(a.shape)} for name, a in arrays.items()}
    meta = {
        "kind": KIND,
        "schema": SCHEMA,
        **about,
        "cells": len(order),
        "budgets": list(budgets),
        "runs": RUNS,
        "columns": shapes,
    }
    temporary = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
        for name, values in arrays.items():
            with (temporary / f"{name}.npy").open("wb") as file:
                np.save(file, values, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
        with (temporary / "meta.json").open("w", encoding="utf-8") as text:
            json.dump(meta, text, indent=1)
            text.flush()
            os.fsync(text.fileno())
        temporary.chmod(0o755)  # mkdtemp makes it private
        _sync_folder(temporary)
        temporary.rename(out)
        temporary = None
        _sync_folder(out.parent)
    except OSError as error:
        raise ConfigError(
            f"out={str(out)!r}: the table cannot be written: {error.strerror or error}"
        ) from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def check_new(out: Path) -> None:
    """Raise `ConfigError` if the path exists."""
    if out.exists() or out.is_symlink():
        raise ConfigError(
            f"out={str(out)!r} already exists: expected the name of a new folder; choose another name or remove it"
        )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
