"""The MUXNet spaces as a config names them, one a preset."""

from __future__ import annotations

from search_spaces.muxnet.space import MUXNetSpace


def tiny(num_classes: int | None = None, in_channels: int | None = None) -> MUXNetSpace:
    """MUXNet for pictures of 8 to 16 pixels, about 1,000 to 200,000 parameters, such as the bundled digits."""
    return MUXNetSpace("tiny", num_classes=num_classes, in_channels=in_channels)


def cifar(num_classes: int | None = None, in_channels: int | None = None) -> MUXNetSpace:
    """MUXNet for pictures of 32 pixels, such as CIFAR-10."""
    return MUXNetSpace("cifar", num_classes=num_classes, in_channels=in_channels)


def imagenet(num_classes: int | None = None, in_channels: int | None = None) -> MUXNetSpace:
    """MUXNet for pictures of 224 pixels; the published networks are points of it."""
    return MUXNetSpace("imagenet", num_classes=num_classes, in_channels=in_channels)
