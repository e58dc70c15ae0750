"""Tables and lists for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from nas.cli.console import output as output
from nas.core.objectives import Objective
from nas.core.plugins import registry
from nas.core.text import counted
from nas.runs.expected import ENDS
from nas.runs.original import difference_text
from nas.runs.run_folder import INHERITED, RunTable

FEW_PARAMETERS = 12  # more are left to front.csv
ROWS = 40  # printed rows of a front; the file has all
READABLE = 30  # minimum columns of an architecture, if its text form is that long
_BORDER, _PADDING = 1, 3  # columns of the frame; of the padding and separator per column


def front_table(table: RunTable, by: str | None = None, original: Mapping[str, float] | None = None) -> Table:
    """The front as a table, thinned evenly if long; `by` adds the column of a recorded value.

    `original` are the values of the network that the run shrinks: a column has the differences from them.

    Up to `FEW_PARAMETERS` parameters of the space are columns too, if they fit the terminal.
    """
    if 0 < len(table.parameters) <= FEW_PARAMETERS:
        wide = _front_table(table, by, [name for name in table.parameters if name != by], original)
        if fits(wide, output(), least=_width(wide.columns[0].header)):
            return wide
    return _front_table(table, by, [], original)


def _front_table(
    table: RunTable, by: str | None, parameters: Sequence[str], original: Mapping[str, float] | None
) -> Table:
    front = table.front
    shown = (
        front
        if len(front) <= ROWS
        else front.iloc[[round(i * (len(front) - 1) / (ROWS - 1)) for i in range(ROWS)]]
    )
    title = f"Pareto front: {counted(len(front), 'architecture')}" + (
        f", {ROWS} shown" if len(front) > ROWS else ""
    )
    view = architecture_table(title, table.objectives, by)
    columns = value_columns(table.objectives, by)
    expected = add_expected(view, table.objectives, front)
    if original:
        view.add_column("against the original", no_wrap=True)
    for name in parameters:
        view.add_column(name, justify="right", no_wrap=True)
    for _, row in shown.iterrows():
        against = [difference_text(dict(row), original, table.objectives)] if original else []
        cells = [
            *expected_cells(row, expected),
            *against,
            *(parameter_text(row[name]) for name in parameters),
        ]
        view.add_row(str(row["architecture"]), *[number(row[name]) for name in columns], *cells)
    return view


def front_note(table: RunTable) -> str:
    """That the errors are inherited, or how the front follows from expected values, in one or two sentences; "" if neither."""
    if table.inherited:
        return INHERITED
    expected = table.expected
    if expected is None:
        return ""
    names = " and ".join(expected.names)
    note = f"The front and its order follow from the expected {names}; in brackets the 90% interval of a further measurement."
    missing = len(table.told) - expected.results
    return (
        note if missing <= 0 else f"{note} The last {missing} of {len(table.told)} results are not in it yet."
    )


def add_expected(view: Table, objectives: Sequence[Objective], front: pd.DataFrame) -> list[str]:
    """Add a column for the expected value of each noisy objective, with its interval; return their names."""
    names = [o.name for o in objectives if f"{o.name}_expected" in front.columns]
    for name in names:
        view.add_column(f"{name} expected (90%)", justify="right", no_wrap=True)
    return names


def expected_cells(row: pd.Series[Any], names: Sequence[str]) -> list[str]:
    """The cells of the columns of `add_expected`: the expected value and the ends of its interval."""
    cells = []
    for name in names:
        ends = [float(row[f"{name}_{end}"]) for end in ENDS]
        texts = [f"{end:.2f}" for end in ends] if 1 <= abs(ends[0]) < 100 else [number(end) for end in ends]
        cells.append("{} ({} to {})".format(*texts))
    return cells


def parameter_text(cell: Any) -> str:
    """The cell of a parameter: "" while inactive, whole numbers without a point."""
    if isinstance(cell, float):
        return "" if math.isnan(cell) else f"{cell:g}" if abs(cell) < 1e15 else str(cell)
    return str(cell)


def value_columns(objectives: Sequence[Objective], by: str | None = None) -> list[str]:
    """The names of the columns with numbers: the objectives, then the value `by` unless it is one of them."""
    names = [o.name for o in objectives]
    return names if by is None or by in names else [*names, by]


def architecture_table(title: str, objectives: Sequence[Objective], by: str | None = None) -> Table:
    """An empty table with columns for the architecture, each objective and the value `by`."""
    view = Table(title=title, title_justify="left", header_style="bold")
    view.add_column("architecture", overflow="fold")  # long ones wrap; the numbers never do
    for item in objectives:
        view.add_column(
            f"{item.name}" + (f" ({item.unit})" if item.unit else ""), justify="right", no_wrap=True
        )
    for name in value_columns(objectives, by)[len(objectives) :]:
        view.add_column(name, justify="right", no_wrap=True)
    return view


def number(value: float) -> str:
    """A number as text: integers with separators, others with two to four digits, NaN as ""."""
    if not math.isfinite(value):
        return "" if math.isnan(value) else str(value)
    if value == int(value) and abs(value) >= 100:
        return f"{int(value):,}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.4g}"


def listing(kind: str) -> Table:
    """The components of a kind with their summaries. Raises `ConfigError` for an unknown kind."""
    from nas.core.checks import check_known

    check_known("kind", kind, _LISTS)
    view = Table(header_style="bold", show_edge=False, box=None, padding=(0, 2))
    view.add_column("name", no_wrap=True)
    view.add_column("description")
    for name, summary in _LISTS[kind]():
        view.add_row(name, summary)
    return view


def _summaries(registry: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, getattr(item, "summary", None) or _first_line(item)) for name, item in registry.items()]


def _first_line(item: Any) -> str:
    return (getattr(item, "__doc__", None) or "").strip().split("\n")[0]


def _spaces() -> list[tuple[str, str]]:
    return _summaries(registry("space"))


def _algorithms() -> list[tuple[str, str]]:
    from nas.algorithms import ALGORITHMS

    return _summaries(ALGORITHMS)


def _peers() -> list[tuple[str, str]]:
    from nas.algorithms.peers import PEERS

    return _summaries(PEERS)


def _evaluators() -> list[tuple[str, str]]:
    return _summaries(registry("evaluator"))


def _executors() -> list[tuple[str, str]]:
    from nas.executors import SETTINGS

    return [
        (name, "settings: " + ", ".join(settings.__dataclass_fields__)) for name, settings in SETTINGS.items()
    ]


def _objectives() -> list[tuple[str, str]]:
    from nas.core.objectives import OBJECTIVES

    return [
        (o.name, f"{o.unit}, {'maximised' if o.maximize else 'minimised'}, "
                 f"{'exact, known before training' if o.cheap else 'measured by the evaluator'}")
        for o in OBJECTIVES.values()
    ]  # fmt: skip


def _surrogates() -> list[tuple[str, str]]:
    return _summaries(registry("surrogate")) or [("(none)", "this version has no surrogates")]


def _callbacks() -> list[tuple[str, str]]:
    return _summaries(registry("callback"))


def _models() -> list[tuple[str, str]]:
    from nas.cli.named_networks import listed_models

    return listed_models()


_LISTS = {
    "spaces": _spaces,
    "models": _models,
    "algorithms": _algorithms,
    "peers": _peers,
    "evaluators": _evaluators,
    "executors": _executors,
    "objectives": _objectives,
    "surrogates": _surrogates,
    "callbacks": _callbacks,
}


def fits(view: Table, console: Console, least: int = 0) -> bool:
    """Whether a table with architectures in its first column, of `least` columns or more, keeps them readable."""
    longest = max((_width(cell) for cell in view.columns[0].cells), default=0)
    longest = max(longest, least)
    return console.width - _others(view) - _BORDER - _PADDING >= min(longest, READABLE)


def fitted(view: Table, console: Console) -> RenderableType:
    """A table with architectures in its first column, laid out to keep them readable.

    If space is short, first break the headers before the unit; then number the architectures and list
    their text forms below the table; then turn each row into a list of its values.
    """
    if fits(view, console):
        return view
    for column in view.columns[1:]:
        column.header = str(column.header).replace(" (", "\n(", 1)
    if fits(view, console):
        return view
    texts = [_plain(cell) for cell in view.columns[0].cells]
    numbers = [str(i + 1) for i in range(len(texts))]
    if console.width - _others(view) - _BORDER - _PADDING >= len(numbers[-1]):
        view.columns[0].header = "no."
        view.columns[0].justify = "right"
        view.columns[0]._cells = list(numbers)
        return Group(view, *_numbered(numbers, texts))
    return _values_below(view, numbers, texts)


def _others(view: Table) -> int:
    """Width of all table columns but the first."""
    return sum(
        max((_width(cell) for cell in (column.header, *column.cells)), default=0) + _PADDING
        for column in view.columns[1:]
    )


def _plain(cell: RenderableType) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)


def _width(cell: RenderableType) -> int:
    return max(map(cell_len, _plain(cell).split("\n")), default=0)


def _numbered(numbers: list[str], texts: list[str]) -> list[Text]:
    wide = len(numbers[-1])
    return [Text(f"{number:>{wide}}  {text}") for number, text in zip(numbers, texts, strict=True)]


def _values_below(view: Table, numbers: list[str], texts: list[str]) -> Group:
    """A list of architectures, each followed by its values, one per line."""
    lines: list[Text] = [Text(_plain(view.title or ""), style="italic")]
    headers = [" ".join(_plain(column.header).split()) for column in view.columns[1:]]
    columns = [list(column.cells) for column in view.columns[1:]]
    for i, first in enumerate(_numbered(numbers, texts)):
        lines.append(first)
        for header, cells in zip(headers, columns, strict=True):
            value = " ".join(_plain(cells[i]).split())
            if value:
                lines.append(Text(f"    {header} {value}".rstrip()))
    return Group(*lines)
