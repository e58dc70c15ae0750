"""A declared space: small vision transformers in plain PyTorch, with a forbidden combination."""

import torch
from torch import nn

import nas


class ViT(nn.Module):
    """Image patches as tokens, encoder layers, and a classifier of the mean token."""

    def __init__(self, c, num_classes, in_channels, image_size):
        super().__init__()
        tokens = (image_size[0] // c.patch) * (image_size[1] // c.patch)
        self.patches = nn.Conv2d(in_channels, c.width, c.patch, c.patch)
        self.positions = nn.Parameter(torch.randn(tokens, c.width) * 0.02)
        hidden = int(c.width * c.mlp_ratio)
        more = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": True}
        self.layers = nn.Sequential(
            *(nn.TransformerEncoderLayer(c.width, c.heads, hidden, **more) for _ in range(c.depth))
        )
        self.classifier = nn.Sequential(nn.LayerNorm(c.width), nn.Linear(c.width, num_classes))

    def forward(self, x):
        tokens = self.patches(x).flatten(2).transpose(1, 2) + self.positions
        return self.classifier(self.layers(tokens).mean(1))


space = nas.Space(
    "vits",
    patch=nas.Choice(4, 8, 16),
    depth=nas.Integer(1, 6),
    width=nas.Choice(32, 48, 64, 96),
    heads=nas.Choice(1, 2, 3, 4, 8),
    mlp_ratio=nas.Float(1, 4, levels=4),
)


def uneven_heads(c):
    """Whether the heads do not share the width equally, which attention needs."""
    return c.width % c.heads != 0


space.forbid(uneven_heads)


@space.build
def build(c, *, num_classes, in_channels, image_size):
    """The network of the choices; the data decide the classes, the channels and the image size."""
    return ViT(c, num_classes, in_channels, image_size)


if __name__ == "__main__":
    recipe = {"epochs": 10, "optimiser": "adamw", "lr": 1e-3, "weight_decay": 0.05}
    found = nas.search(
        space, ["error", "madds", "activations"], data="images", training={"recipe": recipe}, budget=60
    )
    print(found.front.to_string(index=False))
