"""The result of a search in one sentence, the first line of its page."""

from __future__ import annotations

from collections.abc import Sequence

from nas.core.text import duration
from nas.report.records import Measure, Run
from nas.report.sources import UNDER_WAY, Source
from nas.runs.empty_front import why_empty
from nas.runs.run_folder import INHERITED

_NAMES_ITSELF = ("parameters", "multiply-adds")  # units that need no name of the objective


def result(sources: Sequence[Source], runs: Sequence[Run], measures: Sequence[Measure]) -> str:
    """The result of one run, or the comparison of several by the hypervolume in their common box."""
    if len(runs) == 1:
        return _of_one(sources[0], runs[0], measures)
    found = [(run.name, run.curve.hypervolume[-1] or 0.0) for run in runs if run.curve is not None]
    if len(found) < 2:
        return ""
    (best, most), (worst, least) = max(found, key=lambda each: each[1]), min(found, key=lambda each: each[1])
    chance = "differences between single searches may be chance."
    if len(runs) == 2:
        return f"Of the two searches, {best} has the larger hypervolume: {most:.4f} of the common box against {least:.4f}; {chance}"
    return (
        f"Of {len(runs)} searches, {best} has the largest hypervolume ({most:.4f} of the common box) and {worst} the smallest "
        f"({least:.4f}); {chance}"
    )


def _of_one(source: Source, run: Run, measures: Sequence[Measure]) -> str:
    front = int(source.summary["front_size"])
    if run.knee is None or not front:
        return why_empty(source.table)
    inherited = f" {INHERITED}" if source.table.inherited else ""
    so_far = "So far, " if source.state == UNDER_WAY else ""
    evaluated = f"{int(source.summary['evaluations']):,} evaluated networks"
    noisy = {each.objective for each in run.rows.noisy}
    seconds = run.rows.seconds[run.knee]
    after = "" if seconds is None else f", found after {duration(seconds)}"
    if len(measures) == 1:
        best = _said(measures[0], run.rows.values[0][run.knee], 0 in noisy)
        return _sentence(f"{so_far}the best of {evaluated} has {best}{after}.{inherited}")
    first = [run.rows.values[0][i] for i in run.rows.front]
    low, high = min(first), max(first)
    ends = sorted((low, high), reverse=measures[0].maximize)
    knee = [_said(m, run.rows.values[k][run.knee], k in noisy) for k, m in enumerate(measures)]
    return _sentence(
        f"{so_far}{front:,} of {evaluated} {'is' if front == 1 else 'are'} on the Pareto front, with {_said(measures[0], ends[0], 0 in noisy)}"
        f"{'' if low == high else f' to {_value(measures[0], ends[1])}'}; its knee point has {', '.join(knee[:-1])} and {knee[-1]}{after}.{inherited}"
    )


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _said(measure: Measure, value: float, expected: bool) -> str:
    """Such as `an expected error of 3.79%`, `11,731 parameters`, `a latency of 2.1 ms`."""
    if measure.unit in _NAMES_ITSELF:
        return _value(measure, value)
    name = f"expected {measure.name}" if expected else measure.name
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name} of {_value(measure, value)}"


def _value(measure: Measure, value: float) -> str:
    size = abs(value)
    whole = size >= 1000 or float(value).is_integer()
    text = f"{value:,.0f}" if whole else f"{value:.2f}" if size >= 1 else f"{value:.3g}"
    return f"{text}{'%' if measure.unit == '%' else f' {measure.unit}' if measure.unit else ''}"
