"""Tables of architectures that fit the terminal."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

READABLE = 30  # minimum columns of an architecture, if its text form is that long
_BORDER, _PADDING = 1, 3  # columns of the frame; of the padding and separator per column


def fitted(view: Table, console: Console) -> RenderableType:
    """A table with architectures in its first column, laid out to keep them readable.

    If space is short, first break the headers before the unit; then number the architectures and list
    their text forms below the table; then turn each row into a list of its values.
    """
    longest = max((_width(cell) for cell in view.columns[0].cells), default=0)
    needed = min(longest, READABLE)
    if console.width - _others(view) - _BORDER - _PADDING >= needed:
        return view
    for column in view.columns[1:]:
        column.header = str(column.header).replace(" (", "\n(", 1)
    if console.width - _others(view) - _BORDER - _PADDING >= needed:
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
