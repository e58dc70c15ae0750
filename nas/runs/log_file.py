"""The file of a history: one writer at a time, read-only readers, and errors with advice."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nas.core import files
from nas.core.errors import ConfigError, ForeignFileError, HistoryError, NasError

try:
    import fcntl
except ImportError:  # Windows, where a second search is not detected
    fcntl = None  # type: ignore[assignment]

LOCKS = fcntl is not None
LOCK_FILE = ".lock"
_NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
PATIENCE_S = 60.0  # longest wait for a file that another process locks
_COPIES = 5  # attempts to copy a database during writes
_WAL_HEADER = 32  # bytes, which differ whenever the log restarts
_SLICE_S = 0.5  # SQLite waits in slices, so that Ctrl-C is noticed
_LOG = logging.getLogger(__name__)


def connect_to_write(path: Path) -> sqlite3.Connection:
    """A connection without implicit transactions; use `patiently` for statements that may find the file locked."""
    # a study may be used on several threads, one at a time
    return sqlite3.connect(path, timeout=_SLICE_S, isolation_level=None, check_same_thread=False)


def patiently(path: Path, act: Callable[[], Any]) -> None:
    """Run `act` on a database that another process may lock: log a warning and wait, at most `PATIENCE_S` seconds."""
    give_up = None
    while True:
        try:
            act()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            now = time.monotonic()
            if give_up is None:
                give_up = now + PATIENCE_S
                _LOG.warning("%s: locked by another process; waiting, at most %g s", path, PATIENCE_S)
            elif now >= give_up:
                raise


def identity(path: Path) -> tuple[int, int] | None:
    """The identity of a file, which a replacement does not share; None when there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def rescue(db: sqlite3.Connection, path: Path) -> Path | None:
    """Save an open database whose folder was removed to a new folder beside it; None on failure."""
    folder = path.parent
    try:
        copy = Path(tempfile.mkdtemp(prefix=f"{folder.name}-rescued-", dir=folder.parent))
    except OSError:
        return None
    try:
        db.execute("VACUUM INTO ?", (str(copy / path.name),))
    except sqlite3.Error:
        (copy / path.name).unlink(missing_ok=True)
        copy.rmdir()
        return None
    return copy


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A read-only connection that leaves no file behind; see `connect_to_look`."""
    return connect_to_look(path, 30)


def connect_to_look(path: Path, timeout: float) -> sqlite3.Connection:
    """A connection for a short read, which leaves no file behind; waits at most `timeout` seconds.

    A writer keeps a write-ahead log beside the database; without one, the database file is read directly.
    """
    path = path.resolve()
    address = f"{path.as_uri()}?mode=ro"
    return sqlite3.connect(
        address if _wal(path).exists() else f"{address}&immutable=1", uri=True, timeout=timeout
    )


def signature(path: Path) -> tuple[object, ...]:
    """A value that changes with every write to a database: sizes and times of the file and its write-ahead log."""
    found: list[object] = []
    for file in (path, _wal(path)):
        with contextlib.suppress(OSError):
            stat = os.stat(file)
            found += [file.name, stat.st_ino, stat.st_size, stat.st_mtime_ns]
    return tuple(found)


def copy_to_read(path: Path, folder: Path) -> Path:
    """A consistent copy in `folder` of a database that a process on another machine writes.

    SQLite's index of the write-ahead log is shared memory, so another machine's log cannot be read in place. The copy is
    consistent if no checkpoint moved the log to the file meanwhile; SQLite skips a partial record at the end of the log by
    its checksum. Raises `OSError` when checkpoints keep interfering.
    """
    copy = folder / path.name
    for _ in range(_COPIES):
        before = _moved(path)
        shutil.copyfile(path, copy)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(_wal(path), _wal(copy))
        if _moved(path) == before:
            return copy
        _wal(copy).unlink(missing_ok=True)
    raise OSError(errno.EAGAIN, "it changes faster than it can be copied")


def _moved(path: Path) -> tuple[object, ...]:
    """A value that changes when SQLite checkpoints or restarts the log."""
    stat = os.stat(path)
    try:
        with _wal(path).open("rb") as log:
            head = log.read(_WAL_HEADER)
    except FileNotFoundError:
        head = b""
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, head


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def make_folder(folder: Path) -> list[Path]:
    """Make a run's folder; return the folders that were missing. Raises `ConfigError` when a file is in its place."""
    try:
        return files.make_folder(folder)
    except (FileExistsError, NotADirectoryError):
        raise ConfigError(f"out: {folder} is a file, or lies below one; expected a folder") from None


def lock_folder(folder: Path) -> int | None:
    """Lock the folder for one writer, until the handle is closed or the process ends."""
    if not LOCKS:
        return None
    path = folder / LOCK_FILE
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o644)
    except OSError:
        if path.is_symlink():
            raise ForeignFileError(
                f"{path} is a symbolic link, which is never followed for writing; remove or rename it"
            ) from None
        raise
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
    os.close(handle)  # the last holder removed the file after we opened it
    return lock_folder(folder)


@contextlib.contextmanager
def well_formed(path: Path) -> Iterator[None]:
    """Turn exceptions from invalid content into a `HistoryError` with advice."""
    try:
        yield
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        if isinstance(error, NasError):
            raise
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise HistoryError(f"{path} is damaged ({said}); restore it from a copy") from error


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and the disk into a `HistoryError` with advice."""
    try:
        yield
    except UnicodeDecodeError as error:  # SQLite's message would quote the content of the file
        raise HistoryError(
            f"{path}: a text in it is not UTF-8; the file is damaged or not a run's history: restore it from a copy"
        ) from error
    except (sqlite3.Error, OSError) as error:
        text = str(error)
        if "full" in text or (isinstance(error, OSError) and error.errno == errno.ENOSPC):
            advice = "the disk is full: make room, then continue with --resume"
        elif "UNIQUE constraint" in text:
            advice = "another search writes to this run, on a file system without locks: stop one of them"
        elif "disk I/O" in text:
            advice = "disk error (full, over quota or failing): fix it, then continue with --resume"
        elif "readonly" in text or isinstance(error, PermissionError):
            advice = "it cannot be written: check the permissions of the folder"
        elif "locked" in text:
            advice = "another process locks it: stop that process, then try again"
        elif any(t in text for t in ("malformed", "not a database", "no such table", "no such column")):
            advice = "the file is damaged or not a run's history: restore it from a copy"
        else:
            advice = "check that the folder exists and its disk works"
        raise HistoryError(f"{path}: {text}; {advice}") from error
