"""The MUXNet spaces for configs, one a preset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nas.core.errors import ConfigError
from search_spaces.muxnet.presets import preset_options
from search_spaces.muxnet.space import MUXNetSpace

Sizes = Sequence[int] | None


def tiny(
    num_classes: int | None = None, in_channels: int | None = None, resolutions: Sizes = None
) -> MUXNetSpace:
    """MUXNet for images of 8 to 16 pixels, about 1,000 to 200,000 parameters, such as the bundled digits."""
    return _space("tiny", num_classes, in_channels, resolutions)


def cifar(
    num_classes: int | None = None, in_channels: int | None = None, resolutions: Sizes = None
) -> MUXNetSpace:
    """MUXNet for images of 32 pixels, such as CIFAR-10."""
    return _space("cifar", num_classes, in_channels, resolutions)


def imagenet(
    num_classes: int | None = None, in_channels: int | None = None, resolutions: Sizes = None
) -> MUXNetSpace:
    """MUXNet for images of 224 pixels; the published networks are points of it."""
    return _space("imagenet", num_classes, in_channels, resolutions)


def _space(preset: str, num_classes: int | None, in_channels: int | None, resolutions: Sizes) -> MUXNetSpace:
    """The preset's space, with only some of its `resolutions` (None: all). Raises `ConfigError` for others."""
    options = preset_options(preset)
    if resolutions is not None:
        if (
            not resolutions
            or len(set(resolutions)) < len(resolutions)
            or set(resolutions) - {*options.resolutions}
        ):
            raise ConfigError(
                f"resolutions: expected some of {', '.join(map(str, options.resolutions))}, each once, "
                f"got {resolutions}"
            )
        options = replace(options, resolutions=tuple(resolutions))
    return MUXNetSpace(preset, num_classes=num_classes, in_channels=in_channels, options=options)
