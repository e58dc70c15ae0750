"""One self-contained HTML page with all tables and figures, which opens offline."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from nas.compare.figures import Drawing
from nas.compare.tables import Table

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 66rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; border-top: 1px solid #ddd; padding-top: 1rem; }
h3 { font-size: 1rem; margin-bottom: .3rem; } p { margin: .3rem 0; } .note { color: #555; font-size: .9rem; }
table { border-collapse: collapse; font-size: .85rem; margin: .6rem 0 1.2rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .7rem; border-bottom: 1px solid #e4e4e4; } th { border-bottom: 2px solid #888; }
div.wide { overflow-x: auto; } figure { margin: 1rem 0 1.6rem; } img { max-width: 100%; height: auto; }
figcaption { color: #555; font-size: .85rem; } .warning { color: #A33B00; }
"""


def page(
    title: str,
    facts: Sequence[str],
    found: Sequence[Table],
    figures: Mapping[str, Sequence[Drawing]],
    folder: Path,
) -> str:
    """The page: facts, then per heading the tables whose title begins with it and its figures.

    `figures` are by heading; their SVG files are read from `folder`. Every text is escaped.
    """
    parts = [f"<h1>{html.escape(title)}</h1>", *(f"<p>{html.escape(fact)}</p>" for fact in facts)]
    left = list(found)
    for heading, drawings in figures.items():
        parts.append(f"<h2>{html.escape(heading)}</h2>")
        own = [table for table in left if table.title.startswith(f"{heading}: ")]
        left = [table for table in left if table not in own]
        parts += [_table(table) for table in own]
        parts += [_figure(drawing, folder) for drawing in drawings]
    parts += [_table(table) for table in left]
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _table(table: Table) -> str:
    def row(cells: Sequence[str], tag: str, number: int = -1) -> str:
        marked = [
            f"<b>{html.escape(c)}</b>" if (number, j) in table.best else html.escape(c)
            for j, c in enumerate(cells)
        ]
        return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in marked) + "</tr>"

    lines = [row(table.header, "th"), *(row(cells, "td", i) for i, cells in enumerate(table.rows))]
    notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in table.notes)
    return (
        f'<h3>{html.escape(table.title)}</h3>{notes}<div class="wide"><table>{"".join(lines)}</table></div>'
    )


def _figure(drawing: Drawing, folder: Path) -> str:
    data = base64.b64encode((folder / f"{drawing.stem}.svg").read_bytes()).decode("ascii")
    said = html.escape(drawing.caption)
    return (
        f'<figure><img alt="{said}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{said} ({html.escape(drawing.stem)}.svg, .png)</figcaption></figure>"
    )
