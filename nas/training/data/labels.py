"""A CSV of labels beside the images: one row per image, with its file, its class and optionally its split."""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np

from nas.core.errors import DataError
from nas.training.data.account import Damage, Tally
from nas.training.data.encoded import Listing
from nas.training.data.splits import SPLIT_NAMES, check_one_name_each
from nas.training.data.tree import OTHER, inside, is_image, walk

FILES = tuple("file filename filepath path image imagefile imagename imagepath img imageid id name".split())
LABELS = ("label", "class", "classname", "target", "category", "labels")
SPLITS = ("split", "set", "subset", "partition")
USUAL = "labels.csv"  # used without being named
_DELIMITERS = ",;\t|"
_LONGEST = 64 * 2**20  # bytes; a larger CSV is not a list of files
UNLISTED = "not listed in {}"
TWICE = "rows of an image that is listed already"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the CSV. `number` counts from 1, the header included."""

    number: int
    file: str
    label: str
    split: str | None


@dataclass(slots=True)
class _Kept:
    """Usable rows while reading: by the path of the image within the set's folder."""

    rows: dict[str, Row] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)  # images of rows that cannot be used
    damage: list[Damage] = field(default_factory=list)


def usual_file(root: str) -> str | None:
    """The name of `labels.csv`, in any case, in the set's folder."""
    return next((n for n in inside(root).files if n.lower() == USUAL), None)


def listing_by_labels(root: str, name: str) -> Listing:
    """The images that the CSV `name` in `root` lists, in the order of their classes and paths.

    Raises `DataError` for a file that cannot be read or has no usable columns, or a row whose path leaves the folder.
    """
    where = os.path.join(root, name)
    rows, columns = _rows(where)
    kept, tally = _Kept(), Tally()
    files = _Files(root, tally)
    for row in rows:
        _keep(row, where, files, kept, tally)
    for path in kept.bad:
        kept.rows.pop(path, None)
    if not kept.rows:
        first = f" ({kept.damage[0].where}: {kept.damage[0].reason})" if kept.damage else ""
        raise DataError(
            f"{where}: no row can be used{first}; correct it, or set labels: false to read class folders"
        )
    own = os.path.normpath(name)
    for file in files.all:
        if file not in kept.rows and file not in kept.bad and file != own:
            tally.add(UNLISTED.format(name) if is_image(file) else OTHER, file)
    names = _ordered({row.label for row in kept.rows.values()})
    index = {label: i for i, label in enumerate(names)}
    order = sorted(kept.rows, key=lambda path: (index[kept.rows[path].label], path))
    splits, note = _splits(where, kept.rows, order)
    return Listing(
        [os.path.join(root, path) for path in order],
        None,
        np.array([index[kept.rows[path].label] for path in order], np.int64),
        np.array(splits, np.int64),
        tuple(names),
        tuple(kept.damage),
        ignored=tally.ignored(),
        notes=(f"labels from {name} ({', '.join(columns)})", *note),
    )


def _keep(row: Row, where: str, files: _Files, kept: _Kept, tally: Tally) -> None:
    """Sort a row: to those to use, to the faults, or to the ignored ones."""
    at = f"{where} line {row.number}" + (f" ({row.file})" if row.file else "")
    if not row.file:
        kept.damage.append(Damage(at, "no file in this row"))
        return
    path, wrong = files.find(at, row.file)
    if path is None:
        kept.damage.append(Damage(at, wrong))
        return
    wrong = _wrong(row)
    first = kept.rows.get(path)
    if not wrong and first is not None and (first.label, first.split) != (row.label, row.split):
        wrong = f"{_said(row)} here, {_said(first)} in line {first.number}: one of the two is wrong"
    if wrong:
        kept.damage.append(Damage(at, wrong))
        kept.bad.add(path)
    elif first is not None:
        tally.add(TWICE, f"line {row.number}: {row.file}")
    else:
        kept.rows[path] = row


def _wrong(row: Row) -> str:
    """The fault of a row whose image exists; empty without one."""
    if not row.label:
        return "no label in this row"
    if row.split is not None and row.split.lower() not in SPLIT_NAMES:
        return f"split {row.split!r} is unknown: expected one of {', '.join(SPLIT_NAMES)}"
    return ""


def _said(row: Row) -> str:
    return f"label {row.label!r}" + ("" if row.split is None else f", split {row.split!r}")


def _splits(where: str, rows: Mapping[str, Row], order: list[str]) -> tuple[list[int], tuple[str, ...]]:
    """The split of every image: by its column, or by its folder where all are in split folders."""
    if any(rows[path].split is not None for path in order):
        values = [(rows[path].split or "").strip() for path in order]
        check_one_name_each(f"{where}: split", set(values))
        return [SPLIT_NAMES[value.lower()] for value in values], ()
    folders = {path.split(os.sep)[0] if os.sep in path else "" for path in order}
    kinds = {SPLIT_NAMES.get(folder.lower(), -1) for folder in folders}
    if -1 in kinds or 0 not in kinds or len(kinds) < 2:
        return [-1] * len(order), ()
    check_one_name_each(f"{where}: split folder", folders)
    note = f"splits from the folders {', '.join(sorted(folders))}"
    return [SPLIT_NAMES[path.split(os.sep)[0].lower()] for path in order], (note,)


def _ordered(labels: set[str]) -> list[str]:
    """Classes in the order of their names; numbers in theirs."""
    if all(re.fullmatch(r"[0-9]{1,18}", label) for label in labels):
        return sorted(labels, key=lambda label: (int(label), label))
    return sorted(labels)


class _Files:
    """The files of the set's folder, found by their names in a CSV."""

    def __init__(self, root: str, tally: Tally) -> None:
        self._root = root
        self.all = sorted(walk(root, tally))
        self._exact = set(self.all)
        self._loose: defaultdict[str, list[str]] = defaultdict(list)
        for path in self.all:
            if is_image(path):
                stem = os.path.splitext(path)[0]
                for key in {path, stem, os.path.basename(path), os.path.basename(stem)}:
                    self._loose[_plain(key)].append(path)

    def find(self, where: str, value: str) -> tuple[str | None, str]:
        """The path within the folder of a row's file, or None and the reason.

        By its path; without the extension or the folder where that fits one image. Raises `DataError` for a
        path that leaves the folder.
        """
        path = self._within(where, value)
        if path in self._exact:
            return path, ""
        found = self._loose.get(_plain(path), [])
        if len(found) == 1:
            return found[0], ""
        if found:
            return None, f"fits {len(found)} images ({', '.join(found[:3])}): give the path within the folder"
        return None, "missing: the folder has no such file"

    def _within(self, where: str, value: str) -> str:
        text = value.strip()
        if "\\" in text and text not in self._exact:
            text = text.replace("\\", "/")
        if os.path.isabs(text) or PureWindowsPath(text).drive:
            real = os.path.relpath(text, os.path.abspath(self._root))
        else:
            real = os.path.normpath(text)
        if real.split(os.sep)[0] == os.pardir or PureWindowsPath(text).drive or "\0" in text:
            raise DataError(f"{where}: the path leads out of the folder {self._root}; list only files in it")
        return str(PurePosixPath(real)) if os.sep == "/" else real


def _plain(text: str) -> str:
    """Composed Unicode: file systems and spreadsheets write accents differently."""
    return unicodedata.normalize("NFC", text)


def has_columns(path: str) -> bool:
    """Whether a CSV can be read and has columns for file and label."""
    try:
        _header(path, _text(path))
    except DataError:
        return False
    return True


def _rows(path: str) -> tuple[Iterator[Row], tuple[str, ...]]:
    """The rows of a CSV, and the names of its columns that are used. Raises `DataError`."""
    text = _text(path)
    delimiter, skip, header = _header(path, text)
    at = [_position(header, names) for names in (FILES, LABELS, SPLITS)]
    used = tuple(header[i] for i in at if i is not None)
    return _read(path, text, delimiter, skip, at, len(header)), used


def _read(path: str, text: str, delimiter: str, skip: int, at: list[int | None], width: int) -> Iterator[Row]:
    file, label, split = at
    assert file is not None
    assert label is not None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for number, cells in enumerate(reader, start=1):
            if number <= skip + 1 or not any(cell.strip() for cell in cells):
                continue
            if len(cells) != width:
                raise DataError(
                    f"{path} line {reader.line_num}: expected {width} columns as in the header, got {len(cells)}; "
                    "put values that hold the delimiter in double quotes"
                )
            part = None if split is None else cells[split].strip()
            yield Row(reader.line_num, cells[file].strip(), cells[label].strip(), part)
    except csv.Error as error:
        raise DataError(f"{path} line {reader.line_num}: cannot be read as CSV ({error})") from None


def _text(path: str) -> str:
    """The text of a CSV: UTF-8 with or without a byte order mark, or UTF-16 with one."""
    try:
        if os.path.getsize(path) > _LONGEST:
            raise DataError(f"{path}: {os.path.getsize(path):,} bytes are too many for a list of files")
        with open(path, "rb") as file:
            raw = file.read()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(f"{path} line {line}: expected text in UTF-8; save it as CSV in UTF-8") from None


def _header(path: str, text: str) -> tuple[str, int, list[str]]:
    """Delimiter, lines before the header, and the header. Raises `DataError` without usable columns."""
    lines = text.splitlines()
    skip, known = 0, tuple(_DELIMITERS)
    if lines and re.fullmatch(
        r"sep=.", lines[0].strip('" '), re.IGNORECASE
    ):  # Excel's line that names the delimiter
        skip, known = 1, (lines[0].strip('" ')[-1],)
    first = lines[skip] if len(lines) > skip else ""
    for delimiter in known:
        try:
            header = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter), [])]
        except csv.Error:
            continue
        if _position(header, FILES) is not None and _position(header, LABELS) is not None:
            return delimiter, skip, header
    raise DataError(
        f"{path}: expected a header with a column for the file ({', '.join(FILES)}) and one for the class "
        f"({', '.join(LABELS)}), got {first[:100]!r}"
    )


def _position(header: list[str], names: tuple[str, ...]) -> int | None:
    """The first column with one of the names, in the names' order; case, spaces and underscores do not count."""
    plain = [re.sub(r"[\s_\-]+", "", cell).lower() for cell in header]
    return next((plain.index(name) for name in names if name in plain), None)
