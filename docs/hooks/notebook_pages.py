"""Notebooks as pages of the site: text, code and stored output."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat


def notebook_page(path: Path) -> str:
    """A notebook as Markdown. Outputs other than text (images, tables as HTML) are left out."""
    notebook: Any = nbformat.read(path, as_version=4)
    first, *rest = notebook.cells
    link = f"[Download the notebook]({path.name}){{ download }}"
    return "\n\n".join([first.source, link, *(part for cell in rest for part in _parts(cell))])


def _parts(cell: Any) -> Iterator[str]:
    if cell.cell_type == "markdown":
        yield cell.source.replace(".ipynb)", ".md)")
        return
    yield f"````python\n{cell.source}\n````"
    for output in cell.outputs:
        text = output.get("text") or output.get("data", {}).get("text/plain", "")
        if text and "image/png" not in output.get("data", {}):
            yield f"````text\n{text.rstrip()}\n````"
