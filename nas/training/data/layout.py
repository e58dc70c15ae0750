"""Classify the folders of an image data set: splits, classes, or neither."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy as np

from nas.core.errors import DataError
from nas.training.data.account import Damage, Tally
from nas.training.data.encoded import Listing
from nas.training.data.splits import SPLIT_NAMES
from nas.training.data.tree import HIDDEN, Inside, count_files, count_other, count_rest, inside, relative

NESTED = "nested too deep (an image lies directly in its class folder)"
LOOSE = "in no class folder"
BESIDE = "in folders beside the splits"
UNTRAINED = "of a class without a training folder"
HOW = (
    "Put images in folders by class: PATH/train/CLASS/*.jpg and PATH/val/CLASS/*.jpg (ImageNet's layout), "
    "or PATH/CLASS/*.jpg to have the splits made for you, or list them in PATH/labels.csv (columns file and label)."
)


@dataclass(slots=True)
class _Found:
    """The images found so far."""

    where: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    split: list[int] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)


def folder_listing(root: str) -> Listing:
    """The images in the class folders of `root`, or of its splits. Raises `DataError`."""
    top, tally, notes = inside(root), Tally(), list[str]()
    within = {name: inside(os.path.join(root, name)) for name in top.visible}
    splits = _splits(root, within)
    if splits:
        chosen = {os.path.join(root, name): SPLIT_NAMES[name.lower()] for name in splits}
        for name in top.visible:
            if name not in splits:
                where = LOOSE if name.lower() in SPLIT_NAMES else BESIDE
                count_rest(tally, root, os.path.join(root, name), where)
    else:
        chosen = {root: -1}
        named = [n for n in top.visible if n.lower() in SPLIT_NAMES and within[n].images]
        if named:
            notes.append(f"{', '.join(named)}: classes, not splits, because images lie directly in them")
    _count_top(tally, root, top)
    found, names = _collect(root, chosen, tally)
    empty = [names[i] for i in sorted(set(range(len(names))) - set(found.labels))]
    if empty and found.where:
        notes.append(
            f"{len(empty)} classes without an image: {', '.join(empty[:5])}{', ...' if len(empty) > 5 else ''}"
        )
    listing = Listing(
        found.where,
        None,
        np.array(found.labels, np.int64),
        np.array(found.split, np.int64),
        tuple(names),
        tuple(found.damage),
        ignored=tally.ignored(),
        notes=tuple(notes),
    )
    if not found.where:
        raise DataError(f"folder {root}: {_nothing(root, names, within, listing)}. {HOW}")
    return listing


def _splits(root: str, within: dict[str, Inside]) -> list[str]:
    """The split folders, in the order of their names; none where folders with such names are classes.

    A split holds class folders, a class holds images. Raises `DataError` where two folders are the same split.
    """
    split_like = {n: k for n in within if (k := SPLIT_NAMES.get(n.lower())) is not None and within[n].visible}
    classes = [n for n in within if n.lower() not in SPLIT_NAMES and within[n].images]
    train = [n for n, kind in split_like.items() if kind == 0]
    if not any(not within[n].images or not classes or _holds_classes(root, n, within[n]) for n in train):
        return []
    for kind, what in enumerate(("training", "validation", "test")):
        same = [n for n, k in split_like.items() if k == kind]
        if len(same) > 1:
            raise DataError(
                f"folder {root}: {' and '.join(same)} both name the {what} split: keep one, or move the other out"
            )
    return list(split_like)


def _holds_classes(root: str, name: str, found: Inside) -> bool:
    """Whether at least two folders in this one hold images."""
    return sum(bool(inside(os.path.join(root, name, one)).images) for one in found.visible) >= 2


def _count_top(tally: Tally, root: str, top: Inside) -> None:
    """Count the files in the set's folder outside the folders that are read."""
    count_files(tally, root, root, top.files, LOOSE)
    count_other(tally, root, root, Inside((), (), top.special, top.circular))
    for name in top.folders:
        if name.startswith("."):
            count_rest(tally, root, os.path.join(root, name), HIDDEN)


def _collect(root: str, chosen: dict[str, int], tally: Tally) -> tuple[_Found, list[str]]:
    """The images of every class folder, and the names of the classes."""
    inner = {directory: inside(directory) for directory in chosen}
    names = sorted({n for d, kind in chosen.items() if kind <= 0 for n in inner[d].visible})
    index = {name: i for i, name in enumerate(names)}
    found = _Found()
    for directory, kind in chosen.items():
        if directory != root:
            count_files(tally, root, directory, inner[directory].files, LOOSE)
            count_other(
                tally, root, directory, Inside((), (), inner[directory].special, inner[directory].circular)
            )
            for name in inner[directory].folders:
                if name.startswith("."):
                    count_rest(tally, root, os.path.join(directory, name), HIDDEN)
        for name in inner[directory].visible:
            folder = os.path.join(directory, name)
            if name not in index:
                found.damage.append(Damage(folder, "wrong label: a class without training folder"))
                count_rest(tally, root, folder, UNTRAINED)
                continue
            _collect_class(root, folder, index[name], kind, found, tally)
    return found, names


def _collect_class(root: str, folder: str, label: int, kind: int, found: _Found, tally: Tally) -> None:
    here = inside(folder)
    files = [os.path.join(folder, name) for name in here.images]
    if not files:
        found.damage.append(Damage(folder, "empty class: no image in this folder"))
    found.where += files
    found.labels += [label] * len(files)
    found.split += [kind] * len(files)
    count_other(tally, root, folder, here)
    for name in here.folders:
        path = os.path.join(folder, name)
        if os.path.islink(path):
            tally.add("links to folders, not followed", relative(root, folder, name))
        else:
            count_rest(tally, root, path, HIDDEN if name.startswith(".") else NESTED)


def _nothing(root: str, names: list[str], within: dict[str, Inside], listing: Listing) -> str:
    """The reason that a folder gives no image."""
    held = [n for n in within if n.lower() in SPLIT_NAMES and within[n].visible and not within[n].images]
    if held and not any(SPLIT_NAMES[n.lower()] == 0 for n in held):
        return f"{', '.join(held)} hold class folders, but no folder train (or training) does"
    ignored = f"; ignored: {'; '.join(map(str, listing.ignored))}" if listing.ignored else ""
    return f"{'no image found in a class folder' if names else 'no class folder found'}{ignored}"
