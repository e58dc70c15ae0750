"""The networks that are shrunk: a ResNet and a MobileNetV2 for small images, written as a user would."""

from __future__ import annotations

from torch import Tensor, nn


def normed(inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution with batch norm."""
    conv = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outside))


class BasicBlock(nn.Module):
    """He et al. 2016, figure 2, with a projection where the shape changes."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = normed(inside, outside, 3, stride), normed(outside, outside, 3)
        plain = inside == outside and stride == 1
        self.shortcut = nn.Identity() if plain else normed(inside, outside, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) to (b, c', h', w')."""
        return (self.conv2(self.conv1(x).relu()) + self.shortcut(x)).relu()


class ResNet(nn.Module):
    """Three stages of two blocks: 14 layers."""

    def __init__(self, num_classes: int, in_channels: int, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Sequential(normed(in_channels, width, 3), nn.ReLU())
        widths = (width, width, 2 * width, 2 * width, 4 * width, 4 * width)
        strides = (1, 1, 2, 1, 2, 1)
        self.blocks = nn.Sequential(
            *(
                BasicBlock(a, b, stride)
                for a, b, stride in zip((width, *widths), widths, strides, strict=False)
            )
        )
        self.classifier = nn.Linear(widths[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) to (b, classes)."""
        return self.classifier(self.blocks(self.stem(x)).mean((2, 3)))


class InvertedResidual(nn.Module):
    """Sandler et al. 2018, figure 3b."""

    def __init__(self, inside: int, outside: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inside * expansion
        self.expand = normed(inside, hidden, 1) if expansion > 1 else nn.Identity()
        self.depthwise = normed(hidden, hidden, 3, stride, hidden)
        self.project = normed(hidden, outside, 1)
        self.residual = stride == 1 and inside == outside
        self.act = nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) to (b, c', h', w')."""
        y = self.expand(x)
        y = y if y is x else self.act(y)
        y = self.project(self.act(self.depthwise(y)))
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """Half the width of the published network, with strides for small images."""

    STAGES = ((1, 8, 1, 1), (6, 16, 2, 2), (6, 24, 2, 2), (6, 40, 3, 2), (6, 56, 1, 1))

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        width = 16
        self.stem = nn.Sequential(normed(in_channels, width, 3), nn.ReLU6())
        blocks = []
        for expansion, outside, count, stride in self.STAGES:
            for i in range(count):
                blocks.append(InvertedResidual(width, outside, stride if i == 0 else 1, expansion))
                width = outside
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(normed(width, 320, 1), nn.ReLU6())
        self.classifier = nn.Linear(320, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) to (b, classes)."""
        return self.classifier(self.head(self.blocks(self.stem(x))).mean((2, 3)))


NETWORKS = {"resnet": ResNet, "mobilenet": MobileNetV2}
