"""Parameters and multiply-adds (MAdds) of the heads, in closed form; nothing is built, torch is not loaded.

MAdds are those of convolutions alone. The auxiliary head does not count: it exists in training only.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from nas.training.tasks.segmentation.settings import PPM_SCALES, PPM_WIDTH, HeadSettings

Cost = tuple[int, int]  # params, madds


def padded(image_size: tuple[int, int], output_stride: int) -> tuple[int, int]:
    """The size to which a network pads images of (height, width)."""
    multiple = 2 * output_stride  # every map is even, as spatial multiplexing requires
    return (ceil(image_size[0] / multiple) * multiple, ceil(image_size[1] / multiple) * multiple)


def head_cost(settings: HeadSettings, in_width: int, num_classes: int, pixels: int) -> dict[str, int]:
    """`params` and `madds` of a head on a last map of `in_width` channels and this many pixels."""
    params, madds = _HEADS[settings.name](in_width, num_classes, settings.width, pixels)
    return {"params": params, "madds": madds}


def _conv_bn(in_width: int, width: int, kernel: int, pixels: int) -> Cost:
    weights = in_width * width * kernel * kernel
    return weights + 2 * width, weights * pixels


def _last(width: int, num_classes: int, pixels: int) -> Cost:
    return width * num_classes + num_classes, width * num_classes * pixels


def _c1(in_width: int, num_classes: int, width: int | None, pixels: int) -> Cost:
    width = width or max(1, in_width // 4)
    return _sum(_conv_bn(in_width, width, 3, pixels), _last(width, num_classes, pixels))


def _ppm(in_width: int, num_classes: int, width: int | None, pixels: int) -> Cost:
    width = width or PPM_WIDTH
    branches = [_conv_bn(in_width, width, 1, scale * scale) for scale in PPM_SCALES]
    join = _conv_bn(in_width + len(branches) * width, width, 3, pixels)
    return _sum(*branches, join, _last(width, num_classes, pixels))


def _sum(*costs: Cost) -> Cost:
    return sum(c[0] for c in costs), sum(c[1] for c in costs)


_HEADS: dict[str, Callable[[int, int, int | None, int], Cost]] = {"c1": _c1, "ppm": _ppm}
