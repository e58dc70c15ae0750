"""The plain MUXNet as a PyTorch module, and its body as a feature extractor."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from nas.core.errors import ConfigError
from search_spaces.muxnet.blocks import BLOCKS
from search_spaces.muxnet.layers import ACTIVATIONS, channel_means, conv, norm
from search_spaces.muxnet.spec import NetworkSpec, check_network, placed

FEATURE_STRIDES = (4, 8, 16, 32)


class Resize(nn.Module):
    """Resizes square images to the network's size; images of that size pass unchanged."""

    def __init__(self, resolution: int) -> None:
        super().__init__()
        self.resolution = resolution

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-2] == self.resolution and x.shape[-1] == self.resolution:
            return x
        size = (self.resolution, self.resolution)
        return functional.interpolate(x, size, mode="bilinear", align_corners=False, antialias=True)


class MUXNet(nn.Module):
    """Classifier: (b, in_channels, h, w) to logits (b, num_classes).

    Every convolution, linear and batch-norm layer is a separate module that runs once per forward; modules
    are registered in the order in which they run. With `resize`, images of another size than the
    specification's are resized first, so that the network has the cost of its specification.

    Raises `ConfigError` when the specification cannot be built (`check_network`) or a number is out of range.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.2,
        drop_connect: float = 0.0,
        resize: bool = False,
    ) -> None:
        super().__init__()
        check_network(spec)
        check_numbers(in_channels, dropout, drop_connect)
        self.spec = spec
        self.in_channels = in_channels
        self.resize = Resize(spec.resolution) if resize else nn.Identity()
        act = ACTIVATIONS[spec.act]
        self.conv_stem = conv(in_channels, spec.stem, 3, spec.stem_stride)
        self.bn1 = norm(spec.stem)
        self.act1 = _stem_end(spec)
        self.blocks = _blocks(spec, drop_connect)
        self.conv_head = conv(spec.blocks[-1].width, spec.head) if spec.head else nn.Identity()
        self.bn2 = norm(spec.head) if spec.head else nn.Identity()
        self.act2 = act() if spec.head else nn.Identity()
        self.neck = nn.Sequential(nn.Linear(spec.pooled, spec.neck), act()) if spec.neck else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(spec.features, checked_classes(num_classes))
        self.apply(initialise)

    @property
    def num_classes(self) -> int:
        return self.classifier.out_features

    def forward_features(self, x: Tensor) -> Tensor:
        """(b, in_channels, h, w) to the map that is pooled, (b, spec.pooled, h / 32, w / 32)."""
        x = self.act1(self.bn1(self.conv_stem(self.resize(x))))
        return self.act2(self.bn2(self.conv_head(self.blocks(x))))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        pooled = channel_means(self.forward_features(x))
        return self.classifier(self.dropout(self.neck(pooled)))  # type: ignore[no-any-return]

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the linear layer by a new one; all other weights stay."""
        old = self.classifier
        self.classifier = nn.Linear(self.spec.features, checked_classes(num_classes))
        initialise(self.classifier)
        self.classifier.to(device=old.weight.device, dtype=old.weight.dtype)


class MUXNetFeatures(nn.Module):
    """Body without head: (b, in_channels, h, w) to maps (b, widths[i], h / strides[i], w / strides[i]).

    A `FeatureExtractor` (search_spaces/networks/features.py). The map at a stride is the output of the last block at that
    stride, or of the stem without one. Parameters have the same names as in `MUXNet`. Raises `ConfigError` when the network has no map at one of `strides`.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        *,
        in_channels: int = 3,
        drop_connect: float = 0.0,
        strides: Sequence[int] = FEATURE_STRIDES,
    ) -> None:
        super().__init__()
        check_network(spec)
        check_numbers(in_channels, 0.0, drop_connect)
        stem = 2 * spec.stem_stride if spec.stem_pool else spec.stem_stride
        ends = {stem: (-1, spec.stem)} | {p.stride: (p.index, p.block.width) for p in placed(spec)}
        missing = [s for s in strides if s not in ends]
        if missing:
            raise ConfigError(f"strides: expected some of {sorted(ends)}, got {missing}")
        self.spec = spec
        self.strides = tuple(sorted(strides))
        self.widths = tuple(ends[s][1] for s in self.strides)
        self._ends = frozenset(ends[s][0] for s in self.strides)
        self.conv_stem = conv(in_channels, spec.stem, 3, spec.stem_stride)
        self.bn1 = norm(spec.stem)
        self.act1 = _stem_end(spec)
        self.blocks = _blocks(spec, drop_connect)
        self.apply(initialise)

    def steps(self) -> list[tuple[nn.Module, int]]:
        """Stem and blocks in the order in which they run, each with the stride of the map that leaves it."""
        stem = self.spec.stem_stride
        after = 2 * stem if self.spec.stem_pool else stem
        blocks = zip(self.blocks, (place.stride for place in placed(self.spec)), strict=True)
        return [(self.conv_stem, stem), (self.act1, after), *blocks]

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.act1(self.bn1(self.conv_stem(x)))
        maps = [x] if -1 in self._ends else []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self._ends:
                maps.append(x)
        return maps


def features_of(spec: NetworkSpec, in_channels: int = 3, drop_connect: float = 0.0) -> MUXNetFeatures:
    """The body with a map for each of its strides from 4 on; the last alone where all are finer."""
    strides = sorted({place.stride for place in placed(spec)})
    wanted = [s for s in strides if s >= FEATURE_STRIDES[0]] or strides[-1:]
    return MUXNetFeatures(spec, in_channels=in_channels, drop_connect=drop_connect, strides=wanted)


def initialise(module: nn.Module) -> None:
    """The authors': conv normal with std sqrt(2 / (k*k*out)), linear uniform +-1/sqrt(classes), biases 0."""
    if isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
        nn.init.normal_(module.weight, 0.0, math.sqrt(2.0 / fan_out))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        bound = 1.0 / math.sqrt(module.out_features)
        nn.init.uniform_(module.weight, -bound, bound)
        nn.init.zeros_(module.bias)


def _stem_end(spec: NetworkSpec) -> nn.Module:
    """The layers after the stem's batch norm."""
    act = ACTIVATIONS[spec.act]()
    return nn.Sequential(act, nn.MaxPool2d(3, 2, 1)) if spec.stem_pool else act


def _blocks(spec: NetworkSpec, drop_connect: float) -> nn.Sequential:
    """The blocks; drop-connect rises linearly over them (rate * index / count)."""
    count = len(spec.blocks)
    return nn.Sequential(*(BLOCKS[p.block.kind](p, drop_connect * p.index / count) for p in placed(spec)))


def check_numbers(in_channels: int, dropout: float, drop_connect: float) -> None:
    """Raise `ConfigError` for numbers out of range."""
    if in_channels < 1:
        raise ConfigError(f"in_channels: expected at least 1, got {in_channels}")
    for name, value in (("dropout", dropout), ("drop_connect", drop_connect)):
        if not 0 <= value < 1:
            raise ConfigError(f"{name}: expected a probability from 0 up to 1 (not included), got {value}")


def checked_classes(num_classes: int) -> int:
    """`num_classes`, at least 1; else `ConfigError`."""
    if num_classes < 1:
        raise ConfigError(f"num_classes: expected at least 1, got {num_classes}")
    return num_classes
