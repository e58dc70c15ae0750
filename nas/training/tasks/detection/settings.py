"""Settings of a detector's head, from configs and the command line."""

from __future__ import annotations

from dataclasses import dataclass

from nas.core.checks import check_known, check_numbers
from nas.core.errors import ConfigError
from nas.training.tasks.detection.anchors import AnchorPlan, spread

HEAD_NAMES = ("ssdlite", "ssd", "ssd300")


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """The head: `name` ssdlite or ssd, on the backbone's maps at `strides`; or ssd300, which has fixed settings.

    Further maps, each half as large, make up the number of `maps`. `scales` are those of the first and the last map's
    anchors in fractions of the image's side, the others lie evenly between; `ratios` their aspect ratios beside 1.
    The defaults are those of SSDLite (Sandler et al. 2018) and torchvision's. Raises `ConfigError`.
    """

    name: str = "ssdlite"
    strides: tuple[int, ...] = (16, 32)
    maps: int = 6
    scales: tuple[float, float] = (0.2, 0.95)
    ratios: tuple[float, ...] = (2.0, 3.0)

    def __post_init__(self) -> None:
        check_numbers("head", self)
        for key in ("strides", "scales", "ratios"):
            object.__setattr__(self, key, tuple(getattr(self, key)))  # lists come from YAML files
        check_known("head: name", self.name, HEAD_NAMES)
        if not self.strides or self.maps < len(self.strides):
            raise ConfigError(
                f"head: maps: expected at least one for each of the strides {self.strides}, got {self.maps}"
            )
        if len(self.scales) != 2:
            raise ConfigError(f"head: scales: expected the first map's and the last one's, got {self.scales}")
        self.plan()

    def plan(self) -> AnchorPlan:
        """The anchors. Raises `ConfigError` for invalid scales or ratios."""
        return spread(*self.scales, self.maps, self.ratios)
