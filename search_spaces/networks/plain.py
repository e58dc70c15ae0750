"""ResNet and VGG as PyTorch modules, and their bodies as feature extractors."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from search_spaces.muxnet.layers import conv, norm
from search_spaces.muxnet.network import check_numbers, checked_classes
from search_spaces.networks.features import FEATURE_STRIDES, Step, ends
from search_spaces.networks.resnet import ResNetSpec
from search_spaces.networks.vgg import POOLED, VGGSpec


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, and the input, through a 1x1 where the shape changes, added before the last ReLU."""

    def __init__(self, in_width: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv(in_width, width, 3, stride)
        self.bn1 = norm(width)
        self.act1 = nn.ReLU(inplace=True)
        self.conv2 = conv(width, width, 3)
        self.bn2 = norm(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_width != width:
            self.shortcut = nn.Sequential(conv(in_width, width, 1, stride), norm(width))
        self.act2 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.bn2(self.conv2(self.act1(self.bn1(self.conv1(x)))))
        return self.act2(y + self.shortcut(x))  # type: ignore[no-any-return]


class ResNet(nn.Module):
    """Classifier: (b, in_channels, h, w) to logits (b, num_classes). Raises `ConfigError` for numbers out of range."""

    def __init__(
        self, spec: ResNetSpec, *, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.0
    ) -> None:
        super().__init__()
        check_numbers(in_channels, dropout, 0.0)
        self.spec = spec
        self.in_channels = in_channels
        self.stem = _resnet_stem(spec, in_channels)
        self.blocks = nn.Sequential(*(BasicBlock(*block) for block in spec.blocks()))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(spec.widths[-1], checked_classes(num_classes))
        self.apply(initialise)

    @property
    def num_classes(self) -> int:
        return self.classifier.out_features

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.blocks(self.stem(x)).mean((2, 3))
        return self.classifier(self.dropout(pooled))  # type: ignore[no-any-return]


class ResNetFeatures(nn.Module):
    """Body: maps at `strides`, each the output of the last block at that stride. Raises `ConfigError`."""

    def __init__(
        self, spec: ResNetSpec, *, in_channels: int = 3, strides: Sequence[int] = FEATURE_STRIDES
    ) -> None:
        super().__init__()
        check_numbers(in_channels, 0.0, 0.0)
        self.spec = spec
        self.stem = _resnet_stem(spec, in_channels)
        self.blocks = nn.Sequential(*(BasicBlock(*block) for block in spec.blocks()))
        self.apply(initialise)
        last = ends([stride for _, stride in self.steps()[1:]], strides)
        self.strides = tuple(last)
        self.widths = tuple(list(spec.blocks())[i][1] for i in last.values())
        self._ends = frozenset(last.values())

    def steps(self) -> list[Step]:
        """The stem and the blocks, each with the stride of the map that leaves it."""
        stride = 1 if self.spec.small else 4
        found: list[Step] = [(self.stem, stride)]
        for block, (_, _, own) in zip(self.blocks, self.spec.blocks(), strict=True):
            stride *= own
            found.append((block, stride))
        return found

    def forward(self, x: Tensor) -> list[Tensor]:
        return _maps(self.blocks, self.stem(x), self._ends)


class VGG(nn.Module):
    """Classifier: (b, in_channels, h, w) to logits (b, num_classes); the last map is averaged to 7x7.

    Raises `ConfigError` for numbers out of range.
    """

    def __init__(
        self, spec: VGGSpec, *, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5
    ) -> None:
        super().__init__()
        check_numbers(in_channels, dropout, 0.0)
        self.spec = spec
        self.in_channels = in_channels
        self.blocks = _vgg_blocks(spec, in_channels)
        self.hidden = nn.Sequential(
            nn.Linear(spec.widths[-1] * POOLED * POOLED, spec.hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(spec.hidden, spec.hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
        )
        self.classifier = nn.Linear(spec.hidden, checked_classes(num_classes))
        self.apply(initialise)

    @property
    def num_classes(self) -> int:
        return self.classifier.out_features

    def forward(self, x: Tensor) -> Tensor:
        pooled = functional.adaptive_avg_pool2d(self.blocks(x), POOLED).flatten(1)
        return self.classifier(self.hidden(pooled))  # type: ignore[no-any-return]


class VGGFeatures(nn.Module):
    """Body: maps at `strides`, each the output of the last layer at that stride: at 8 conv4_3, at 16 conv5_3, at 32
    the last pooling. Raises `ConfigError`."""

    def __init__(
        self, spec: VGGSpec, *, in_channels: int = 3, strides: Sequence[int] = FEATURE_STRIDES
    ) -> None:
        super().__init__()
        check_numbers(in_channels, 0.0, 0.0)
        self.spec = spec
        self.blocks = _vgg_blocks(spec, in_channels)
        self.apply(initialise)
        last = ends([stride for _, stride in self.steps()], strides)
        leaving = [spec.widths[min(stage, len(spec.widths) - 1)] for stage in _stages(spec)]
        self.strides = tuple(last)
        self.widths = tuple(leaving[i] for i in last.values())
        self._ends = frozenset(last.values())

    def steps(self) -> list[Step]:
        """Convolutions and poolings, each with the stride of the map that leaves it."""
        return [(block, 2**stage) for block, stage in zip(self.blocks, _stages(self.spec), strict=True)]

    def forward(self, x: Tensor) -> list[Tensor]:
        return _maps(self.blocks, x, self._ends)


def initialise(module: nn.Module) -> None:
    """He et al.'s for convolutions (fan out), normal with std 0.01 for linear layers, biases 0."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.01)
    if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
        nn.init.zeros_(module.bias)


def _resnet_stem(spec: ResNetSpec, in_channels: int) -> nn.Sequential:
    width = spec.widths[0]
    if spec.small:
        return nn.Sequential(conv(in_channels, width, 3), norm(width), nn.ReLU(inplace=True))
    return nn.Sequential(
        conv(in_channels, width, 7, 2), norm(width), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
    )


def _vgg_blocks(spec: VGGSpec, in_channels: int) -> nn.Sequential:
    blocks: list[nn.Module] = []
    for width, depth in zip(spec.widths, spec.depths, strict=True):
        for _ in range(depth):
            blocks.append(nn.Sequential(conv(in_channels, width, 3, bias=True), nn.ReLU()))
            in_channels = width
        blocks.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*blocks)


def _stages(spec: VGGSpec) -> list[int]:
    """Number of halvings of the map after each of the blocks."""
    return [stage + (index == depth) for stage, depth in enumerate(spec.depths) for index in range(depth + 1)]


def _maps(blocks: nn.Sequential, x: Tensor, wanted: frozenset[int]) -> list[Tensor]:
    maps = []
    for index, block in enumerate(blocks):
        x = block(x)
        if index in wanted:
            maps.append(x)
    return maps
