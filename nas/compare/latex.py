"""The tables of a comparison in LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nas.compare.tables import Table
from nas.core.text import printable

MOST_COLUMNS = 6
_COLUMN, _PAGE = 52, 110  # characters of small type across a column of text, and across both
_SPECIAL = (
    {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {c: f"\\{c}" for c in "&%$#_{}"}
    | {c: f"{{{c}}}" for c in "[]*"}
)  # the \\\\ of a row would take it for its argument
_RANGE = re.compile(r"\(([^()\s]+) to ([^()\s]+)\)$")


def latex(found: Sequence[Table]) -> str:
    """All tables as LaTeX for the package booktabs; the best of a column is bold.

    A table has at most six columns: a wider one is cut into several, each with the key columns. One that does not fit into a
    column of text is a `table*`, which in a document of one column is the same as a `table`.
    """
    parts = ["% Written by nas compare; needs \\usepackage{booktabs}"]
    for table in found:
        pieces = _pieces(table)
        for n, columns in enumerate(pieces, 1):
            part = "" if len(pieces) == 1 else f" ({n} of {len(pieces)})"
            parts.append(_table(table, columns, f"{table.title}{part}"))
    return "\n\n".join(parts) + "\n"


def latex_text(text: str) -> str:
    """A text with LaTeX's special characters escaped."""
    plain = " ".join(printable(text).split())
    return re.sub(r"[\\~^&%$#_{}<>\[\]*]", lambda m: _SPECIAL.get(m[0], f"${m[0]}$"), plain)


def _compact(text: str) -> str:
    """A cell with a dash in the place of `to`, and a minus sign where a number begins with it."""
    plain = _RANGE.sub(r"(\1--\2)", text)
    return re.sub(r"^-(?=\d)", "\u2212", plain)


def _pieces(table: Table) -> list[list[int]]:
    """The columns of each printed table, beside the keys: as few tables of about equal width as fit."""
    others = list(range(table.keys, len(table.header)))
    pieces = [others]
    for parts in range(1, len(others) + 1):
        size = -(-len(others) // parts)
        pieces = [others[i : i + size] for i in range(0, len(others), size)]
        if table.keys + size <= MOST_COLUMNS and max(_width(table, piece) for piece in pieces) <= _PAGE:
            break
    return pieces


def _width(table: Table, columns: Sequence[int]) -> int:
    """The characters of the longest cells of the keys and of these columns, with the space between."""
    lines = (table.header, *table.rows)
    return sum(2 + max(len(_compact(line[j])) for line in lines) for j in (*range(table.keys), *columns))


def _table(table: Table, columns: Sequence[int], title: str) -> str:
    """One table of the keys and these columns; below the first of several, the notes in small type."""
    shown = (*range(table.keys), *columns)

    def row(cells: Sequence[str], number: int = -1) -> str:
        texts = [latex_text(_compact(cells[j])).replace("\u2212", "$-$") for j in shown]
        marked = [
            f"\\textbf{{{text}}}" if (number, j) in table.best else text
            for j, text in zip(shown, texts, strict=True)
        ]
        return f"{' & '.join(marked)} \\\\"

    body = "\n".join(row(cells, number) for number, cells in enumerate(table.rows))
    kind = "table" if _width(table, columns) <= _COLUMN else "table*"
    notes = " ".join(latex_text(note) for note in table.notes if columns[:1] in ([table.keys], []))
    below = f"\n\\par\\smallskip\\parbox{{\\linewidth}}{{\\scriptsize {notes}}}" if notes else ""
    return (
        f"\\begin{{{kind}}}\n\\centering\\footnotesize\\setlength{{\\tabcolsep}}{{4pt}}\n\\caption{{{latex_text(title)}}}\n"
        f"\\begin{{tabular}}{{@{{}}{'l' * len(shown)}@{{}}}}\n\\toprule\n{row(table.header)}\n\\midrule\n"
        f"{body}\n\\bottomrule\n\\end{{tabular}}{below}\n\\end{{{kind}}}"
    )
