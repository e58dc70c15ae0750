"""Reading tables of others from Parquet files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def read_frame(file: Path) -> pd.DataFrame:
    """The table in a file. Raises `OSError` or `ValueError` unless all of it can be read.

    pandas finds out only when a text is used that its bytes are none; so everything is looked at first.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    table.validate(full=True)
    frame: pd.DataFrame = table.to_pandas()
    return frame
