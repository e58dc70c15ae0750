"""The file under a history: one writer at a time, readers that change nothing, and errors that say what to do."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from nas.errors import ConfigError, HistoryError

try:
    import fcntl
except ImportError:  # not on Windows, where a second search is not noticed
    fcntl = None  # type: ignore[assignment]

LOCKS = fcntl is not None
LOCK_FILE = ".lock"


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write; in a folder that cannot be written either, only without a log beside it."""
    address = f"{path.resolve().as_uri()}?mode=ro"
    effective = os.access in os.supports_effective_ids
    if (
        not os.access(path.parent, os.W_OK, effective_ids=effective)
        and not path.with_name(f"{path.name}-wal").exists()
    ):
        address += "&immutable=1"  # SQLite would want to make its index of the log there
    return sqlite3.connect(address, uri=True, timeout=30)


def make_folder(folder: Path) -> None:
    """Make a run's folder. Raises `ConfigError` when a file is in its place."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ConfigError(f"out: {folder} is a file, or lies below one; expected a folder") from None


def lock_folder(folder: Path) -> int | None:
    """Hold the folder for one writer, until the handle is closed or the process ends."""
    if not LOCKS:
        return None
    path = folder / LOCK_FILE
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held = os.fstat(handle).st_ino == os.stat(path).st_ino
    except OSError as error:
        os.close(handle)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise HistoryError(
                f"{folder}: another search is writing to this run; wait for it, or stop it"
            ) from None
        if error.errno == errno.ENOENT:
            return lock_folder(folder)
        return None  # a file system without locks
    if held:
        return handle
    os.close(handle)  # its last holder removed it between our two steps
    return lock_folder(folder)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the disk complain of into a sentence that says what to do."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        text = str(error)
        if "full" in text or (isinstance(error, OSError) and error.errno == errno.ENOSPC):
            advice = "the disk is full: make room, then go on with --resume"
        elif "readonly" in text or isinstance(error, PermissionError):
            advice = "it cannot be written: check the rights of the folder"
        elif "locked" in text:
            advice = "another process holds it: close that, then try again"
        elif any(t in text for t in ("malformed", "not a database", "no such table", "no such column")):
            advice = "the file is damaged or is no history of a run: restore it from a copy"
        else:
            advice = "is the folder still there, and on a disk that works?"
        raise HistoryError(f"{path}: {text}; {advice}") from error
