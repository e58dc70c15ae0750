"""Drawings and blocks of the front's architectures, as far as their space provides them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from nas.core.errors import NasError
from nas.core.records import RESERVED, Architecture
from nas.core.space import HasChoices, HasDrawing, SearchSpace, has_blocks, parsed
from nas.core.tracebacks import summarize_exception
from nas.report.evaluated import Evaluated
from nas.report.records import Network, Networks, Part
from nas.report.rows import evenly, numbers

MOST_DRAWN = 200  # on a page
_UNKNOWN = (
    "The space of this run is not loaded, because reading a run executes no user code: its networks are drawn on the page "
    "written by nas search, and by nas.report.write_report(..., space=...)."
)


def rows_to_draw(run: Evaluated, kept: NDArray[np.int64], room: int, knee: int | None) -> NDArray[np.int64]:
    """The rows to draw among `kept`: at most `room` of the front, evenly along the first objective, and the knee."""
    front = np.flatnonzero(run.front[kept])
    order = front[np.argsort(run.values[kept][front][:, 0], kind="stable")]
    chosen = evenly(order, min(1.0, room / max(1, len(order))))
    return np.union1d(chosen, [] if knee is None else [knee]).astype(np.int64)


def networks(
    run: Evaluated,
    kept: NDArray[np.int64],
    chosen: NDArray[np.int64],
    space: SearchSpace | None,
    known: Collection[str],
) -> Networks:
    """The networks of the rows `chosen` among `kept`, as far as their space draws them; `known` columns are shown elsewhere."""
    frame = run.frame.iloc[kept[chosen]]
    others = [
        name for name in frame.columns if name not in {*RESERVED, *known} and is_numeric_dtype(frame[name])
    ]
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
    if not (has_blocks(space) or isinstance(space, HasDrawing)):
        listed = "parameters" if isinstance(space, HasChoices) else "genes"
        return (
            f"Space {space.name} has neither to_svg(architecture) nor blocks(architecture), so its {listed} are listed "
            "instead of a drawing."
        )
    return ""


def _network(row: int, text: str, space: SearchSpace | None, reported: Mapping[str, float]) -> Network:
    try:
        architecture = None if space is None else parsed(space, text)
    except NasError:  # the log belongs to another space or other settings
        architecture = None
    if space is None or architecture is None:
        return Network(row, "", "", (), reported)
    svg, words, parts = "", "", []
    try:  # a user's space
        if isinstance(space, HasDrawing):
            svg, words = space.to_svg(architecture), space.describe(architecture)
        parts = _parts(space, architecture)
    except Exception as error:
        words = f"Drawing failed: {summarize_exception(error)}"
    return Network(row, svg, words, parts, reported)


def _parts(space: SearchSpace, architecture: Architecture) -> list[Part]:
    if not has_blocks(space):
        return []
    return [
        Part(b.kind, b.text, " x ".join(map(str, b.shape)), b.params, b.madds)
        for b in space.blocks(architecture)
    ]
