"""Listing folders: files and folders by name, links that lead in a circle found, and the rest counted by reason."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from nas.core.errors import DataError
from nas.training.data.account import Ignored, Tally
from nas.training.data.decode import EXTENSIONS

HIDDEN = "hidden"
OTHER = "without an image's extension"
LINKED = "links to folders, not followed"
SPECIAL = "neither files nor folders"


@dataclass(frozen=True, slots=True)
class Inside:
    """Names in a folder, each kind sorted. `files` has links to files, also broken ones, which reading reports."""

    files: tuple[str, ...]
    folders: tuple[str, ...]  # also links to folders, except those that lead back up
    special: tuple[str, ...]  # pipes, sockets, devices
    circular: tuple[str, ...]  # links to this folder or one above it

    @property
    def images(self) -> list[str]:
        """Visible files with an image's extension."""
        return [n for n in self.files if is_image(n)]

    @property
    def visible(self) -> list[str]:
        """Folders that are not hidden."""
        return [n for n in self.folders if not n.startswith(".")]


def is_image(name: str) -> bool:
    """Whether a file is read as an image, by its name."""
    return os.path.splitext(name)[1].lower() in EXTENSIONS and not name.startswith(".")


def inside(folder: str) -> Inside:
    """The content of a folder. Raises `DataError` where it cannot be listed."""
    kinds: tuple[list[str], list[str], list[str], list[str]] = ([], [], [], [])
    files, folders, special, circular = kinds
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    target = os.path.realpath(entry.path)
                    if not os.path.isdir(target):
                        known = os.path.isfile(target) or not os.path.exists(target)
                        (files if known else special).append(entry.name)
                    elif is_above(target, folder):
                        circular.append(entry.name)
                    else:
                        folders.append(entry.name)
                elif entry.is_dir():
                    folders.append(entry.name)
                else:
                    (files if entry.is_file() else special).append(entry.name)
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror or error})") from None
    return Inside(*(tuple(sorted(names)) for names in kinds))


def is_above(target: str, folder: str) -> bool:
    """Whether `target`, a real path, is the folder itself or one above it."""
    real = os.path.realpath(folder)
    return real == target or real.startswith(os.path.join(target, ""))


def count_rest(tally: Tally, root: str, folder: str, reason: str) -> None:
    """Count every file under `folder`, links not followed: images for `reason`, the others by kind."""
    pending = [folder]
    while pending:
        current = pending.pop()
        found = inside(current)
        count_files(tally, root, current, found.files, reason)
        for name in found.special:
            tally.add(SPECIAL, relative(root, current, name))
        for name in found.circular:
            tally.add(LINKED, relative(root, current, name))
        deeper = []
        for name in found.folders:
            path = os.path.join(current, name)
            if os.path.islink(path):
                tally.add(LINKED, relative(root, current, name))
            else:
                deeper.append(path)
        pending += reversed(deeper)


def unused(root: str, used: Iterable[str], reason: str) -> tuple[Ignored, ...]:
    """Every file under `root` but those in `used` (paths), links to folders not followed: images for `reason`."""
    known, tally = {os.path.normpath(path) for path in used}, Tally()
    for current, folders, names in os.walk(root):
        folders.sort()
        files = tuple(sorted(n for n in names if os.path.normpath(os.path.join(current, n)) not in known))
        count_files(tally, root, current, files, reason)
    return tally.ignored()


def count_files(tally: Tally, root: str, folder: str, names: tuple[str, ...], reason: str) -> None:
    """Count files of one folder: images for `reason`, the others by kind."""
    within = relative(root, folder, "")
    hidden = any(part.startswith(".") and part not in (".", "..") for part in within.split(os.sep))
    for name in names:
        kind = HIDDEN if hidden or name.startswith(".") else reason if is_image(name) else OTHER
        tally.add(kind, relative(root, folder, name))


def count_other(tally: Tally, root: str, folder: str, found: Inside) -> None:
    """Count the files of a folder whose images are used: those that are hidden, special, or not images."""
    base = relative(root, folder, "")
    for name in found.files:
        if not is_image(name):
            tally.add(HIDDEN if name.startswith(".") else OTHER, os.path.join(base, name))
    for name in found.special:
        tally.add(SPECIAL, os.path.join(base, name))
    for name in found.circular:
        tally.add(LINKED, os.path.join(base, name))


def relative(root: str, folder: str, name: str) -> str:
    """The path of a file within the set's folder."""
    return os.path.join(_within(root, folder), name)


@lru_cache(maxsize=16)
def _within(root: str, folder: str) -> str:
    found = os.path.relpath(folder, root)
    return "" if found == os.curdir else found


def walk(root: str, tally: Tally) -> Iterator[str]:
    """Every visible file under `root` by its path within it; each folder is entered once, by its real path if possible.

    Links to folders are followed. Hidden and special files and circular links are counted in `tally`.
    """
    seen: set[tuple[int, int]] = set()
    links: list[str] = []

    def below(folder: str) -> Iterator[str]:
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            tally.add(LINKED, relative(root, folder, ""))
            return
        seen.add((status.st_dev, status.st_ino))
        found = inside(folder)
        hidden = tuple(n for n in found.files if n.startswith("."))
        count_other(tally, root, folder, Inside(hidden, (), found.special, found.circular))
        for name in found.files:
            if name not in hidden:
                yield relative(root, folder, name)
        for name in found.folders:
            if name.startswith("."):
                count_rest(tally, root, os.path.join(folder, name), HIDDEN)
            elif os.path.islink(os.path.join(folder, name)):
                links.append(os.path.join(folder, name))
            else:
                yield from below(os.path.join(folder, name))

    yield from below(root)
    while links:  # after the folders themselves, and those that they lead to
        yield from below(links.pop(0))
