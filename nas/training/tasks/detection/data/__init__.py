"""Detection data sets by name. A new one is a module with a frozen description that has `load` and `check`, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from nas.core.errors import ConfigError
from nas.core.plugins import make
from nas.training.tasks.detection.data.base import DetectionSource, DetectionSplits
from nas.training.tasks.detection.data.parquet import DetectionParquet
from nas.training.tasks.detection.data.voc import VOC

DETECTION_SETS: dict[str, Callable[..., DetectionSource]] = {"voc": VOC, "parquet": DetectionParquet}


def boxes_from_config(config: Mapping[str, Any]) -> DetectionSource:
    """A description from plain settings, such as `{"name": "voc", "path": "VOC2007"}`.

    Raises `ConfigError` for an unknown set or setting.
    """
    settings = dict(config)
    name = settings.pop("name", None)
    if name not in DETECTION_SETS:
        raise ConfigError(f"data: name {name!r} is unknown: expected one of {', '.join(DETECTION_SETS)}")
    source: DetectionSource = make("data", DETECTION_SETS[name], settings, str(name))
    return source


@lru_cache(maxsize=4)
def load(source: DetectionSource) -> DetectionSplits:
    """Read a data set, once per process for the same description."""
    return source.load()
