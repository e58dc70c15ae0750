"""A network that says the class of every pixel: a dilated backbone with a head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.errors import ConfigError, DataError
from nas.tasks.dilation import dilated
from nas.tasks.segmentation.cost import padded
from nas.tasks.segmentation.heads import C1, HEADS, resized
from nas.tasks.segmentation.settings import HeadSettings

_BACKBONE = "backbone."


class SegmentationNetwork(nn.Module):
    """Pictures (b, in_channels, h, w) of any size to logits (b, num_classes, h, w), in evaluation.

    In training with an auxiliary head (deep supervision) a pair of logits: the second is of an auxiliary head on the map before the
    last. Sizes that the strides do not divide are padded at the right and the bottom, and the logits cut. `backbone`
    gives maps (`nas.tasks.dilation.Features`) and is copied.

    Raises `ConfigError` where the backbone cannot be dilated, or has one map alone and an auxiliary head is asked for.
    """

    def __init__(
        self, backbone: nn.Module, settings: HeadSettings, *, num_classes: int, in_channels: int = 3
    ) -> None:
        super().__init__()
        if num_classes < 2:
            raise ConfigError(f"num_classes: expected at least 2, got {num_classes}")
        self.settings = settings
        self.num_classes = num_classes
        self.in_channels = in_channels
        body: Any = dilated(backbone, settings.output_stride, in_channels)
        self.backbone: nn.Module = body
        widths = tuple(body.widths)
        self.head = HEADS[settings.name](widths[-1], num_classes, settings.width)
        self.auxiliary: nn.Module | None = None
        if settings.auxiliary:
            if len(widths) < 2:
                raise ConfigError("head: auxiliary: expected a backbone of at least two maps, got one")
            self.auxiliary = C1(widths[-2], num_classes, settings.width)
        for module in (self.head, self.auxiliary):
            if module is not None:
                module.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        height, width = x.shape[-2:]
        size = padded((height, width), self.settings.output_stride)
        maps = self.backbone(functional.pad(x, (0, size[1] - width, 0, size[0] - height)))
        logits = resized(self.head(maps[-1]).float(), size)[..., :height, :width]
        if self.auxiliary is None or not self.training:
            return logits
        return logits, resized(self.auxiliary(maps[-2]).float(), size)[..., :height, :width]


def _initialise(module: nn.Module) -> None:
    """He et al. 2015 for convolutions, biases 0."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def starting_from(
    build: Callable[..., nn.Module], state: Mapping[str, Tensor], where: str, tell: Callable[[str], None]
) -> Callable[..., SegmentationNetwork]:
    """The same builder, whose networks begin with these weights; tells where the heads begin anew.

    The weights are of a segmentation network (heads that do not fit are left out), or of a classifier, whose body is
    taken. `where` is what they are called in errors.
    """

    def begun(**sizes: Any) -> SegmentationNetwork:
        network = build(**sizes)
        assert isinstance(network, SegmentationNetwork)
        whole = any(name.startswith(_BACKBONE) for name in state)
        body = {
            n.removeprefix(_BACKBONE): t for n, t in state.items() if n.startswith(_BACKBONE) or not whole
        }
        put_backbone(network, body, where)
        ours = network.state_dict()
        heads = {n: t for n, t in ours.items() if not n.startswith(_BACKBONE)}
        if whole and all(n in state and state[n].shape == t.shape for n, t in heads.items()):
            network.load_state_dict({n: state[n] for n in ours})
        else:
            tell(f"the heads begin anew: the weights in {where} have none for these classes")
        return network

    return begun


def put_backbone(network: SegmentationNetwork, state: Mapping[str, Tensor], where: str) -> None:
    """Load the backbone's tensors from those of a classifier or a feature extractor; others are left out.

    Raises `DataError` naming the first tensor that is missing or of another shape.
    """
    ours = network.backbone.state_dict()
    for name, tensor in ours.items():
        if name not in state or state[name].shape != tensor.shape:
            got = tuple(state[name].shape) if name in state else "nothing"
            raise DataError(
                f"weights {where}: tensor {name}: expected shape {tuple(tensor.shape)}, got {got}: they are of "
                f"another backbone"
            )
    with torch.no_grad():
        network.backbone.load_state_dict({name: state[name] for name in ours})
