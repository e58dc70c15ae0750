"""Average precision as COCO defines it, by faster-coco-eval (an extra: `pip install 'multiobjective-nas[detection]'`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.core.errors import ConfigError
from nas.core.records import FloatArray
from nas.training.data.base import IntArray
from nas.training.tasks.detection.data.base import Objects
from nas.training.tasks.detection.metrics import Seen

NAMES = ("ap", "ap_50", "ap_75", "ap_small", "ap_medium", "ap_large")  # the first of COCO's twelve numbers


def coco_precisions(
    seen: Sequence[Seen], truth: Sequence[Objects], sizes: IntArray, classes: int
) -> dict[str, float]:
    """`ap` (mean over overlaps .50, .55, ..., .95), `ap_50`, `ap_75`, and `ap` by the objects' areas; 0 to 1, NaN: no object.

    Boxes in fractions, `sizes` (n, 2) the images' width and height, whose pixels measure the areas. Difficult objects
    count as COCO's crowds: neither found nor missed. Lin et al., ECCV 2014, and cocodataset.org. Raises `ConfigError`
    where faster-coco-eval is not installed.
    """
    try:
        from faster_coco_eval import COCO, COCOeval_faster
    except ImportError:
        raise ConfigError(
            "COCO's average precision needs faster-coco-eval: pip install 'multiobjective-nas[detection]'"
        ) from None
    annotations = [
        {"id": 0, "image_id": i, "category_id": int(k), "bbox": b, "area": b[2] * b[3], "iscrowd": int(hard)}
        for i, one in enumerate(truth)
        for k, b, hard in zip(one.labels, _pixels(one.boxes, sizes[i]), one.difficult, strict=True)
    ]
    for number, annotation in enumerate(annotations, start=1):
        annotation["id"] = number
    found = [
        {"image_id": i, "category_id": int(k), "bbox": b, "score": float(s)}
        for i, one in enumerate(seen)
        for k, b, s in zip(one.labels, _pixels(one.boxes, sizes[i]), one.scores, strict=True)
    ]
    if not found:
        return dict.fromkeys(NAMES, 0.0 if annotations else float("nan"))
    known = COCO(
        {
            "images": [{"id": i, "width": int(w), "height": int(h)} for i, (w, h) in enumerate(sizes)],
            "categories": [{"id": k, "name": str(k)} for k in range(classes)],
            "annotations": annotations,
        }
    )
    judge = COCOeval_faster(known, known.loadRes(found), "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    values = [float(v) for v in judge.stats[: len(NAMES)]]
    return {name: value if value >= 0 else float("nan") for name, value in zip(NAMES, values, strict=True)}


def _pixels(boxes: FloatArray, size: IntArray) -> list[list[float]]:
    """(left, top, width, height) in pixels."""
    scaled = boxes * np.tile(size, 2)
    scaled[:, 2:] -= scaled[:, :2]
    rows: list[list[float]] = scaled.tolist()
    return rows
