"""Reading tables of others from Parquet files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def read_frame(file: Path) -> pd.DataFrame:
    """The table in a file, with a plain index. Raises `OSError` or `ValueError` unless all of it can be read.

    pandas finds out only when a text is used that its bytes are none; so everything is looked at first. What pandas
    itself wrote beside a table is left aside, for pyarrow takes it for granted: an entry that is not as it should be
    is a KeyError there.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    table.validate(full=True)
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    return frame
