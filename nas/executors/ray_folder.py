"""The private folder for the session of a cluster that a search starts. Nothing here needs Ray.

By default Ray shares one folder among all users (mode 0777) and leaves every session there.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nas.core.errors import ExecutorError

_LOG = logging.getLogger(__name__)
PREFIX = "nas-ray-"
_MAKING = ".nas-ray-"  # before its lock is held
_LOCK = "lock"
INSIDE = "r"  # Ray's folder, which it opens for everybody; the folder around it is closed
_RANDOM = 6  # characters
# Of a socket's path below: r, session_2026-11-29_07-46-10_123456_1234567, sockets, plasma_store
_BELOW = len("/r/session_2026-11-29_07-46-10_123456_1234567/sockets/plasma_store")
_SOCKET = 103  # bytes that a socket's path may have: 103 on macOS, 107 on Linux
LONGEST = _SOCKET - _BELOW - len(f"/{PREFIX}") - _RANDOM
_REMOVE_S = 5.0  # Ray's last processes may still write


class SessionFolder:
    """A new folder of mode 0700, removed by `remove`.

    A lock, held until the last process with its `descriptor` ends, marks it as in use: the next search on this machine
    removes a folder with a free lock, which a killed search left. It is in `TMPDIR`, or in a shorter place if that is
    too long for Ray's sockets. Raises `ExecutorError` when no place fits.
    """

    def __init__(self) -> None:
        remove_abandoned()
        self.path, self.descriptor = _make()

    def remove(self) -> None:
        """Remove the folder with all that is in it; may be called twice."""
        remove_session(self.path)
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def remove_session(folder: Path) -> None:
    """Remove such a folder, whose processes may just be ending."""
    give_up = time.monotonic() + _REMOVE_S
    while os.path.lexists(folder):
        shutil.rmtree(folder, ignore_errors=True)
        if time.monotonic() >= give_up:
            _LOG.warning("%s: could not be removed; remove it by hand", folder)
            return
        if os.path.lexists(folder):
            time.sleep(0.05)


def remove_abandoned() -> None:
    """Remove the folders that killed searches of this user left.

    Removes only certain matches: our name, owned by this user, not a link, closed to others, with a free lock.
    """
    for place in dict.fromkeys(_places()):
        with suppress(OSError):
            for entry in list(os.scandir(place)):
                if entry.name.startswith((PREFIX, _MAKING)):
                    with suppress(OSError):
                        _remove_if_abandoned(Path(entry.path))


def _remove_if_abandoned(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        return
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises OSError while a search has it
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


def _make() -> tuple[Path, int]:
    """Make the folder and its lock. It gets its name once the lock is held, so that no search takes it for abandoned."""
    reasons = []
    for place in dict.fromkeys(_places()):
        if len(os.fsencode(place)) > LONGEST:
            reasons.append(f"{place} has {len(os.fsencode(place))} characters")
            continue
        try:
            making = Path(tempfile.mkdtemp(prefix=_MAKING, dir=place))  # mode 0700
            descriptor = os.open(making / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path = making.with_name(PREFIX + secrets.token_hex(_RANDOM // 2))
            making.rename(path)
            (path / INSIDE).mkdir()
        except OSError as error:
            reasons.append(f"{place}: {error.strerror}")
            continue
        if reasons:
            _LOG.debug("Ray's session is in %s: %s", path, "; ".join(reasons))
        return path, descriptor
    raise ExecutorError(
        f"no folder for Ray's sockets ({'; '.join(reasons)}): set TMPDIR to a writable folder whose path "
        f"has at most {LONGEST} characters, or use the executor 'serial'"
    )


def _places() -> Iterator[str]:
    """Places for the folder: the user's `TMPDIR` first, then short paths that every system has."""
    for variable in ("RAY_TMPDIR", "TMPDIR", "TEMP", "TMP"):
        if os.environ.get(variable):
            yield os.path.abspath(os.environ[variable])
    yield from ("/tmp", "/var/tmp", "/dev/shm")
