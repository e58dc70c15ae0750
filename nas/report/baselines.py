"""The baselines of a run on its page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nas.core.records import FloatArray
from nas.report.records import Baselines, Measure
from nas.report.rows import numbers
from nas.runs.baselines import read_baselines
from nas.runs.dominance import answer, verdicts
from nas.runs.run_folder import RunTable


def baselines_on_page(folder: Path, table: RunTable, measures: Sequence[Measure]) -> Baselines | None:
    """The networks of a run's baselines.csv with the front as it is now; None without any."""
    found = sorted(read_baselines(folder), key=lambda one: not one.ok)  # trained ones first
    if not found:
        return None
    judged = verdicts(table, found)
    texts = [
        v.text
        or f"{'not trained' if one.status == 'invalid' else one.status.replace('_', ' ')}: {one.reason}"
        for one, v in zip(found, judged, strict=True)
    ]
    return Baselines(
        answer(table, found),
        [one.label for one in found],
        [numbers([one.values.get(measure.name, math.nan) for one in found]) for measure in measures],
        texts,
        [k for k, v in enumerate(judged) if v.judged and not v.dominated_by and not v.outside],
    )


def baseline_values(folders: Sequence[Path], name: str) -> FloatArray:
    """The values of an objective of the runs' trained baselines, which the axis of the chart must contain."""
    found = [
        one.values[name]
        for folder in folders
        for one in read_baselines(folder)
        if one.ok and name in one.values
    ]
    return np.array(found, dtype=np.float64)
