"""Columns of a table of labelled images: found by name, read as splits and as classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nas.core.errors import DataError
from nas.training.data.base import Damage, IntArray
from nas.training.data.splits import SPLIT_NAMES, check_one_name_each

LABELS = ("label", "labels", "class", "class_index", "fine_label", "target")
IMAGES = ("image", "jpeg", "png", "img", "picture", "bytes")


def column_named(
    table: str, setting: str, wanted: str | None, usual: Sequence[str], names: Sequence[str]
) -> str:
    """The column `wanted`, or the first with a usual name. Raises `DataError` that names the `setting`."""
    for name in (wanted,) if wanted is not None else usual:
        if name in names:
            return name
    asked = f"no column {wanted!r}" if wanted else f"no column with a usual name ({', '.join(usual)})"
    raise DataError(f"{table}: {asked}; it has {', '.join(names)}: set {setting} to one of them")


def encoded_bytes(cells: list[Any]) -> list[Any]:
    """The cells of an image column; of structs their field `bytes`."""
    if any(isinstance(cell, dict) for cell in cells):
        return [cell.get("bytes") if isinstance(cell, dict) else cell for cell in cells]
    return cells


def splits_of(table: str, values: Sequence[Any]) -> IntArray:
    """The split of each row. Raises `DataError` for an unknown name."""
    unknown = {v for v in values if str(v).lower() not in SPLIT_NAMES}
    if unknown:
        shown = ", ".join(sorted(repr(v) for v in unknown)[:5])
        raise DataError(f"{table}: split values {shown} are unknown: expected {', '.join(SPLIT_NAMES)}")
    check_one_name_each(f"{table}: split values", {str(v) for v in values})
    return np.array([SPLIT_NAMES[str(v).lower()] for v in values], dtype=np.int64)


def classes_of(
    values: Sequence[Any], where: Sequence[str], num_classes: int | None
) -> tuple[IntArray, tuple[str, ...], list[Damage]]:
    """Class numbers (-1 for a wrong label), class names, and faults: whole numbers below `num_classes`, or names."""
    named = any(isinstance(v, str) for v in values)
    if named:
        names = sorted({v for v in values if isinstance(v, str)})
        index = {name: i for i, name in enumerate(names)}
        labels = [index[v] if isinstance(v, str) else -1 for v in values]
    else:
        whole = [int(v) if isinstance(v, (int, float)) and v == v and int(v) == v else -1 for v in values]
        count = num_classes if num_classes is not None else max([*whole, 0]) + 1
        names = [str(i) for i in range(count)]
        labels = [v if 0 <= v < count else -1 for v in whole]
    damage = [
        Damage(w, f"wrong label {v!r}: expected {'a name' if named else f'0 to {len(names) - 1}'}")
        for w, v, n in zip(where, values, labels, strict=True)
        if n < 0
    ]
    array = np.array(labels, dtype=np.int64)
    present = set(array.tolist())
    damage += [
        Damage(f"class {n}", "empty class: no image has this label")
        for i, n in enumerate(names)
        if i not in present
    ]
    return array, tuple(names), damage
