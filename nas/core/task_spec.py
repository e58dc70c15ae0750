"""Channels, classes and image size of a data set: the single source of these numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nas.core.errors import ConfigError

Size = tuple[int, int]  # height, width


class Unset(int):
    """A default number, which the number of the data replaces."""


class UnsetSize(tuple[int, int]):
    """A default size (height, width), which the size of the data replaces."""


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """Channels, classes, and (height, width) in pixels of the images that enter the network.

    `image_size` is None where image sizes vary. Raises `ConfigError` for anything but whole numbers of at least 1.
    """

    in_channels: int
    num_classes: int
    image_size: Size | None = None

    def __post_init__(self) -> None:
        for name in ("in_channels", "num_classes"):
            value = getattr(self, name)
            if not _is_count(value):
                raise ConfigError(f"task: {name}: expected a whole number of at least 1, got {value!r}")
        if self.image_size is not None:
            object.__setattr__(self, "image_size", as_size("task: image_size", self.image_size))

    def __str__(self) -> str:
        size = "" if self.image_size is None else f", images of {size_text(self.image_size)} pixels"
        return f"{self.in_channels} channel{'s' * (self.in_channels != 1)}, {self.num_classes} classes{size}"

    def as_json(self) -> dict[str, Any]:
        """Plain values for the log of a run."""
        size = None if self.image_size is None else list(self.image_size)
        return {"in_channels": self.in_channels, "num_classes": self.num_classes, "image_size": size}

    @classmethod
    def from_json(cls, values: Mapping[str, Any] | None) -> TaskSpec | None:
        """The inverse of `as_json`; None for None. Raises `KeyError`, `TypeError` or `ConfigError` if damaged."""
        if values is None:
            return None
        size = values["image_size"]
        return cls(values["in_channels"], values["num_classes"], None if size is None else tuple(size))

    def count(self, setting: str, value: int) -> int:
        """The data's `in_channels` or `num_classes`, for a setting with this value.

        Raises `ConfigError` when the user set another number.
        """
        of_data: int = getattr(self, setting)
        if isinstance(value, Unset):
            return Unset(of_data)
        if value != of_data:
            raise ConfigError(_contradiction(setting, str(value), str(of_data)))
        return value

    def size(self, setting: str, value: int | Size) -> int | Size:
        """The data's image size, for a setting (side of a square in pixels, or height and width) with this value.

        A square is one number. Raises `ConfigError` when the user set another size.
        """
        if self.image_size is None:
            return value
        height, width = self.image_size
        if isinstance(value, (Unset, UnsetSize)):
            return Unset(height) if height == width else UnsetSize(self.image_size)
        if as_size(setting, value) != self.image_size:
            raise ConfigError(
                _contradiction(setting, size_text(as_size(setting, value)), size_text(self.image_size))
            )
        return value


def as_size(setting: str, value: Any) -> Size:
    """Height and width, from two numbers or the side of a square. Raises `ConfigError`."""
    both = (value, value) if _is_count(value) else value
    if not isinstance(both, (tuple, list)) or len(both) != 2 or not all(map(_is_count, both)):
        raise ConfigError(
            f"{setting}: expected a whole number of at least 1 (or two, height and width), got {value!r}"
        )
    return int(both[0]), int(both[1])


def size_text(size: Size) -> str:
    """A size for display, such as 24x32 (height x width)."""
    return f"{size[0]}x{size[1]}"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


_NAMED = {"in_channels": "channels", "num_classes": "classes"}


def _contradiction(setting: str, given: str, of_data: str) -> str:
    said = f"images of {of_data} pixels" if setting not in _NAMED else f"{of_data} {_NAMED[setting]}"
    return (
        f"space: {setting}: got {given}, but the data have {said}; remove {setting} (it then follows the data), or name "
        f"the data that it was meant for"
    )
