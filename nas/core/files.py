"""Atomic file writes, never through a symbolic link, with unpredictable temporary names."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from nas.core.errors import ConfigError, ForeignFileError

# Files that tools leave in a folder that looks empty to its user; never read, replaced or removed.
BESIDE = frozenset({".gitkeep", ".gitignore", ".DS_Store", "Thumbs.db", "desktop.ini"})
_LONGEST = 255  # bytes in a file name
_NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)  # not on Windows
_BINARY: int = getattr(os, "O_BINARY", 0)
_PART = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}\.part")
_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def absolute(path: str | Path) -> Path:
    """The path relative to the current folder, links unresolved; for paths that users give.

    Raises `ConfigError` when the current folder no longer exists.
    """
    try:
        return Path(path).absolute()
    except FileNotFoundError:
        raise ConfigError(f"{path}: the current folder was removed; change to another one first") from None


def write_whole(path: Path, write: Callable[[Path], Any], *, sync: bool = False) -> None:
    """Let `write` fill a temporary file, then move it to `path` atomically; readers never see a partial file.

    The temporary file is in the same folder, has an unpredictable name, is created exclusively, and has the mode of the
    umask. `sync` flushes the bytes to the disk first.
    Raises `ForeignFileError` when `path` is a link or not a regular file, `OSError` when it is read-only or on a disk error.
    """
    check_replaceable(path)
    temporary = _temporary(path)
    try:
        write(temporary)
        if sync:
            _sync(temporary)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def write_text(path: Path, text: str, *, sync: bool = False) -> None:
    """`write_whole` for a text, in UTF-8 with unchanged line ends; a lone surrogate as an escape such as `\\udce9`."""
    write_whole(path, lambda part: part.write_bytes(text.encode("utf-8", "backslashreplace")), sync=sync)


def write_stream(path: Path, write: Callable[[BinaryIO], Any], *, sync: bool = False) -> None:
    """`write_whole` for an open file; `torch.save` then leaves the file name out of the bytes."""

    def filled(part: Path) -> None:
        with part.open("wb") as file:
            write(file)

    write_whole(path, filled, sync=sync)


def check_replaceable(path: Path) -> None:
    """Raise the error that `write_whole` would raise for the current file at `path`; change nothing.

    A file or folder without any write permission is read-only for the superuser too: someone protects it.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        with suppress(FileNotFoundError):
            _check_permission(path.parent, os.stat(path.parent))
        return
    if stat.S_ISLNK(found.st_mode):
        raise ForeignFileError(
            f"{path} is a symbolic link, which is never followed for writing; remove or rename it"
        )
    if not stat.S_ISREG(found.st_mode):
        raise ForeignFileError(f"{path} is not a regular file; remove or rename it")
    _check_permission(path, found)
    _check_permission(path.parent, os.stat(path.parent))


def _check_permission(path: Path, found: os.stat_result) -> None:
    effective = os.access in os.supports_effective_ids
    if not found.st_mode & _WRITABLE or not os.access(path, os.W_OK, effective_ids=effective):
        raise PermissionError(errno.EACCES, f"{os.strerror(errno.EACCES)} (read-only)", str(path))


def _temporary(path: Path) -> Path:
    while True:
        token = secrets.token_hex(8)
        name = f".{path.name}.{token}.part"
        if len(os.fsencode(name)) > _LONGEST:
            name = f".{token}.part"
        temporary = path.with_name(name)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _BINARY
        try:
            os.close(os.open(temporary, flags, 0o666))
        except FileExistsError:
            continue
        return temporary


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDWR | _NO_FOLLOW | _BINARY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def target_of_part(name: str) -> str | None:
    """The target name of a temporary file of `write_whole`; None for any other name.

    Identifies the leftovers of a killed process.
    """
    found = _PART.fullmatch(name)
    return None if found is None else found["name"]


def make_folder(folder: Path, base: Path | None = None) -> list[Path]:
    """Make a folder and its missing parents; return the new ones, outermost first.

    Below `base` (the folder that the user named) no part of the path may be a link: raises `ForeignFileError`.
    Raises `NotADirectoryError` or `FileExistsError` when a file is in the way.
    """
    if base is not None:
        check_no_links(folder, base)
    missing: list[Path] = []
    place = folder
    while not place.exists() and place != place.parent:
        missing.append(place)
        place = place.parent
    made = []
    if missing:
        _check_permission(place, os.stat(place))
    for each in reversed(missing):
        with suppress(FileExistsError):  # another process created it first
            each.mkdir()
            made.append(each)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "a file is in the way of this folder", str(folder))
    return made


def remove_folders(made: list[Path]) -> None:
    """Remove the empty folders among those that `make_folder` made, innermost (last) first."""
    for folder in reversed(made):
        try:
            folder.rmdir()
        except OSError:
            return


def check_no_links(path: Path, base: Path) -> None:
    """Raise `ForeignFileError` when a part of `path` below `base` is a symbolic link."""
    place = base
    for part in path.relative_to(base).parts:
        place /= part
        if place.is_symlink():
            raise ForeignFileError(
                f"{place} is a symbolic link, which is never followed for writing; remove or rename it"
            )


def entries(folder: Path) -> Iterator[str]:
    """All entries of a folder and its subfolders except `BESIDE`, by relative path, sorted; links are not followed.

    A subfolder that is empty or unreadable ends with `/`.
    """
    for found in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if not found.is_dir(follow_symlinks=False):
            if found.name not in BESIDE or found.is_symlink():
                yield found.name
            continue
        empty = True
        try:
            for name in entries(folder / found.name):
                empty = False
                yield f"{found.name}/{name}"
        except OSError:
            pass
        if empty:
            yield f"{found.name}/"
