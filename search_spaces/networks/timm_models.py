"""Networks of the package timm by name, `timm/NAME`, freshly initialised: for comparison, and as backbones. Nothing is downloaded."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.core.network_names import TIMM as PREFIX
from nas.core.records import Block

if TYPE_CHECKING:
    from torch import Tensor, nn

_INSTALL = "pip install 'multiobjective-nas[timm]'"
_PROBE = 64  # pixels: two at stride 32


@dataclass(frozen=True)
class TimmSpec:
    """A network of timm; `resolution` is the height and width, in pixels, of its images.

    `fixed`: whether it is built for images of one size, as a vision transformer is.
    """

    name: str
    resolution: int
    fixed: bool = False

    def __post_init__(self) -> None:
        if self.resolution < 1:
            raise ConfigError(f"{PREFIX}{self.name}: resolution: expected at least 1, got {self.resolution}")

    @property
    def label(self) -> str:
        """The full name."""
        return PREFIX + self.name

    def at(self, resolution: int) -> TimmSpec:
        """The same network for images of another size."""
        return replace(self, resolution=resolution)

    def rows(self, num_classes: int = 1000, in_channels: int = 3) -> list[Block]:
        """Its top-level modules, with exact parameters and MAdds. Raises `ConfigError` if it cannot be built or run at this size."""
        from nas.spaces.layers import layers

        shape = (in_channels, self.resolution, self.resolution)
        return layers(lambda: self.network(num_classes=num_classes, in_channels=in_channels), shape)

    def network(self, *, num_classes: int, in_channels: int, dropout: float = 0.0) -> nn.Module:
        """The classifier: (b, in_channels, h, w) to logits (b, num_classes). Raises `ConfigError` if timm cannot build it."""
        size = {"img_size": self.resolution} if self.fixed else {}
        sizes = {"num_classes": num_classes, "in_chans": in_channels, **size}
        return self._made({**sizes, "drop_rate": dropout}, sizes)

    def features(self, *, in_channels: int, strides: Sequence[int]) -> nn.Module:
        """The body: images to the maps at those of `strides` that it has, with `strides` and `widths`, as `FeatureExtractor`.

        Parameters have the names of the classifier's where timm keeps them. Raises `ConfigError` for a network that gives no such maps.
        """
        body: Any = self._made({"features_only": True, "in_chans": in_channels})
        found = list(body.feature_info.reduction())
        last = {stride: index for index, stride in enumerate(found) if stride in strides}
        if len(last) < 2:
            raise ConfigError(f"{self.label}: cannot serve as a backbone: its maps have the strides {found}")
        chosen = {"features_only": True, "in_chans": in_channels, "out_indices": tuple(last.values())}
        body = self._made(chosen)
        body.strides, body.widths = tuple(last), tuple(body.feature_info.channels())
        _check_maps(self.label, body, in_channels)
        return body  # type: ignore[no-any-return]

    def _made(self, *attempts: dict[str, Any]) -> nn.Module:
        """The network with the first of these arguments that it takes."""
        timm = timm_package(self.label)
        wrong: Exception | None = None
        for arguments in attempts:
            try:
                return timm.create_model(self.name, pretrained=False, **arguments)  # type: ignore[no-any-return]
            except TypeError as error:  # an argument that this network does not have
                wrong = error
            except Exception as error:  # no features, or a size that does not fit
                wrong = error
                break
        assert wrong is not None
        raise ConfigError(f"{self.label}: timm cannot build it ({_line(wrong)})") from None


def timm_spec(text: str) -> TimmSpec:
    """The network of `timm/NAME`, at its own resolution.

    Raises `ConfigError` where timm cannot be imported, and for a name that is not in `timm.list_models()`: weights by tag and models on a hub or
    in a folder are never loaded.
    """
    name = text.removeprefix(PREFIX)
    timm = timm_package(text)
    known = timm.list_models()
    if name not in known:
        advice = ""
        if name.partition(".")[0] in known:
            advice = f"; pretrained weights are not loaded: write {PREFIX}{name.partition('.')[0]}"
        raise ConfigError(
            f"network {text}: timm has no model {name!r}{advice or did_you_mean(name, known)}; timm.list_models() lists all"
        )
    described = timm.get_pretrained_cfg(name)
    sides = (224, 224) if described is None else described.input_size[-2:]
    return TimmSpec(name, max(sides), bool(described is not None and described.fixed_input_size))


def timm_package(text: str) -> Any:
    """timm. Raises `ConfigError` with the reason where it cannot be imported."""
    try:
        return import_module("timm")
    except ModuleNotFoundError as error:
        raise ConfigError(f"network {text}: needs the package timm ({error}): {_INSTALL}") from None
    except Exception as error:  # torchvision of another build raises more than ImportError
        raise ConfigError(
            f"network {text}: timm is installed, but cannot be imported ({_line(error)}); install a torchvision that fits torch"
        ) from None


def _check_maps(label: str, body: Any, in_channels: int) -> None:
    """Raise `ConfigError` unless a copy of the body gives maps of its strides and widths."""
    import torch

    wanted = [
        (1, width, _PROBE // s, _PROBE // s) for s, width in zip(body.strides, body.widths, strict=True)
    ]
    try:
        with torch.no_grad():
            maps: list[Tensor] = copy.deepcopy(body).eval()(torch.zeros(1, in_channels, _PROBE, _PROBE))
        found = [tuple(m.shape) for m in maps]
    except Exception as error:  # a transformer for images of one size
        raise ConfigError(f"{label}: cannot serve as a backbone ({_line(error)})") from None
    if found != wanted:
        raise ConfigError(f"{label}: cannot serve as a backbone: expected maps {wanted}, got {found}")


def _line(error: Exception) -> str:
    return (f"{type(error).__name__}: {error}".splitlines() or [""])[0][:200]
