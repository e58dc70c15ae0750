"""The pages of the dashboard: the list, and the report's own page of listed runs as they are now, in memory."""

from __future__ import annotations

import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack
from importlib import resources
from pathlib import Path

from nas.core.errors import HistoryError
from nas.dashboard.finding import stamp_of
from nas.report.assembling import STYLES, Page, as_json, assemble, page_part

_SHARED = (
    "format.js",
    "dominance.js",
    "events.js",
    "colours.js",
    "tips.js",
    "plot.js",
)  # parts of the report's page
_OWN = ("runs.js", "list.js", "compare.js", "poll.js", "main.js")
_KEPT = 4  # pages of unchanged runs
_FURTHER = ("repeated.csv", "original")  # read by a report beside the files of a stamp
_BACK = '<p class="small"><a href="{}">All runs</a> <span class="faint">Reload this page for the newest state.</span></p>\n  '


def list_page(folder: Path) -> Page:
    """The page with the list."""
    return assemble(
        _part("page.html"),
        [*map(page_part, STYLES), _part("dashboard.css")],
        [*map(page_part, _SHARED), *map(_part, _OWN)],
        title=f"Runs in {folder}",
        data=as_json({"folder": str(folder)}),
        further="; connect-src 'self'",
    )


def _part(name: str) -> str:
    return (resources.files("nas.dashboard") / "page" / name).read_text(encoding="utf-8")


class Reports:
    """Makes the report's page of runs, one at a time, and keeps the last few."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: OrderedDict[tuple[Path, ...], tuple[object, Page]] = OrderedDict()

    def page(self, folders: Sequence[Path], back: str) -> Page:
        """The page of one run, or of several compared, with a link `back` to the list.

        Raises `NasError` when a run cannot be read, or the runs cannot be compared.
        """
        key = tuple(folders)
        with self._lock:
            now = tuple(stamp_of(folder).files for folder in folders)
            found = self._made.get(key)
            if found is None or found[0] != now:
                found = now, _page(folders, back)
            self._made[key] = found
            self._made.move_to_end(key)
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)
            return found[1]


def _page(folders: Sequence[Path], back: str) -> Page:
    from nas.engine.heartbeat import read_heartbeat  # with the libraries that draw and read tables
    from nas.monitor.recorded import log_to_read
    from nas.report.gather import describe
    from nas.report.sources import read_source
    from nas.report.writing import page_of

    with ExitStack() as stack:
        sources = []
        for folder in folders:
            _check(folder)
            place = stack.enter_context(log_to_read(folder, read_heartbeat(folder)))
            sources.append(read_source(folder, log=place))
        return page_of(describe(sources), _BACK.format(back))


def _check(folder: Path) -> None:
    """Raise `HistoryError` unless every file that a report reads is a plain file."""
    problem = stamp_of(folder).problem
    for name in _FURTHER:
        try:
            kind = os.lstat(folder / name).st_mode
        except OSError:
            continue
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            problem = problem or f"{name} is a symbolic link, which is not followed"
    if problem:
        raise HistoryError(f"{folder}: {problem}")
