"""`nas front`: print a run's front, ranked by a preference or a recorded value, with its knee point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype
from rich.table import Table

from nas.cli.console import errors, output, print_json
from nas.cli.show import (
    ROWS,
    add_expected,
    architecture_table,
    expected_cells,
    fitted,
    front_note,
    front_table,
    number,
    value_columns,
)
from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.pareto.decision import Knee, Picked, knee, minimised, pick
from nas.pareto.preference_text import terms
from nas.pareto.preferences import Preference
from nas.runs.empty_front import why_empty
from nas.runs.expected import ENDS
from nas.runs.original import original_values
from nas.runs.parameters import plain_cell
from nas.runs.reading import load_run
from nas.runs.run_folder import RunTable, write_history_csv

_NOT_VALUES = {"trial", "seed", "told", "told_seconds", "asked_at", "started", "finished", "measurements"}


@dataclass(frozen=True)
class FrontOptions:
    """The flags of `nas front`; `top` None: all rows, or one screen. `largest` is the direction of `by`."""

    prefer: str | None = None
    knee: bool = False
    top: int | None = None
    as_json: bool = False
    by: str | None = None
    largest: bool = False
    csv: bool = False
    importance: bool = False


def show_front(run: Path, options: FrontOptions) -> None:
    """Print a run's front. Raises `ConfigError` for an invalid preference or recorded value."""
    if options.by is not None and options.prefer is not None:
        raise ConfigError("--by and --prefer each rank the front: set only one")
    if options.largest and options.by is None:
        raise ConfigError("--largest requires --by: add --by NAME or remove --largest")
    asked = None if options.prefer is None else terms(options.prefer)  # report a typo before reading the run
    table, meta = load_run(run)
    if options.csv:
        written = write_history_csv(run, table)
        (errors() if options.as_json else output()).print(f"All trials written to {written}")
    if options.by is not None:
        table = replace(table, front=front_by(table, options.by, largest=options.largest or None))
    picked = None if asked is None else pick(table.front, Preference.parse(asked, table.objectives))
    rows = table.front if picked is None else picked.ranked
    bend = knee(minimised(rows, table.objectives)) if options.knee and len(rows) else None
    if options.as_json:
        print_json(_as_json(run, table, picked, bend, options), indent=2)
        return
    if len(table.front) == 0:
        output().print(why_empty(table), markup=False, highlight=False)
    elif picked is None and not options.knee and options.top is None:
        output().print(
            fitted(front_table(table, options.by, original_values(meta.get("identity") or {})), output())
        )
    elif picked is not None and picked.ranked.empty:
        _print_nearest(picked, options.top)
    else:
        _print_rows(table, picked, bend, options)
    if len(table.front) and front_note(table):
        _say(front_note(table))
    if options.importance:
        from nas.cli.importance import importances_of, print_importances  # loads the surrogates

        print_importances(importances_of(run))


def _as_json(
    run: Path, table: RunTable, picked: Picked | None, bend: Knee | None, options: FrontOptions
) -> Any:
    if picked is None and not options.knee and not options.importance:
        records = table.front.head(options.top or len(table.front)).to_dict("records")
        return [{**row, **_parameters(row, table.parameters)} for row in records]
    front = table.front if picked is None else picked.ranked
    names = [o.name for o in table.objectives]
    rows = [_row(row, names, table.parameters) for _, row in front.iterrows()]
    result: dict[str, Any] = {"front_size": len(table.front)}
    if picked is not None:
        for i, row in enumerate(rows):
            row["score"] = float(picked.scores[i])
            row["worse_by"] = {str(k): float(v) for k, v in picked.worse_by.iloc[i].items()}
        nearest = [
            {
                **_row(row, names, table.parameters),
                "misses": {str(k): float(v) for k, v in picked.misses.iloc[i].items()},
            }
            for i, (_, row) in enumerate(picked.nearest.iterrows())
        ]
        result |= {
            "preference": str(picked.preference),
            "aspiration": picked.aspiration,
            "dropped": picked.dropped,
            "nearest": nearest[: options.top],
        }
    if options.knee:
        result["knee"] = bend and {**rows[bend.index], "bends": bend.bends, "depth": bend.depth}
    if options.importance:
        from nas.cli.importance import importances_as_json, importances_of

        result["importance"] = importances_as_json(importances_of(run))
    return {**result, "rows": rows[: options.top]}


def _row(row: pd.Series[Any], names: list[str], parameters: Sequence[str]) -> dict[str, Any]:
    named = {"parameters": _parameters(row, parameters)} if parameters else {}
    return {
        "architecture": str(row["architecture"]),
        "objectives": {n: float(row[n]) for n in names},
        **{c: float(row[c]) for n in names for end in ENDS if (c := f"{n}_{end}") in row},
        **named,
    }


def _parameters(row: Mapping[Any, Any] | pd.Series[Any], names: Sequence[str]) -> dict[str, Any]:
    """The cells of the parameters for JSON, None while inactive."""
    return {name: plain_cell(row[name]) for name in names}


def _print_rows(table: RunTable, picked: Picked | None, bend: Knee | None, options: FrontOptions) -> None:
    front = table.front if picked is None else picked.ranked
    shown = min(len(front), options.top or ROWS)
    some = f", {shown} shown" if shown < len(front) else ""
    title = f"Pareto front: {len(front)} architectures{some}"
    if picked is not None:
        left = f", {picked.dropped} excluded by limits" if picked.preference.limits else ""
        title = f"By {picked.preference}: {len(front)} of {len(table.front)} architectures{left}{some}"
    view = architecture_table(title, table.objectives, options.by)
    expected = add_expected(view, table.objectives, front)
    targets = picked is not None and not picked.worse_by.columns.empty
    if targets:
        view.add_column("distance", no_wrap=True)
    if picked is not None:
        view.add_column("score", justify="right", no_wrap=True)
    view.add_column("")
    columns = value_columns(table.objectives, options.by)
    for i in range(shown):
        cells = [str(front["architecture"].iloc[i]), *[number(front[name].iloc[i]) for name in columns]]
        cells += expected_cells(front.iloc[i], expected)
        if picked is not None:
            cells += [_distance(picked, i)] * targets + [f"{picked.scores[i]:.3f}"]
        view.add_row(*cells, _mark(i, picked, bend), style="bold" if picked is not None and i == 0 else None)
    output().print(fitted(view, output()))
    if picked is not None:
        completed = _completed(picked)
        if completed:
            _say(f"Targets of the other objectives (their best values given yours): {completed}")
        _say(f"Best: {front['architecture'].iloc[0]}")
    if bend is not None:
        what = "Knee point" if bend.bends else "No knee point, the front does not bend; most balanced"
        _say(f"{what}: {front['architecture'].iloc[bend.index]}")


def _mark(i: int, picked: Picked | None, bend: Knee | None) -> str:
    marks = ["best"] * (picked is not None and i == 0)
    if bend is not None and i == bend.index:
        marks.append("knee" if bend.bends else "balanced")
    return "\n".join(marks)


def _distance(picked: Picked, i: int) -> str:
    """Distance of row i from each target, one per line."""
    lines = []
    for name, worse in picked.worse_by.iloc[i].items():
        how = f"{number(abs(worse))} {'worse' if worse > 0 else 'better'}" if worse else "on target"
        lines.append(f"{name} {how}")
    return "\n".join(lines)


def _completed(picked: Picked) -> str:
    """The targets of objectives without one in the preference, if others have one."""
    preference = picked.preference
    named = [
        o.name for o, a in zip(preference.objectives, preference.aspirations, strict=True) if a is not None
    ]
    levels = [f"{name} {number(level)}" for name, level in picked.aspiration.items() if name not in named]
    return ", ".join(levels) if named else ""


def _print_nearest(picked: Picked, top: int | None) -> None:
    """Print the rows that violate the limits least, and by how much, when none meets them."""
    count = min(len(picked.nearest), top or 5)
    preference = picked.preference
    view: Table = architecture_table(
        f"By {preference}: none of {picked.dropped} architectures meets the limits; the nearest {count}",
        preference.objectives,
    )
    expected = add_expected(view, preference.objectives, picked.nearest)
    view.add_column("misses", no_wrap=True)
    for i in range(count):
        row, misses = picked.nearest.iloc[i], picked.misses.iloc[i]
        said = "\n".join(f"{limit} by {number(by)}" for limit, by in misses.items() if by > 0)
        cells = [*[number(row[o.name]) for o in preference.objectives], *expected_cells(row, expected)]
        view.add_row(str(row["architecture"]), *cells, said)
    output().print(fitted(view, output()))


def _say(text: str) -> None:
    output().print(text)


def recorded_names(table: RunTable) -> list[str]:
    """The recorded numbers of a run's trials: first the objectives, then the others by name."""
    objectives = [o.name for o in table.objectives]
    others = {
        name
        for name in table.told.columns
        if name not in {*_NOT_VALUES, *objectives, *table.parameters} and is_numeric_dtype(table.told[name])
    }
    return objectives + sorted(others)


def front_by(table: RunTable, name: str, *, largest: bool | None = None) -> pd.DataFrame:
    """The front with the recorded value or parameter `name` as a column, ranked by it; architectures without it come last.

    The value comes from the architecture's latest successful trial. `largest` ranks the largest first; None: an objective by
    its direction, any other value smallest first. A noisy objective ranks by its expected value. Raises `ConfigError` for a name without records.
    """
    names = recorded_names(table)
    if name not in names and not (name in table.parameters and is_numeric_dtype(table.front[name])):
        raise ConfigError(
            f"--by {name!r}: this run did not record it{did_you_mean(name, names)}; it has: {', '.join(names)}"
        )
    front = table.front
    if name not in front.columns:
        told = table.told if not len(table.imported) else pd.concat([table.imported, table.told])
        latest = told[told["status"] == "ok"].drop_duplicates("architecture", keep="last")
        front = front.assign(**{name: front["architecture"].map(latest.set_index("architecture")[name])})
    if largest is None:
        largest = any(o.name == name and o.maximize for o in table.objectives)
    decides = f"{name}_expected" if f"{name}_expected" in front.columns else name
    return front.sort_values(decides, ascending=not largest, kind="stable", ignore_index=True)
