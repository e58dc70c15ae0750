"""The files that a run, training, export or comparison wrote into its folder: only those are replaced or removed.

Each name is recorded before its file is written, so a kill between the two leaves it recorded. Only names that this
package writes are ever looked up, so a forged record permits nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from nas.core.errors import ForeignFileError, HistoryError
from nas.core.files import (
    check_no_links,
    check_replaceable,
    entries,
    make_folder,
    write_stream,
    write_text,
    write_whole,
)
from nas.core.json_text import read_json

_HEAD = 4096  # bytes in which a file's mark must appear
MANIFEST = ".nas-files"  # of a training, an export, a comparison; a run records names in its log
SCHEMA = 1
_NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)


class Register(Protocol):
    """A record of file names; a name that ends with `/` stands for a folder and its content."""

    def names(self) -> frozenset[str]:
        """All recorded names."""

    def add(self, names: Iterable[str]) -> None:
        """Record names; they survive the end of the process once this returns."""


class OwnedFiles:
    """Writes into `folder` and refuses existing files that are not on record. `owner` is a noun for messages: run."""

    def __init__(self, folder: Path, register: Register, owner: str) -> None:
        self.folder = folder
        self._register = register
        self._owner = owner

    def owns(self, name: str) -> bool:
        """Whether this name is on record."""
        return owns(self._register.names(), name)

    def recorded(self) -> frozenset[str]:
        """All recorded names."""
        return self._register.names()

    def check(self, names: Iterable[str]) -> None:
        """Check that each name can be written; change nothing.

        Raises `ForeignFileError` for an existing file that is not on record, `PermissionError` for a read-only one.
        """
        self._unrecorded(names)

    def claim(self, *names: str) -> None:
        """`check`, then record the names, for files that other code writes."""
        new = self._unrecorded(names)
        if new:
            self._register.add(new)

    def _unrecorded(self, names: Iterable[str]) -> list[str]:
        known = self._register.names()
        for name in names:
            self._check_one(name, known)
        return [name for name in names if name not in known]

    def _check_one(self, name: str, known: frozenset[str]) -> None:
        path = self.folder / name
        check_no_links(path.parent, self.folder)
        if name.endswith("/"):
            check_no_links(path, self.folder)
            if path.exists() and not path.is_dir():
                raise ForeignFileError(
                    f"{path} is a file, but this {self._owner} needs a folder there; {_MOVE}"
                )
            return
        if os.path.lexists(path) and not owns(known, name):
            raise ForeignFileError(
                f"{path} was not written by this {self._owner} and was left unchanged; {_MOVE}"
            )
        check_replaceable(path)

    def write_text(self, name: str, text: str) -> None:
        """Claim and write a text."""
        self._claim_in_folder(name)
        write_text(self.folder / name, text)

    def write_whole(self, name: str, write: Callable[[Path], Any]) -> None:
        """Claim a file and let `write` fill it; see `nas.core.files.write_whole`."""
        self._claim_in_folder(name)
        write_whole(self.folder / name, write)

    def write_stream(self, name: str, write: Callable[[BinaryIO], Any], *, sync: bool = False) -> None:
        """Claim a file and let `write` fill it through an open stream."""
        self._claim_in_folder(name)
        write_stream(self.folder / name, write, sync=sync)

    def _claim_in_folder(self, name: str) -> None:
        self.claim(name)
        make_folder((self.folder / name).parent, self.folder)

    def remove(self, name: str) -> None:
        """Remove a recorded file; ignore other files and anything reached through a link."""
        path = self.folder / name
        if self.owns(name) and not path.is_symlink():
            check_no_links(path.parent, self.folder)
            path.unlink(missing_ok=True)


_MOVE = "move or rename it, or choose another folder"


def owns(names: frozenset[str], name: str) -> bool:
    """Whether a name is recorded, or lies in a recorded folder."""
    if name in names:
        return True
    parts = name.split("/")
    return any("/".join(parts[:i]) + "/" in names for i in range(1, len(parts)))


def check_empty(folder: Path, ours: Iterable[str], what: str, advice: str) -> None:
    """Raise `ForeignFileError` when a folder holds anything but `ours`: a `what` (such as a run) needs an empty one."""
    names = frozenset(ours)
    try:
        foreign = next((name for name in entries(folder) if not owns(names, name)), None)
    except (FileNotFoundError, NotADirectoryError):
        return  # missing, or a file, which the caller reports
    except OSError as error:
        raise HistoryError(f"{folder}: cannot be read: {error.strerror}; {advice}") from error
    if foreign is not None:
        raise ForeignFileError(
            f"{folder} holds files that no {what} wrote (first: {foreign}); nothing was changed. Start "
            f"in a new or empty folder: {advice}, or move the files away"
        )


def check_single(path: Path, mark: bytes | None, maker: str) -> None:
    """Check that a file named by the user can be written: it is missing, or was written by the same `maker`.

    Our files have `mark` among their first bytes; None: no file may be replaced. Raises `ForeignFileError` or `OSError`;
    changes nothing.
    """
    check_replaceable(path)
    with suppress(FileNotFoundError), path.open("rb") as file:
        if mark is None or mark not in file.read(_HEAD):
            raise ForeignFileError(
                f"{path} exists{'' if mark is None else f' and {maker} did not write it'}; it was left unchanged; name "
                "another file, or move it away"
            )


class Manifest:
    """File names in a small file of the folder, one JSON value per line; the first line gives the kind of folder."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.path = folder / MANIFEST
        self._kind = kind

    @classmethod
    def there(cls, folder: Path, kind: str) -> bool:
        """Whether the folder has a manifest of this kind."""
        lines = _lines(folder / MANIFEST)
        return bool(lines) and isinstance(lines[0], dict) and lines[0].get("kind") == kind

    def names(self) -> frozenset[str]:
        """The recorded names; empty without the file."""
        return frozenset([MANIFEST, *(line for line in _lines(self.path) if isinstance(line, str))])

    def add(self, names: Iterable[str]) -> None:
        """Record names, creating the file if needed. Raises `HistoryError` on a disk error."""
        lines: list[object] = list(names)
        if not os.path.lexists(self.path):
            lines.insert(0, {"schema": SCHEMA, "kind": self._kind})
        text = "".join(json.dumps(line) + "\n" for line in lines)
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _NO_FOLLOW, 0o666)
            with os.fdopen(handle, "r+b") as file:
                end = file.seek(0, os.SEEK_END)
                if end:  # terminate a line that a kill truncated
                    file.seek(end - 1)
                    text = text if file.read(1) == b"\n" else f"\n{text}"
                file.write(text.encode("utf-8"))
        except OSError as error:
            if self.path.is_symlink():
                raise ForeignFileError(f"{self.path} is a symbolic link; {_MOVE}") from None
            raise HistoryError(f"{self.path}: cannot be written: {error.strerror}") from error


def _lines(path: Path) -> list[object]:
    if path.is_symlink():
        return []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    found: list[object] = []
    for line in text.splitlines():
        try:
            found.append(read_json(line))
        except ValueError:  # a truncated line
            continue
    return found


def open_folder(
    folder: Path,
    kind: str,
    *,
    earlier: Callable[[Path], Iterable[str]],
    advice: str,
    ours: Iterable[str] = (),
) -> OwnedFiles:
    """Open the files of a folder of this `kind` (training, export, comparison), existing or new; change nothing.

    For a folder without a manifest, `earlier(folder)` names the files that an earlier version wrote there (none if it is
    not such a folder). Otherwise the folder may hold nothing but `ours`: raises `ForeignFileError`.
    """
    manifest: Register = Manifest(folder, kind)
    if Manifest.there(folder, kind):
        return OwnedFiles(folder, manifest, kind)
    names = frozenset(earlier(folder)) if folder.is_dir() else frozenset()
    if not names:
        check_empty(folder, ours, kind, advice)
        return OwnedFiles(folder, manifest, kind)
    return OwnedFiles(folder, _Earlier(manifest, names), kind)


class _Earlier:
    """The manifest of a folder begun by an earlier version without one; its files are recorded first."""

    def __init__(self, manifest: Register, names: frozenset[str]) -> None:
        self._manifest = manifest
        self._before = names

    def names(self) -> frozenset[str]:
        return self._manifest.names() | self._before

    def add(self, names: Iterable[str]) -> None:
        have = self._manifest.names()
        self._manifest.add(sorted({*names, *self._before} - have))


def present(folder: Path, patterns: Iterable[str]) -> list[str]:
    """Relative names of the regular files that match the patterns that an earlier version wrote."""
    return sorted(
        path.relative_to(folder).as_posix()
        for pattern in patterns
        for path in folder.glob(pattern)
        if path.is_file() and not path.is_symlink()
    )
