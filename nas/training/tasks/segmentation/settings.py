"""Settings of a segmentation: the head, and the training. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

from nas.core.checks import check_known, check_numbers, check_positive
from nas.core.errors import ConfigError

HEAD_NAMES = ("c1", "ppm")
PPM_WIDTH = 512  # as published
PPM_SCALES = (1, 2, 3, 6)  # regions to a side
WEIGHTINGS = ("none", "log", "median")
IGNORE = 255  # the target of pixels that do not count


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """The head on the backbone.

    `width` is that of the head's inner maps (None: as published, a quarter of the last map for c1, 512 for ppm).
    With `auxiliary` there is a second head, a C1, on the map before the last, for training alone (deep supervision).
    Raises `ConfigError`.
    """

    name: str = "c1"
    output_stride: int = 8
    width: int | None = None
    auxiliary: bool = False

    def __post_init__(self) -> None:
        check_numbers("head", self)
        check_known("head: name", self.name, HEAD_NAMES)
        if self.output_stride not in (8, 16, 32):
            raise ConfigError(f"head: output_stride: expected 8, 16 or 32, got {self.output_stride!r}")
        if self.width is not None:
            check_positive("head: width", self.width)


@dataclass(frozen=True, slots=True)
class Augment:
    """Augmentation of training images: a random scale, a crop, a flip.

    `crop` is (height, width) in pixels, None the whole images (which then must have one size); pixels
    of a crop outside the image do not count. `scales` is the range of the random factor on the image's size, drawn
    evenly on a logarithmic scale. Raises `ConfigError`.
    """

    crop: tuple[int, int] | None = None
    scales: tuple[float, float] = (0.5, 2.0)
    flip: bool = True

    def __post_init__(self) -> None:
        for name in ("crop", "scales"):  # lists come from YAML files
            value = getattr(self, name)
            if value is not None:
                if not isinstance(value, (list, tuple)) or len(value) != 2:
                    raise ConfigError(f"augment: {name}: expected two numbers, got {value!r}")
                object.__setattr__(self, name, tuple(value))
                for one in value:
                    check_positive(f"augment: {name}", one)
        if self.crop is not None and any(int(side) != side for side in self.crop):
            raise ConfigError(f"augment: crop: expected whole pixels, got {self.crop!r}")
        if self.scales[0] > self.scales[1]:
            raise ConfigError(f"augment: scales: expected the smaller first, got {self.scales!r}")
