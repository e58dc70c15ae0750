"""Found cells drawn as graphs, side by side in one SVG file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from cells_tasks import Task

COLUMNS, MOST = 4, 8
_WIDTH, _HEIGHT = 330, 420  # of a place in the sheet, pixels
_CAPTION = 46
_SIZE = re.compile(r'viewBox="0 0 (\d+) (\d+)" width="\d+" height="\d+"')


def sheet(task: Task, cells: Sequence[str], file: Path) -> None:
    """Draw at most `MOST` cells, evenly chosen in order of test error, each with its reported values."""
    rows = task.everything.set_index("architecture").loc[list(cells)].sort_values("test_error")
    if len(rows) > MOST:
        rows = rows.iloc[[round(i * (len(rows) - 1) / (MOST - 1)) for i in range(MOST)]]
    height = -(-len(rows) // COLUMNS) * _HEIGHT
    width = min(COLUMNS, len(rows)) * _WIDTH
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif"><rect width="{width}" height="{height}" fill="white"/>'
    ]
    for i, (text, row) in enumerate(rows.iterrows()):
        x, y = (i % COLUMNS) * _WIDTH, (i // COLUMNS) * _HEIGHT
        drawn = task.problem.space.to_svg(task.problem.space.parse(str(text)))  # type: ignore[attr-defined]
        found = _SIZE.search(drawn)
        assert found is not None  # as the space draws
        wide, high = int(found[1]), int(found[2])
        scale = min(1.0, (_WIDTH - 16) / wide, (_HEIGHT - _CAPTION - 8) / high)
        left = x + (_WIDTH - scale * wide) / 2
        place = f'x="{left:.0f}" y="{y + _CAPTION}" width="{scale * wide:.0f}" height="{scale * high:.0f}"'
        parts.append(drawn.replace(found[0], f'viewBox="0 0 {wide} {high}" {place}', 1))
        caption = f"{row['test_error']:.2f}% error, {row['params'] / 1e6:.2f}M parameters"
        parts.append(
            f'<text x="{x + _WIDTH / 2}" y="{y + 20}" text-anchor="middle" font-size="15">{escape(caption)}</text>'
        )
        parts.append(
            f'<text x="{x + _WIDTH / 2}" y="{y + 37}" text-anchor="middle" font-size="11" fill="#555">{escape(str(text))}</text>'
        )
    file.write_text("\n".join([*parts, "</svg>\n"]), encoding="utf-8")
