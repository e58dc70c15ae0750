"""The architectures of the front, drawn and taken apart as far as their space can."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from nas.errors import NasError
from nas.interfaces import HasBlocks, HasDrawing, SearchSpace
from nas.records import RESERVED, Architecture
from nas.report.records import Network, Networks, Part
from nas.report.rows import Evaluated, numbers

MOST_DRAWN = 300  # on a page
_UNKNOWN = (
    "Its space is code of your own, which reading a run does not execute: its networks are drawn at the end of nas search, "
    "or by nas.report.write_report(..., space=...)."
)


def networks(
    run: Evaluated, kept: np.ndarray, space: SearchSpace | None, room: int, objectives: list[str]
) -> Networks:
    """The networks of the front among the rows `kept`, at most `room` of them, evenly along the first objective."""
    front = np.flatnonzero(run.front[kept])
    order = front[np.argsort(run.values[kept][front][:, 0], kind="stable")]
    places = np.unique(np.linspace(0, len(order) - 1, min(room, len(order))).round().astype(np.int64))
    frame = run.frame.iloc[kept]
    known = RESERVED | set(objectives)
    others = [
        name for name in frame.columns if name not in known and pd.api.types.is_numeric_dtype(frame[name])
    ]
    drawn = [_network(int(row), frame.iloc[int(row)], space, others) for row in order[places]]
    return Networks(drawn, len(front) - len(drawn), _note(space))


def _note(space: SearchSpace | None) -> str:
    if space is None:
        return _UNKNOWN
    if not isinstance(space, (HasBlocks, HasDrawing)):
        return (
            f"Space {space.name} has neither to_svg(architecture) nor blocks(architecture), so its genes are listed "
            "instead of a drawing."
        )
    return ""


def _network(row: int, values: pd.Series[Any], space: SearchSpace | None, others: list[str]) -> Network:
    reported = {name: value for name in others if (value := numbers([values[name]])[0]) is not None}
    text = str(values["architecture"])
    try:
        architecture = None if space is None else space.parse(text)
    except NasError:  # the log is that of another space, or of other settings of it
        architecture = None
    if space is None or architecture is None:
        return Network(row, "", "", (), reported)
    svg, words = "", ""
    if isinstance(space, HasDrawing):
        svg, words = space.to_svg(architecture), space.describe(architecture)
    return Network(row, svg, words, _parts(space, architecture), reported)


def _parts(space: SearchSpace, architecture: Architecture) -> list[Part]:
    if not isinstance(space, HasBlocks):
        return []
    return [
        Part(b.kind, b.text, " x ".join(map(str, b.shape)), b.params, b.madds)
        for b in space.blocks(architecture)
    ]
