"""The parameters of a declared space in the identity of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas.core.errors import HistoryError
from nas.core.space import SearchSpace
from nas.spaces.declaration import changed_parameters
from nas.spaces.space import Space

DECLARATION = "declaration"  # key in a run's identity


def declaration_of(space: SearchSpace) -> dict[str, Any] | None:
    """The parameters of a declared space as JSON values; None for another space."""
    return space.declaration.as_json() if isinstance(space, Space) else None


def difference(started: Mapping[str, Any], space: SearchSpace) -> str | None:
    """The parameters that differ from those in the identity of an earlier run, "" if none do.

    None where they cannot be compared: another space, one that is not declared, or a run of an earlier version.
    """
    then, now = started.get(DECLARATION), declaration_of(space)
    if then is None or now is None or started["space"] != space.name:
        return None
    return "" if then == now and list(then) == list(now) else changed_parameters(then, now)


def check_parameters(started: Mapping[str, Any], space: SearchSpace) -> None:
    """Raise `HistoryError` with the parameters of a declared space that differ from those of the earlier session."""
    different = difference(started, space)
    if different:
        raise HistoryError(
            f"this run was started with other parameters of space {space.name!r} ({different}): resume it with the original "
            "ones, or start a new run in another folder"
        )
