"""The choices of a MUXNet search space, and its three presets."""

from __future__ import annotations

from dataclasses import dataclass

from nas.core.errors import ConfigError

Mix = tuple[int, ...]

# Absent spatial multiplexing comes first: a choice that does not fit the map falls back to it.
_SCALES: tuple[Mix, ...] = ((), (-1, 0), (0, 1), (-1, 1), (-1, 0, 1))
_SPLITS = (0.5, 0.75, 0.25, 1.0)
_GROUPS = (1, 2, 4)


@dataclass(frozen=True)
class StageOptions:
    """Choices of one stage: an ir block (which changes width and size), then `depths` sp blocks.

    A width of 0 leaves the stage out. `ir_kernels` are kernel mixtures. `scales` begins with () (none), and
    `groups` rises from 1. Raises `ConfigError` otherwise.
    """

    stride: int
    widths: tuple[int, ...]
    ir_kernels: tuple[Mix, ...] = ((3,), (5,), (7,), (3, 5), (3, 5, 7), (3, 5, 7, 9), (3, 5, 7, 9, 11))
    ir_expansions: tuple[int, ...] = (3, 4, 6)
    depths: tuple[int, ...] = (0, 1, 2, 3)
    sp_kernels: tuple[int, ...] = (3, 5, 7)
    sp_expansions: tuple[int, ...] = (3, 4, 6)
    splits: tuple[float, ...] = _SPLITS
    scales: tuple[Mix, ...] = _SCALES
    groups: tuple[int, ...] = _GROUPS

    def __post_init__(self) -> None:
        for field in ("widths", "ir_kernels", "ir_expansions", "depths", "sp_kernels", "sp_expansions"):
            if not getattr(self, field):
                raise ConfigError(f"{field}: expected at least one choice, got none")
        if self.scales[:1] != ((),):
            raise ConfigError(f"scales: expected the first choice to be () (none), got {self.scales}")
        if self.groups[:1] != (1,) or list(self.groups) != sorted(set(self.groups)):
            raise ConfigError(f"groups: expected rising numbers from 1, got {self.groups}")
        if not self.splits or any(not 0 < s <= 1 for s in self.splits):
            raise ConfigError(f"splits: expected shares above 0 and at most 1, got {self.splits}")
        if any(width % 8 for width in self.widths):
            raise ConfigError(f"widths: expected multiples of 8 (0 leaves the stage out), got {self.widths}")


@dataclass(frozen=True)
class SpaceOptions:
    """Choices of a whole space, and the task for which its costs are counted.

    `resolutions` are heights and widths in pixels. `ds_ratios` and `se_ratios` are those of
    squeeze-and-excitation in the ds block, and in all others. The first stage cannot be left out. `dropout` is
    the default rate before the classifier of built networks.
    """

    resolutions: tuple[int, ...]
    stems: tuple[int, ...]
    stem_stride: int
    stages: tuple[StageOptions, ...]
    heads: tuple[int, ...]
    num_classes: int
    in_channels: int
    ds_ratios: tuple[float, ...] = (0.25, 0.0)
    se_ratios: tuple[float, ...] = (0.75, 0.5, 0.25, 0.0)
    dropout: float = 0.2

    def __post_init__(self) -> None:
        if not self.stages or 0 in self.stages[0].widths:
            raise ConfigError("stages: expected at least one, and a first one that is always present")
        optional = [s.stride for s in self.stages if 0 in s.widths]
        if len(set(optional)) < len(optional):
            raise ConfigError(
                "stages: expected optional stages of different stride (else two architectures "
                f"are one network), got strides {optional}"
            )
        if any(stem % 8 or not stem for stem in self.stems):
            raise ConfigError(f"stems: expected multiples of 8, got {self.stems}")


_SMALL_MIXES: tuple[Mix, ...] = ((3,), (5,), (3, 5), (3, 5, 7))

PRESETS: dict[str, SpaceOptions] = {
    "imagenet": SpaceOptions(
        resolutions=(224, 192, 160, 128, 256),
        stems=(16, 24, 32),
        stem_stride=2,
        stages=(
            StageOptions(2, (16, 24, 32)),
            StageOptions(2, (24, 32, 40, 48)),
            StageOptions(2, (40, 48, 56, 64, 80, 96)),
            StageOptions(1, (56, 64, 80, 96, 112, 120, 128)),
            StageOptions(2, (80, 96, 120, 144, 160, 192)),
            StageOptions(1, (128, 144, 160, 200, 240, 320), depths=(0,)),
        ),
        heads=(960, 1280, 1536),
        num_classes=1000,
        in_channels=3,
    ),
    "cifar": SpaceOptions(
        resolutions=(32, 24, 40, 48),
        stems=(16, 24, 32),
        stem_stride=1,
        stages=(
            StageOptions(1, (16, 24, 32)),
            StageOptions(2, (24, 32, 40, 48)),
            StageOptions(2, (40, 48, 64, 80, 96)),
            StageOptions(1, (0, 64, 80, 96, 112)),
            StageOptions(2, (0, 80, 112, 160, 200), ir_kernels=_SMALL_MIXES),
        ),
        heads=(256, 512, 1280),
        num_classes=10,
        in_channels=3,
    ),
    # The size is halved at once: full-size maps would take most of the time for little accuracy.
    "tiny": SpaceOptions(
        resolutions=(8, 12, 16),
        stems=(8, 16, 24),
        stem_stride=1,
        stages=tuple(
            StageOptions(
                stride,
                widths,
                ir_kernels=((3,), (5,), (3, 5)),
                ir_expansions=(2, 3, 4),
                depths=depths,
                sp_kernels=(3, 5),
                sp_expansions=(2, 3, 4),
            )
            for stride, widths, depths in (
                (2, (8, 16, 24, 32), (0, 1)),
                (1, (0, 16, 24, 32, 40), (0, 1)),
                (2, (0, 24, 32, 48, 64), (0, 1, 2)),
            )
        ),
        heads=(16, 32, 64, 128),
        num_classes=10,
        in_channels=1,
        dropout=0.0,  # a few features, trained for a few epochs, allow no dropout
    ),
}


def preset_options(name: str) -> SpaceOptions:
    """Options of a preset. Raises `ConfigError` for a name not in `PRESETS`."""
    try:
        return PRESETS[name]
    except KeyError:
        raise ConfigError(f"preset {name!r}: expected one of {', '.join(PRESETS)}") from None
