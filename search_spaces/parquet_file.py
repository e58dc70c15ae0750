"""Read third-party tables from Parquet files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def read_frame(file: Path) -> pd.DataFrame:
    """The table in a file, with a plain index. Raises `OSError` or `ValueError` unless all of it can be read.

    pandas detects invalid text only on use, so every value is checked first. The metadata of pandas in the file is
    ignored, because pyarrow trusts it: a wrong entry is a KeyError there.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    table.validate(full=True)
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    return frame
