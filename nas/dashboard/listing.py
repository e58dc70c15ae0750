"""The list of all runs in a folder, kept up to date; each change has a number, so that a page asks for what is new."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.dashboard.finding import Finder, stamp_of
from nas.dashboard.records import RUNNING, STARTING

if TYPE_CHECKING:
    from nas.dashboard.tracking import TrackedRun

_LIVE = (RUNNING, STARTING)


class RunList:
    """The runs of a folder. One thread at a time calls the methods that read files; any thread may ask for the rest."""

    def __init__(self, folder: Path) -> None:
        """Raises `ConfigError` when there is no such folder."""
        self.instance = secrets.token_hex(4)  # numbers of changes count within this list
        self._finder = Finder(folder)
        self._shown_folder = folder
        self._lock = threading.Lock()
        self._runs: dict[Path, TrackedRun] = {}
        self._by_id: dict[str, TrackedRun] = {}
        self._changes = 0
        self._changed: dict[str, int] = {}  # the number of the last change of each run
        self._since: dict[
            str, float
        ] = {}  # of a live run: when its log had changed as it became live, for a stable order
        self._gone: dict[str, int] = {}
        self._unread = 0
        self._looked = False

    @property
    def version(self) -> str:
        """A text that changes with every change of the list."""
        return f"{self.instance}-{self._changes}"

    def refresh(self, seconds: float = float("inf")) -> bool:
        """Find runs and read what changed: runs read before first, then new ones, the last changed first.

        Reads new runs for about this many seconds, and at least twice as long as the rest took (not at all with 0); returns
        whether all were read.
        """
        began = time.monotonic()
        self._find()
        stamps = {path: stamp_of(path) for path in self._runs}
        known = [run for run in self._runs.values() if run.is_read]
        for run in known:
            self._read(run, stamps[run.folder])
        new = sorted(
            (run for run in self._runs.values() if not run.is_read), key=lambda run: -stamps[run.folder].alive
        )
        left = len(new)
        self._tell_unread(left)
        now = time.monotonic()
        give_up = now + max(seconds, 2 * (now - began)) if seconds else now
        for run in new:
            if time.monotonic() >= give_up:
                break
            self._read(run, stamps[run.folder])
            left -= 1
            self._tell_unread(left)
        return left == 0

    def refresh_live(self) -> None:
        """Read the runs whose search is, or may be, running."""
        for run in [run for run in self._runs.values() if run.is_live or run.row.state in _LIVE]:
            self._read(run, None)

    def _find(self) -> None:
        from nas.dashboard.tracking import (
            TrackedRun,  # with the libraries that read logs, which takes a second
        )

        found = set(self._finder.find())
        new, gone = found - self._runs.keys(), self._runs.keys() - found
        with self._lock:
            for path in gone:
                run = self._runs.pop(path)
                self._changes += 1
                self._gone[run.id] = self._changes
                del self._by_id[run.id]
                self._changed.pop(run.id)
                self._since.pop(run.id, None)
            for path in new:
                run = TrackedRun(path, self._name(path))
                self._runs[path] = self._by_id[run.id] = run
                self._gone.pop(run.id, None)
                self._changes += 1
                self._changed[run.id] = self._changes
            if not self._looked:
                self._looked = True
                self._changes += 1

    def _name(self, path: Path) -> str:
        root = self._finder.root
        return root.name if path == root else str(path.relative_to(root))

    def _read(self, run: TrackedRun, stamp: Any) -> None:
        if not run.refresh(stamp):
            return
        with self._lock:
            self._changes += 1
            self._changed[run.id] = self._changes
            if run.row.state in _LIVE:
                self._since.setdefault(run.id, run.row.changed)
            else:
                self._since.pop(run.id, None)

    def _tell_unread(self, left: int) -> None:
        with self._lock:
            if left != self._unread:
                self._unread = left
                self._changes += 1

    def run(self, name: str) -> TrackedRun | None:
        """The listed run with this id."""
        return self._by_id.get(name)

    def changes(self, since: int = 0) -> dict[str, Any]:
        """The rows that changed after change number `since`, the ids of runs that are gone, and what holds for the whole list."""
        with self._lock:
            if not 0 <= since <= self._changes:
                since = 0
            runs = [self._described(run) for run in self._runs.values() if self._changed[run.id] > since]
            gone = [name for name, number in self._gone.items() if number > since]
            return {
                "instance": self.instance,
                "changes": self._changes,
                "version": self.version,
                "whole": since == 0,
                "now": time.time(),
                "looked": self._looked,
                "unread": self._unread,
                "complete": self._finder.complete,
                "runs": runs,
                "gone": gone,
            }

    def _described(self, run: TrackedRun) -> dict[str, Any]:
        since = self._since.get(run.id)
        return {
            "id": run.id, "version": self._changed[run.id], "live": since is not None,
            "place": run.row.changed if since is None else since, **asdict(run.row),
        }  # fmt: skip

    def fronts(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """The fronts of the listed runs among these ids."""
        with self._lock:
            found = [run for name in names if (run := self._by_id.get(name)) is not None]
            return [{"id": run.id, "version": self._changed[run.id], **vars(run.front)} for run in found]
