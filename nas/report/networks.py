"""The architectures of the front, drawn and taken apart as far as their space can."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from nas.core.errors import NasError
from nas.core.records import RESERVED, Architecture
from nas.core.space import HasBlocks, HasDrawing, SearchSpace, parsed
from nas.core.tracebacks import summarize_exception
from nas.report.evaluated import Evaluated
from nas.report.records import Network, Networks, Part
from nas.report.rows import evenly, numbers

MOST_DRAWN = 200  # on a page
_UNKNOWN = (
    "The space of this run is not at hand, since reading a run executes no code of your own: its networks are drawn on the page "
    "that nas search leaves, and by nas.report.write_report(..., space=...)."
)


def rows_to_draw(run: Evaluated, kept: NDArray[np.int64], room: int, knee: int | None) -> NDArray[np.int64]:
    """Which of the rows `kept` are drawn: so many of the front, evenly along the first objective, and the knee."""
    front = np.flatnonzero(run.front[kept])
    order = front[np.argsort(run.values[kept][front][:, 0], kind="stable")]
    chosen = evenly(order, min(1.0, room / max(1, len(order))))
    return np.union1d(chosen, [] if knee is None else [knee]).astype(np.int64)


def networks(
    run: Evaluated,
    kept: NDArray[np.int64],
    chosen: NDArray[np.int64],
    space: SearchSpace | None,
    objectives: list[str],
) -> Networks:
    """The networks of the rows `chosen` among those `kept`, as far as their space can draw them."""
    frame = run.frame.iloc[kept[chosen]]
    known = RESERVED | set(objectives)
    others = [name for name in frame.columns if name not in known and is_numeric_dtype(frame[name])]
    columns = {name: numbers(frame[name]) for name in others}
    drawn = [
        _network(
            int(row),
            text,
            space,
            {name: v for name, column in columns.items() if (v := column[i]) is not None},
        )
        for i, (row, text) in enumerate(zip(chosen, frame["architecture"].astype(str), strict=True))
    ]
    return Networks(drawn, int(run.front[kept].sum()) - len(drawn), _note(space))


def _note(space: SearchSpace | None) -> str:
    if space is None:
        return _UNKNOWN
    if not isinstance(space, (HasBlocks, HasDrawing)):
        return (
            f"Space {space.name} has neither to_svg(architecture) nor blocks(architecture), so its genes are listed "
            "instead of a drawing."
        )
    return ""


def _network(row: int, text: str, space: SearchSpace | None, reported: Mapping[str, float]) -> Network:
    try:
        architecture = None if space is None else parsed(space, text)
    except NasError:  # the log is that of another space, or of other settings of it
        architecture = None
    if space is None or architecture is None:
        return Network(row, "", "", (), reported)
    svg, words, parts = "", "", []
    try:  # somebody's own space
        if isinstance(space, HasDrawing):
            svg, words = space.to_svg(architecture), space.describe(architecture)
        parts = _parts(space, architecture)
    except Exception as error:
        words = f"Cannot be drawn: {summarize_exception(error)}"
    return Network(row, svg, words, parts, reported)


def _parts(space: SearchSpace, architecture: Architecture) -> list[Part]:
    if not isinstance(space, HasBlocks):
        return []
    return [
        Part(b.kind, b.text, " x ".join(map(str, b.shape)), b.params, b.madds)
        for b in space.blocks(architecture)
    ]
