"""Failed evaluations by their reason, with an example of each."""

from __future__ import annotations

import pandas as pd

from nas.failures import alike
from nas.report.records import Failure

_MOST = 50  # reasons that are shown
_FINE = ("ok", "running", "invalid")


def failures(frame: pd.DataFrame) -> list[Failure]:
    """The reasons for which evaluations of a run's table failed, the most frequent first."""
    bad = frame[~frame["status"].isin(_FINE)]
    if bad.empty:
        return []
    reasons = bad["reason"].fillna("").astype(str)
    first_lines = reasons.str.split("\n").str[0]
    kinds = [alike(status, line) for status, line in zip(bad["status"], first_lines, strict=True)]
    found = []
    for _, group in bad.groupby(pd.Series(kinds, index=bad.index, dtype=object), sort=False):
        example = group.iloc[0]
        found.append(
            Failure(
                str(example["status"]),
                len(group),
                first_lines[group.index[0]] or str(example["status"]),
                int(example["trial"]),
                str(example["architecture"]),
                reasons[group.index[0]],
            )
        )
    return sorted(found, key=lambda failure: -failure.count)[:_MOST]
