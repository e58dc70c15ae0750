"""Find the runs in a folder, and see which of their files changed; links are never followed."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nas.core.errors import ConfigError
from nas.runs.files import HEARTBEAT, LOG, SUMMARY

MOST_DEPTH = 6  # of a run below the folder: a comparison has its runs at 4
MOST_FOLDERS = 50_000  # to look into, so that a home folder does not take minutes
_ENDED = frozenset({SUMMARY, "front.csv"})  # of a run whose log is gone
_WAL = f"{LOG}-wal"
_MOST_BYTES = 4_000_000  # of a heartbeat or a summary
_TICK_S = 2.0  # a folder that changed this recently may change again within one tick of its clock
_RELIST_S = 60.0


@dataclass(frozen=True, slots=True)
class Stamp:
    """The files of a run as they are now: values that change with the files, and a reason not to read them ("" if none).

    `log` is of the log alone; `changed` is when it changed last, `alive` when any of the files did (Unix times, 0 without files).
    """

    log: tuple[object, ...]
    files: tuple[object, ...]
    changed: float
    alive: float
    problem: str = ""


def stamp_of(folder: Path) -> Stamp:
    """The stamp of a run's folder now."""
    found: dict[str, tuple[object, ...]] = {}
    times: dict[str, float] = {}
    problem = ""
    for name in (LOG, _WAL, HEARTBEAT, SUMMARY):
        try:
            file = os.lstat(folder / name)
        except OSError:
            continue
        if not stat.S_ISREG(file.st_mode):
            kind = "a symbolic link, which is not followed" if stat.S_ISLNK(file.st_mode) else "not a file"
            problem = problem or f"{name} is {kind}"
        elif name in (HEARTBEAT, SUMMARY) and file.st_size > _MOST_BYTES:
            problem = problem or f"{name} is too large ({file.st_size / 1e6:.0f} MB)"
        found[name] = (name, file.st_ino, file.st_size, file.st_mtime_ns)
        times[name] = file.st_mtime
    if LOG not in found:
        problem = f"no run here: {LOG} is missing"
    log = tuple(found[name] for name in (LOG, _WAL) if name in found)
    changed = max((times[name] for name in (LOG, _WAL) if name in times), default=0.0)
    return Stamp(log, tuple(found.values()), changed, max(times.values(), default=0.0), problem)


@dataclass(frozen=True, slots=True)
class _Listed:
    """The content of a folder: its time of change, when it was listed, whether it is a run's, its folders."""

    changed: int
    at: float
    settled: bool
    is_run: bool
    folders: tuple[str, ...]


class Finder:
    """Finds the runs in a folder, some levels deep; unchanged folders are not listed again."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises `ConfigError` when there is no such folder."""
        if not folder.is_dir():
            what = "is a file" if folder.exists() else "does not exist"
            raise ConfigError(f"{folder} {what}; expected a folder of runs, or the folder of one run")
        self.root = folder.resolve()
        self.complete = True  # False when there were too many folders to look into
        self._clock = clock
        self._known: dict[Path, _Listed] = {}

    def find(self) -> list[Path]:
        """The folders of all runs now."""
        found: list[Path] = []
        known: dict[Path, _Listed] = {}
        left = [(self.root, 0)]
        self.complete = True
        while left:
            folder, depth = left.pop()
            listed = self._listed(folder)
            if listed is None:
                continue
            if len(known) == MOST_FOLDERS:
                self.complete = False
                break
            known[folder] = listed
            if listed.is_run:
                found.append(folder)
            elif depth < MOST_DEPTH:
                left += [(folder / name, depth + 1) for name in listed.folders]
        self._known = known
        return found

    def _listed(self, folder: Path) -> _Listed | None:
        """The content of a folder; None if it cannot be read."""
        now = self._clock()
        try:
            changed = os.lstat(folder).st_mtime_ns
            before = self._known.get(folder)
            if before and before.changed == changed and before.settled and now - before.at < _RELIST_S:
                return before
            with os.scandir(folder) as entries:
                names, folders = set(), []
                for entry in entries:
                    if entry.name in (LOG, *_ENDED):
                        names.add(entry.name)
                    elif entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                        folders.append(entry.name)
        except OSError:
            return None
        settled = time.time() - changed / 1e9 > _TICK_S
        is_run = LOG in names or names >= _ENDED
        return _Listed(changed, now, settled, is_run, () if is_run else tuple(folders))
