"""The code that a run is made of, on record by its hashes: a change between two sessions is noticed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nas.core.code_files import changed
from nas.core.errors import HistoryError
from nas.core.problem import Problem

META = "code"  # the key of the log's meta values


@dataclass(frozen=True)
class RunCode:
    """The hashes of a run's code by file or name, and the changes that its user accepted, oldest first."""

    files: Mapping[str, str]
    accepted: tuple[Mapping[str, Any], ...] = field(default=())

    def as_meta(self) -> dict[str, Any]:
        """What the log and config.json keep: plain JSON."""
        return {"files": dict(self.files), "accepted": [dict(a) for a in self.accepted]}

    @classmethod
    def from_meta(cls, meta: Any) -> RunCode | None:
        """What a log says; None for that of an earlier version, or a damaged one."""
        files = meta.get("files") if isinstance(meta, Mapping) else None
        if not isinstance(files, Mapping):
            return None
        accepted = meta.get("accepted")
        kept = [a for a in accepted if isinstance(a, Mapping)] if isinstance(accepted, list) else []
        return cls({str(key): str(text) for key, text in files.items()}, tuple(kept))


def measuring(problem: Problem) -> list[Any]:
    """What decides the values of a problem's architectures: its space, its evaluator, the functions of its objectives."""
    functions = [f for o in problem.objectives for f in (o.function, o.for_space) if f is not None]
    return [problem.space, *([] if problem.evaluate is None else [problem.evaluate]), *functions]


def checked_code(
    then: RunCode | None, now: Mapping[str, str], accept: bool, what: str = "this run was started"
) -> RunCode:
    """The code as it is `now`, to be put on record, compared with what an earlier session recorded (`then`).

    Raises `HistoryError` naming each file that changed, unless the change is accepted; then it is on record as such.
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
    """Raise `HistoryError` for code that changed, unless that is accepted."""
    if different and not accept:
        one = len(different) == 1
        raise HistoryError(
            f"{', '.join(different)} changed since {what}: results of both versions would be mixed. Put the file{'s' * (not one)} back, "
            "start a new run in another folder, or accept the change: --accept-changed-code (accept_changed_code=True in "
            "Python)"
        )
