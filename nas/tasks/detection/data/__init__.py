"""Detection data sets by name. A new one is a module with a frozen description that has `load` and `check`, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from nas.tasks.detection.data.base import DetectionSource, DetectionSplits
from nas.tasks.detection.data.parquet import DetectionParquet
from nas.tasks.detection.data.voc import VOC

DETECTION_SETS: dict[str, Callable[..., DetectionSource]] = {"voc": VOC, "parquet": DetectionParquet}


@lru_cache(maxsize=4)
def load(source: DetectionSource) -> DetectionSplits:
    """Read a data set, once a process for the same description."""
    return source.load()
