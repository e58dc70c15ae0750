"""Failed evaluations grouped by reason, with an example each."""

from __future__ import annotations

import pandas as pd

from nas.report.records import Failure
from nas.runs.failures import first_line, kind_of

_MOST = 50  # reasons shown
_FINE = ("ok", "running", "invalid")


def failures(frame: pd.DataFrame) -> list[Failure]:
    """The reasons of failed evaluations in a run's table, most frequent first."""
    bad = frame[~frame["status"].isin(_FINE)]
    if bad.empty:
        return []
    reasons = bad["reason"].fillna("").astype(str)
    kinds = [kind_of(status, reason) for status, reason in zip(bad["status"], reasons, strict=True)]
    found = []
    for _, group in bad.groupby(pd.Series(kinds, index=bad.index, dtype=object), sort=False):
        example = group.iloc[0]
        found.append(
            Failure(
                str(example["status"]),
                len(group),
                first_line(str(example["status"]), reasons[group.index[0]]),
                int(example["trial"]),
                str(example["architecture"]),
                reasons[group.index[0]],
            )
        )
    return sorted(found, key=lambda failure: -failure.count)[:_MOST]
