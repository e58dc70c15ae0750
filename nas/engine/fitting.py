"""The architectures of an earlier run that are in the space of this search."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from nas.core.errors import ArchitectureError, HistoryError
from nas.core.records import Architecture
from nas.core.space import SearchSpace, parsed

_LOG = logging.getLogger(__name__)


def fitting(
    folder: str | Path, space: SearchSpace, texts: Iterable[object], *, narrowed: bool
) -> dict[str, Architecture]:
    """The canonical architectures by their text forms; those that a `narrowed` space lacks are left out with a warning.

    Raises `HistoryError` where none is in the space, or, unless it is `narrowed`, where one is not.
    """
    found: dict[str, Architecture] = {}
    lacking: dict[str, ArchitectureError] = {}
    for text in map(str, texts):
        try:
            found[text] = space.canonical(parsed(space, text))
        except ArchitectureError as error:
            lacking[text] = error
    if not lacking:
        return found
    first = next(iter(lacking.values()))
    if not narrowed or not found:
        all_of = (
            f"none of its {len(lacking):,} architectures is in the space; the first: " if narrowed else ""
        )
        raise HistoryError(
            f"warm_start: {folder} does not belong to space {space.name!r}: {all_of}{first}"
        ) from first
    _LOG.warning(
        "warm_start: left out %d of %d architectures of %s, which are not in space %r; the first: %s",
        *(len(lacking), len(lacking) + len(found), folder, space.name, first),
    )
    return found
