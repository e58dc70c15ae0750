"""A folder of images: one folder a class (ImageNet's layout, with or without split folders), or a CSV of labels."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from nas.core.errors import ConfigError, DataError
from nas.training.data.base import settings_text
from nas.training.data.encoded import EncodedSource, Listing
from nas.training.data.labels import has_columns, listing_by_labels, usual_file
from nas.training.data.layout import HOW, folder_listing


@dataclass(frozen=True, slots=True, repr=False)
class Folder(EncodedSource):
    """Images in `path/train/CLASS/`, `path/val/CLASS/` (or `test`), or just `path/CLASS/`; or as a CSV lists them.

    `labels` names a CSV in `path`; None takes `labels.csv` if it exists, False never. `path` may be the CSV
    itself. One held-out folder becomes the test set, and validation is cut from the training images. Images are cut
    to a central square (`keep` of the shorter side) of `resolution` pixels. `skip_damaged` skips and counts
    unusable files; else the set is refused. Raises `ConfigError`.
    """

    path: str
    resolution: int | None = 32
    channels: int = 3
    keep: float = 0.875
    validation: float = 0.1
    test: float = 0.1
    split_seed: int = 0
    memory_mb: int = 1024
    labels: str | bool | None = None
    skip_damaged: bool = False

    def __post_init__(self) -> None:
        EncodedSource.__post_init__(self)  # super() fails in a dataclass with slots
        if self.labels is True:
            object.__setattr__(self, "labels", None)  # as the default: use an existing file
        if not (self.labels in (None, False) or (isinstance(self.labels, str) and self.labels)):
            raise ConfigError(f"data: labels must be the name of a CSV file, or false, not {self.labels!r}")

    KIND: ClassVar[str] = "folder"
    HOW: ClassVar[str] = HOW

    def __repr__(self) -> str:
        return settings_text(self, "labels", "skip_damaged")

    def listing(self) -> Listing:
        root = str(Path(self.path))
        if root.lower().endswith(".csv") and os.path.isfile(root):
            return listing_by_labels(os.path.dirname(root) or os.curdir, os.path.basename(root))
        if not os.path.isdir(root):
            raise DataError(f"folder {self.path}: not found. {HOW}")
        if isinstance(self.labels, str):
            if not os.path.isfile(os.path.join(root, self.labels)):
                raise DataError(f"folder {self.path}: the CSV {self.labels} is not found in it")
            return listing_by_labels(root, self.labels)
        usual = usual_file(root) if self.labels is None else None
        if usual is None:
            return folder_listing(root)
        if has_columns(os.path.join(root, usual)):
            return listing_by_labels(root, usual)
        try:
            listing = folder_listing(root)
        except DataError:
            return listing_by_labels(root, usual)  # raises its fault
        note = f"{usual} is not used: it has no columns for file and label"
        return replace(listing, notes=(*listing.notes, note))
