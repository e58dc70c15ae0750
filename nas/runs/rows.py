"""The table of a run in memory, with the columns of a table read from a log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nas.core.records import Result, Trial
from nas.core.space import SearchSpace, text_of
from nas.runs.history_table import tabulate


def frame_of(space: SearchSpace, told: Sequence[Result], running: Iterable[Trial] = ()) -> pd.DataFrame:
    """The table of `read_history`: results in the order of telling, then trials without one, one row each."""
    rows: list[tuple[Any, ...]] = [
        (
            r.trial.id, text_of(space, r.trial.architecture), r.status.value, r.values, r.seconds, r.error, r.worker,
            r.trial.seed, r.trial.budget, np.nan, r.started, r.finished, place, np.nan,
        )
        for place, r in enumerate(told)
    ]  # fmt: skip
    rows += [
        (t.id, text_of(space, t.architecture), None, {}, None, None, None, t.seed, t.budget, *5 * (None,))
        for t in running
    ]
    return tabulate(sorted(rows, key=lambda row: row[0]))
