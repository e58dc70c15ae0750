"""Every network that has a name: MUXNet's four, and the published ones that they are compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nas.core.checks import check_known
from nas.core.errors import ConfigError
from nas.core.network_names import TIMM as PREFIX
from nas.core.records import Block
from search_spaces.muxnet.description import describe
from search_spaces.muxnet.models import LISTED_MODELS, MODELS
from search_spaces.muxnet.spec import NetworkSpec
from search_spaces.muxnet.text import parse_spec
from search_spaces.networks.mobile import MOBILE
from search_spaces.networks.resnet import ResNetSpec
from search_spaces.networks.timm_models import TimmSpec, timm_spec
from search_spaces.networks.vgg import VGGSpec

if TYPE_CHECKING:
    from torch import nn

    from search_spaces.networks.features import FeatureExtractor
    from search_spaces.networks.plain import ResNetFeatures, VGGFeatures

PlainSpec = ResNetSpec | VGGSpec | TimmSpec
AnySpec = NetworkSpec | PlainSpec

NETWORKS: dict[str, AnySpec] = {**MODELS, **MOBILE, "resnet18": ResNetSpec(), "vgg16": VGGSpec()}

LISTED_NETWORKS: dict[str, str] = {
    **LISTED_MODELS,
    "mobilenet_v1": "4.2M parameters, 569M MAdds at 224; Howard et al. 2017",
    "mobilenet_v2_050": "2.0M parameters, 97M MAdds at 224; half width, Sandler et al. 2018",
    "mobilenet_v2": "3.5M parameters, 301M MAdds at 224; Sandler et al. 2018",
    "mobilenet_v3_small": "2.5M parameters, 57M MAdds at 224; Howard et al. 2019",
    "mobilenet_v3_large": "5.5M parameters, 217M MAdds at 224; Howard et al. 2019",
    "shufflenet_v2": "2.3M parameters, 145M MAdds at 224; Ma et al. 2018",
    "shufflenet_v2_200": "7.4M parameters, 583M MAdds at 224; double width, Ma et al. 2018",
    "mnasnet_a1": "3.9M parameters, 312M MAdds at 224; Tan et al. 2019",
    "fbnet_c": "5.6M parameters, 385M MAdds at 224; Wu et al. 2019",
    "efficientnet_b0": "5.3M parameters, 386M MAdds at 224; Tan and Le 2019",
    "mixnet_m": "5.0M parameters, 339M MAdds at 224; Tan and Le 2019",
    "resnet18": "11.7M parameters, 1,814M MAdds at 224; He et al. 2016",
    "vgg16": "138.4M parameters, 15,470M MAdds at 224; Simonyan and Zisserman 2015",
}

_STRIDES = (4, 8, 16, 32)


def network_named(name: str) -> AnySpec:
    """Specification of a network in `NETWORKS`, at 224 pixels, or of `timm/NAME`, at its own. Raises `ConfigError` for another name."""
    if name.startswith(PREFIX):
        return timm_spec(name)
    check_known("network", name, NETWORKS)
    return NETWORKS[name]


def rows_of(spec: AnySpec, num_classes: int = 1000, in_channels: int = 3) -> list[Block]:
    """The network block by block, with exact parameters and MAdds. Raises `ConfigError` if it cannot be built."""
    if isinstance(spec, NetworkSpec):
        return describe(spec, num_classes=num_classes, in_channels=in_channels)
    return spec.rows(num_classes, in_channels)


def create_network(
    name: str,
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    resolution: int = 224,
    dropout: float = 0.2,
    drop_connect: float = 0.0,
) -> nn.Module:
    """A named network, plain and freshly initialised, in training mode: images to logits (b, num_classes).

    Has `num_classes`, `in_channels`, `spec` and a last linear layer `classifier`. `drop_connect` is for those
    that have residual blocks of MUXNet's kind; the others ignore it. Raises `ConfigError` for an unknown name, a
    number out of range or a resolution that does not fit.
    """
    from search_spaces.muxnet.network import MUXNet

    spec = network_named(name).at(resolution)
    if not isinstance(spec, NetworkSpec):
        return build_plain(spec, num_classes=num_classes, in_channels=in_channels, dropout=dropout)
    return MUXNet(
        spec, num_classes=num_classes, in_channels=in_channels, dropout=dropout, drop_connect=drop_connect
    )


def network_builder(text: str, image_size: tuple[int, int] | None = None) -> Callable[..., nn.Module]:
    """A function of `num_classes` and `in_channels` that builds a network by its name or its MUXNet text, without dropout.

    A named network is built for images of this size (None: 224), which must be square; a MUXNet by its text resizes images of
    another size to its own. Raises `ConfigError` for an unknown name, and for images that are not square.
    """
    side = 224 if image_size is None else image_size[0]
    if image_size is not None and image_size[0] != image_size[1]:
        raise ConfigError(f"network {text}: expected square images, got {image_size[0]}x{image_size[1]}")
    described = "/" in text and not text.startswith(PREFIX)
    spec = parse_spec(text) if described else network_named(text).at(side)

    def build(*, num_classes: int, in_channels: int) -> nn.Module:
        resize = isinstance(spec, NetworkSpec) and spec.resolution != side
        return build_of(spec, num_classes=num_classes, in_channels=in_channels, resize=resize)

    return build


def build_of(spec: AnySpec, *, num_classes: int, in_channels: int, resize: bool = False) -> nn.Module:
    """The network of a specification, freshly initialised, without dropout; with `resize` a MUXNet resizes its images."""
    sizes = {"num_classes": num_classes, "in_channels": in_channels}
    if not isinstance(spec, NetworkSpec):
        return build_plain(spec, dropout=0.0, **sizes)
    from search_spaces.muxnet.network import MUXNet

    return MUXNet(spec, dropout=0.0, resize=resize, **sizes)


def build_plain(spec: PlainSpec, *, num_classes: int, in_channels: int, dropout: float) -> nn.Module:
    """A network without MUXNet's blocks, freshly initialised."""
    from search_spaces.networks.plain import VGG, ResNet

    sizes = {"num_classes": num_classes, "in_channels": in_channels}
    if isinstance(spec, TimmSpec):
        return spec.network(dropout=dropout, **sizes)
    if isinstance(spec, ResNetSpec):
        return ResNet(spec, dropout=dropout, **sizes)
    return VGG(spec, dropout=dropout, **sizes)


def plain_features(
    spec: PlainSpec, *, in_channels: int, strides: Sequence[int] = _STRIDES
) -> ResNetFeatures | VGGFeatures | nn.Module:
    """The body of such a network alone."""
    if isinstance(spec, TimmSpec):
        return spec.features(in_channels=in_channels, strides=strides)
    from search_spaces.networks.plain import ResNetFeatures, VGGFeatures

    if isinstance(spec, ResNetSpec):
        return ResNetFeatures(spec, in_channels=in_channels, strides=strides)
    return VGGFeatures(spec, in_channels=in_channels, strides=strides)


def create_features(
    name: str,
    in_channels: int = 3,
    *,
    resolution: int = 224,
    drop_connect: float = 0.0,
    strides: Sequence[int] = _STRIDES,
    output_stride: int = 32,
) -> FeatureExtractor:
    """The body of a named network, without head and classifier: images to maps, see `FeatureExtractor`.

    From `output_stride` on (8 or 16) the maps keep their size, by dilation in place of stride (`dilate`). Raises
    `ConfigError` as `create_network` does, and for strides at which the network has no map.
    """
    from search_spaces.muxnet.network import MUXNetFeatures
    from search_spaces.networks.features import dilate

    spec = network_named(name).at(resolution)
    body: Any
    if isinstance(spec, NetworkSpec):
        body = MUXNetFeatures(spec, in_channels=in_channels, drop_connect=drop_connect, strides=strides)
    else:
        body = plain_features(spec, in_channels=in_channels, strides=strides)
    if output_stride != 32:
        if isinstance(spec, TimmSpec):
            raise ConfigError(
                f"{name}: output_stride: expected 32 for a network of timm, got {output_stride}"
            )
        dilate(body, output_stride)
    return body  # type: ignore[no-any-return]


def fuse_network(network: nn.Module) -> nn.Module:
    """A fast copy of a trained named network for inference, with the same outputs to rounding.

    Networks of MUXNet's blocks by `search_spaces.muxnet.fuse`, the others with batch norm folded, in channels_last.
    """
    import torch

    from search_spaces.muxnet.folding import fold_batch_norms
    from search_spaces.muxnet.fusion import fuse
    from search_spaces.muxnet.network import MUXNet

    if isinstance(network, MUXNet):
        return fuse(network)
    return fold_batch_norms(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
