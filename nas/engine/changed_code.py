"""The recorded hashes of a run's code, which reveal a change between two sessions."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nas.core.code_files import changed
from nas.core.errors import HistoryError
from nas.core.problem import Problem

META = "code"  # key in the log's meta values


@dataclass(frozen=True)
class RunCode:
    """The hashes of a run's code by file or name, and the changes that its user accepted, oldest first."""

    files: Mapping[str, str]
    accepted: tuple[Mapping[str, Any], ...] = field(default=())

    def as_meta(self) -> dict[str, Any]:
        """Plain JSON for the log and config.json."""
        return {"files": dict(self.files), "accepted": [dict(a) for a in self.accepted]}

    @classmethod
    def from_meta(cls, meta: Any) -> RunCode | None:
        """Read the record in a log; None if missing (an earlier version) or damaged."""
        files = meta.get("files") if isinstance(meta, Mapping) else None
        if not isinstance(files, Mapping):
            return None
        accepted = meta.get("accepted")
        kept = [a for a in accepted if isinstance(a, Mapping)] if isinstance(accepted, list) else []
        return cls({str(key): str(text) for key, text in files.items()}, tuple(kept))


def measuring(problem: Problem) -> list[Any]:
    """Everything that determines an architecture's values: space, evaluator, functions of the objectives."""
    functions = [f for o in problem.objectives for f in (o.function, o.for_space) if f is not None]
    return [problem.space, *([] if problem.evaluate is None else [problem.evaluate]), *functions]


def checked_code(
    then: RunCode | None, now: Mapping[str, str], accept: bool, what: str = "this run was started"
) -> RunCode:
    """Compare the current code (`now`) with the record of an earlier session (`then`); return the new record.

    Raises `HistoryError` with each changed file, unless the change is accepted; then the record contains it.
    """
    if then is None:
        return RunCode(now)
    different = changed(then.files, now)
    if not different:
        return RunCode(now, then.accepted)
    check_accepted(different, accept, what)
    entry = {"at": round(time.time(), 3), "files": different}
    return RunCode(now, (*then.accepted, entry))


def check_accepted(different: list[str], accept: bool, what: str) -> None:
    """Raise `HistoryError` for changed code, unless the change is accepted."""
    if different and not accept:
        one = len(different) == 1
        raise HistoryError(
            f"{', '.join(different)} changed since {what}: results of both versions would be mixed. Put the file{'s' * (not one)} back, "
            "start a new run in another folder, or accept the change: --accept-changed-code (accept_changed_code=True in "
            "Python)"
        )
