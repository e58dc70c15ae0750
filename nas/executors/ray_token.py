"""Ray's token file, made before Ray makes it: with mode 0600 from its first moment. Nothing here needs Ray."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path


def ensure_token() -> None:
    """Give a cluster started by the search a token that only this user can read.

    The token is in `~/.ray/auth_token`, where Ray looks; a file that others can read is closed to them. If the home
    folder is not writable, the token is only in the environment of Ray's processes. Does nothing if the environment
    configures authentication.
    """
    if os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        return
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return
    path = _file()
    try:
        if _is_usable(path):
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(path, secrets.token_hex(32))
    except OSError:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        os.environ["RAY_AUTH_MODE"] = "token"


def _file() -> Path:
    return Path.home() / ".ray" / "auth_token"


def _is_usable(path: Path) -> bool:
    """Whether there is a token; where others can read this user's, they no longer can."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid() and found.st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
        return bool(os.read(descriptor, 4096).strip())
    finally:
        os.close(descriptor)


def _write_new(path: Path, token: str) -> None:
    """Write the token atomically; if another search writes one at the same moment, that one is used."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(token)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            if not _is_usable(path):  # an empty one, which a killed process left
                os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
