"""Stratified, seeded cuts of a labelled set."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nas.core.errors import ConfigError, DataError
from nas.training.data.base import IntArray

# names of folders and of values in a column, in lower case -> position in (train, validation, test)
SPLIT_NAMES = {
    "train": 0,
    "training": 0,
    "val": 1,
    "valid": 1,
    "validation": 1,
    "dev": 1,
    "test": 2,
    "testing": 2,
    "eval": 2,
    "evaluation": 2,
}


def check_one_name_each(where: str, names: Iterable[str]) -> None:
    """Raise `DataError` where two different names, such as val and dev, mean the same split."""
    known: dict[int, str] = {}
    for name in sorted(names):
        kind = SPLIT_NAMES.get(name.lower())
        if kind is None:
            continue
        other = known.setdefault(kind, name)
        if other.lower() != name.lower():
            raise DataError(
                f"{where}: {other} and {name} both name the {('training', 'validation', 'test')[kind]} split: use one of them"
            )


def stratified(labels: IntArray, fractions: tuple[float, ...], seed: int) -> tuple[IntArray, ...]:
    """Cut positions 0..n-1 into parts with these fractions of every class; the remainder is the last part.

    Gives len(fractions) + 1 arrays of positions, each in increasing order. Where a class does not divide
    evenly, the rounding is carried from class to class, so that the parts' totals stay right.
    """
    if any(not 0 <= f < 1 for f in fractions) or sum(fractions) >= 1:
        raise ConfigError(
            f"split fractions must each be in [0, 1) and add up to less than 1, got {tuple(fractions)}"
        )
    rng = np.random.default_rng(seed)
    parts: list[list[IntArray]] = [[] for _ in range(len(fractions) + 1)]
    ends = np.cumsum(fractions)
    seen = 0
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        # cuts of a running total: class k takes the due of the first k classes, minus what they took
        cuts = [round((seen + len(members)) * e) - round(seen * e) for e in ends.tolist()]
        cuts = np.maximum.accumulate(cuts).tolist() if cuts else cuts  # rounding may cross in tiny classes
        for part, piece in zip(parts, np.split(members, cuts), strict=True):
            part.append(piece)
        seen += len(members)
    return tuple(np.sort(np.concatenate(p)).astype(np.int64) for p in parts)


def subset(labels: IntArray, size: int, seed: int) -> IntArray:
    """Positions of `size` images in the classes' proportions (all of them when there are fewer)."""
    if size >= len(labels):
        return np.arange(len(labels), dtype=np.int64)
    return stratified(labels, (size / len(labels),), seed)[0]
