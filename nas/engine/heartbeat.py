"""The heartbeat of a search: a small file in its folder, for observers in other processes."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from nas.core.errors import ForeignFileError, HistoryError
from nas.core.files import write_text
from nas.core.json_text import read_json
from nas.core.timer import RepeatingTimer
from nas.engine.callbacks import Callback
from nas.engine.search_state import SearchState
from nas.engine.work import Work, trains, workers_of
from nas.runs.files import HEARTBEAT, forget, run_files
from nas.runs.history import as_json
from nas.runs.log_file import identity

FILE = HEARTBEAT
SCHEMA = 1
EVERY_S = 2.0
_SILENT_S = 90.0  # a shared disk may show a file as it was a minute ago


class HeartbeatWriter(Callback):
    """Context manager that writes `live.json` every two seconds while a search runs, and removes it at the end.

    Write errors are ignored: the log in the same folder reports them with more detail.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._folder = identity(folder)
        self._process_started = psutil.Process().create_time()
        self._state: SearchState | None = None
        self._every = RepeatingTimer(EVERY_S, self._beat)

    def __enter__(self) -> HeartbeatWriter:
        with suppress(OSError):
            run_files(self._path.parent).claim(FILE)
        self._beat()
        self._every.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._every.stop()
        if self._in_place() and not self._path.is_symlink():
            with suppress(OSError, HistoryError):
                self._path.unlink()
                forget(self._path.parent, FILE)

    def begin(self, state: SearchState) -> None:
        """Start reporting the workers and the search time."""
        self._state = state

    def _in_place(self) -> bool:
        """Whether the folder is still the run's, and not a replacement."""
        return self._folder is not None and identity(self._path.parent) == self._folder

    def _beat(self) -> None:
        if not self._in_place():
            return
        state = self._state
        workers, waiting = ([], 0) if state is None else workers_of(state)
        values = {
            "schema": SCHEMA,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "process_started": self._process_started,
            "beat": time.time(),
            "seconds": None if state is None else state.seconds,
            "ticking": state is None or state.clock is time.monotonic,
            "waiting": waiting,
            "trains": state is not None and trains(state),
            "silence": "" if state is None else state.silence,
            "workers": [(w.worker, w.trial, w.architecture, w.seconds) for w in workers],
        }
        with suppress(OSError, ForeignFileError):
            write_text(self._path, as_json(values))


@dataclass(frozen=True)
class Heartbeat:
    """The last heartbeat of a search: its process, the time (Unix time, there), and the state of its workers."""

    host: str
    pid: int
    process_started: float
    beat: float
    seconds: float | None
    ticking: bool
    waiting: int
    workers: tuple[Work, ...]
    trains: bool = False  # trials train networks
    silence: str = ""  # the search's message about a long silence

    @property
    def elsewhere(self) -> bool:
        """Whether the search runs on another machine."""
        return self.host != socket.gethostname()

    @property
    def here(self) -> bool:
        """Whether the search runs on this machine, and its process is there."""
        return not self.elsewhere and self._is_there()

    def trouble(self, silent: float) -> str:
        """The problem of a search whose last heartbeat is this many seconds old; "" if there is none."""
        if not self.elsewhere and not self._is_there():
            return f"the search process (pid {self.pid}) exited without finishing the run"
        if silent > _SILENT_S:
            return f"the search (pid {self.pid} on {self.host}) sent its last heartbeat {silent:.0f} s ago"
        return ""

    def _is_there(self) -> bool:
        try:
            return bool(abs(psutil.Process(self.pid).create_time() - self.process_started) < 1.0)
        except psutil.NoSuchProcess:
            return False
        except psutil.Error:  # another user's process
            return True


def read_heartbeat(folder: Path) -> Heartbeat | None:
    """Read the heartbeat in a run's folder; None if missing or unreadable."""
    try:
        values = read_json((folder / FILE).read_text(encoding="utf-8"))
        return _heartbeat(values)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _heartbeat(values: Mapping[str, Any]) -> Heartbeat:
    seconds = values["seconds"]
    return Heartbeat(
        str(values["host"]),
        int(values["pid"]),
        float(values["process_started"]),
        float(values["beat"]),
        None if seconds is None else float(seconds),
        bool(values["ticking"]),
        int(values["waiting"]),
        tuple(
            Work(str(name), None if trial is None else int(trial), str(text), float(since))
            for name, trial, text, since in values["workers"]
        ),
        bool(values.get("trains", False)),
        str(values.get("silence", "")),
    )
