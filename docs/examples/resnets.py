"""A declared space: small ResNets, trained on a folder of images; one objective is custom."""

import torch
from torch import nn

import nas


class Block(nn.Module):
    """Two convolutions with a shortcut; `se` is the relative width of a squeeze-and-excitation (None: without)."""

    def __init__(self, inputs, outputs, kernel, se, activation):
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel, 2, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            activation(),
            nn.Conv2d(outputs, outputs, kernel, 1, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Conv2d(inputs, outputs, 1, 2, bias=False)
        squeezed = int(outputs * (se or 0))
        self.gate = se and nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(outputs, squeezed, 1),
            activation(),
            nn.Conv2d(squeezed, outputs, 1),
            nn.Sigmoid(),
        )
        self.activation = activation()

    def forward(self, x):
        y = self.convolutions(x)
        return self.activation(self.shortcut(x) + (y * self.gate(y) if self.gate else y))


class ResNet(nn.Module):
    """A stem, a block for each stage, and a linear classifier."""

    def __init__(self, c, num_classes, in_channels):
        super().__init__()
        activation = {"relu": nn.ReLU, "silu": nn.SiLU}[c.activation]
        widths = [c.width * 2**i for i in range(c.depth + 1)]
        self.stem = nn.Conv2d(in_channels, c.width, 3, 2, 1)
        self.blocks = nn.Sequential(
            *(
                Block(widths[i], widths[i + 1], stage.kernel, stage.se, activation)
                for i, stage in enumerate(c.stages)
            )
        )
        self.dropout = nn.Dropout(c.get("dropout", 0.0))
        self.classifier = nn.Linear(widths[-1], num_classes)

    def forward(self, x):
        return self.classifier(self.dropout(self.blocks(self.stem(x)).mean((2, 3))))


space = nas.Space(
    "resnets",
    depth=nas.Integer(1, 3),
    width=nas.Choice(16, 24, 32, 48),
    stages=nas.Repeat("depth", kernel=nas.Choice(3, 5), se=nas.Choice(None, 0.25)),
    activation=nas.Choice("relu", "silu"),
    dropout=nas.Float(0.0, 0.5, levels=6, when={"width": (32, 48)}),
)


@space.build
def build(c, *, num_classes, in_channels):
    """The network of the choices; the data decide the classes and channels."""
    return ResNet(c, num_classes, in_channels)


def peak_memory(c):
    """The largest input and output of a layer together, in kilobytes for an image of 32x32 pixels."""
    sizes, network = [], build(c, num_classes=10, in_channels=3).eval()
    for layer in network.modules():
        layer.register_forward_hook(lambda _, inputs, output: sizes.append(inputs[0].nbytes + output.nbytes))
    network(torch.zeros(1, 3, 32, 32))
    return max(sizes) / 1e3


if __name__ == "__main__":
    found = nas.search(space, ["error", "params", "madds", peak_memory], data="images", budget=60)
    print(found.front.to_string(index=False))
