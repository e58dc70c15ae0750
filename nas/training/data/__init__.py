"""Data sets by name. A new one is one file with a frozen dataclass (`load`, `check`) and one line below."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.core.kinds import check_class
from nas.core.plugins import find, make
from nas.training.data.base import Damage, DataReport, DataSource, MemoryPictures, Pictures, Splits
from nas.training.data.cifar import Cifar10, Cifar100
from nas.training.data.digits import Digits
from nas.training.data.folder import Folder
from nas.training.data.huggingface import HuggingFace, is_saved
from nas.training.data.parquet import Parquet

__all__ = [
    "DATASETS", "Cifar10", "Cifar100", "Damage", "DataReport", "DataSource", "Digits", "Folder",
    "HuggingFace", "MemoryPictures", "Parquet", "Pictures", "Splits", "check", "data_from_config", "kind_at", "load",
]  # fmt: skip

DATASETS: dict[str, Callable[..., DataSource]] = {
    "digits": Digits,
    "cifar10": Cifar10,
    "cifar100": Cifar100,
    "folder": Folder,
    "parquet": Parquet,
    "huggingface": HuggingFace,
}

_CACHE: dict[
    DataSource, Splits
] = {}  # one per process: a worker reads a data set once, not for every candidate


def kind_at(path: str) -> str | None:
    """The data set of a path: `folder` (also for a CSV of labels), `huggingface` or `parquet`; None for a missing path."""
    if not os.path.exists(path):  # Path.exists would raise for a long name
        return None
    if is_saved(path):
        return "huggingface"
    return "folder" if os.path.isdir(path) or path.lower().endswith(".csv") else "parquet"


def data_from_config(config: Mapping[str, Any]) -> DataSource:
    """A description from plain settings, such as `{"name": "folder", "path": "images", "resolution": 32}`.

    In place of the name you can give the path of a folder (of images or of Hugging Face's datasets) or a Parquet file, or ``package.module:Name`` of a custom class.

    Raises `ConfigError` for an unknown data set or setting, naming the nearest valid one.
    """
    settings = dict(config)
    name = settings.pop("name", None)
    if isinstance(name, str) and ":" in name and kind_at(name) is None:
        found = find("data set", name)
        check_class("data set", name, found, "a class with load and check", "load", "check")
        data: DataSource = make("data set", found, settings, name)
        return data
    if name not in DATASETS:
        kind = kind_at(name) if isinstance(name, str) else None
        if kind is None:
            raise ConfigError(
                f"data: {name!r} is unknown{did_you_mean(str(name), DATASETS, 0.7)}: expected one of {', '.join(DATASETS)}, "
                "or the path of an existing folder of images or Parquet file"
            )
        if "path" in settings:
            raise ConfigError(f"data {name!r} already defines its images; remove path={settings['path']!r}")
        settings["path"], name = name, kind
    factory = DATASETS[name]
    known = list(signature(factory).parameters)
    for key in settings:
        if key not in known:
            raise ConfigError(
                f"data {name!r} has no setting {key!r}{did_you_mean(key, known)}: it has {', '.join(known)}"
            )
    try:
        return factory(**settings)
    except TypeError as error:
        raise ConfigError(f"data {name!r}: {error}") from None


def load(data: DataSource) -> Splits:
    """The splits of `data`, read once per process."""
    if data not in _CACHE:
        _CACHE[data] = data.load()
    return _CACHE[data]


def check(data: DataSource) -> DataReport:
    """Report the files found, the damaged ones, and how to get the set."""
    return data.check()
