"""Medians, tests and Markdown tables for all reports here; the tests are those of `nas compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nas.compare.statistics import against


def median_and_quartiles(values: pd.Series) -> dict[str, float]:
    """Of the finite values."""
    low, middle, high = np.percentile(values.to_numpy(dtype=np.float64), (25, 50, 75))
    return {"lower_quartile": low, "median": middle, "upper_quartile": high}


def compared(values: Mapping[str, pd.Series], reference: str) -> dict[str, dict[str, object]]:
    """Each method, values by seed (better when larger), against the reference; `verdict` is the method's.

    `effect` is the probability that a run of the reference is better (Vargha and Delaney).
    """
    found: dict[str, dict[str, object]] = {reference: {"p_holm": np.nan, "effect": np.nan, "verdict": ""}}
    pairs = against({m: v.to_dict() for m, v in values.items()}, reference)
    for m, pair in pairs.items():
        p = np.nan if pair.p_holm is None else pair.p_holm
        verdict = pair.note.split(";")[0] or pair.verdict()
        found[m] = {"p_holm": p, "effect": 1 - pair.effect, "verdict": verdict}
    return found


def to_markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows), ""])


def curve_report(
    frame: pd.DataFrame, prefix: str, at: Sequence[int], reference: str, *, larger: bool = True
) -> pd.DataFrame:
    """One row per task, number of evaluations and method: mean, quartiles, and the test against the reference.

    The reference is the first method of the task where its own runs are shorter.
    """
    rows = []
    for task, of_task in frame.groupby("task", sort=False):
        for n in [n for n in at if f"{prefix}_{n}" in of_task]:
            runs = {
                m: v.set_index("seed")[f"{prefix}_{n}"].dropna()
                for m, v in of_task.groupby("method", sort=False)
            }
            runs = {m: v for m, v in runs.items() if len(v)}
            if not runs:
                continue
            chosen = reference if reference in runs else next(iter(runs))
            tested = compared({m: v if larger else -v for m, v in runs.items()}, chosen)
            for m, v in runs.items():
                found = {"mean": v.mean(), **median_and_quartiles(v), "compared_with": chosen, **tested[m]}
                rows.append({"task": task, "evaluations": n, "method": m, "runs": len(v), **found})
    return pd.DataFrame(rows).round(5)


def summary_table(
    rows: pd.DataFrame, value: str, extra: Mapping[str, Mapping[str, str]] | None = None, digits: int = 3
) -> str:
    """One task's summary in Markdown: one row per method, one column per number of evaluations, then the last test of each.

    `extra` has further columns, by head, then method.
    """
    extra, body = extra or {}, []
    places = sorted(rows["evaluations"].unique().tolist())
    first = rows["compared_with"].iloc[0]  # with which all are compared that go as far as it
    for m in rows["method"].unique():
        mine = rows[rows["method"] == m].set_index("evaluations")
        cells = [f"{mine.loc[n, value]:.{digits}f}" if n in mine.index else "" for n in places]
        tested = mine[mine["compared_with"] != m]
        with_first = tested[tested["compared_with"] == first]
        tested = (tested if with_first.empty else with_first).tail(1)
        said = ""
        for n, row in tested.iterrows():
            p = f", p {row['p_holm']:.2g}" if np.isfinite(row["p_holm"]) else ""
            word = {"better": "than", "worse": "than", "no difference shown": "from"}.get(row["verdict"])
            than = f" {word} {row['compared_with']} at {n}" if word else ""
            said = f"{row['verdict']}{than} (A {1 - row['effect']:.2f}{p})"
        body.append(
            [str(m), str(int(mine["runs"].max())), *cells, said, *(v.get(str(m), "") for v in extra.values())]
        )
    return to_markdown(["method", "runs", *map(str, places), "tested", *extra], body)
