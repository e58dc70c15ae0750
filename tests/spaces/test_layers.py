"""The layers of a network of a declared space, for display."""

from __future__ import annotations

import pytest

import nas
from nas.core.space import has_blocks
from nas.core.task_spec import TaskSpec

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402


class Residual(nn.Module):
    """A layer used twice, a functional product, an auxiliary head that is used in training only."""

    training_only = ("auxiliary",)

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.twice = nn.Conv2d(width, width, 1)
        self.mix = nn.Parameter(torch.ones(width, width))
        self.auxiliary = nn.Linear(width, 2)
        self.head = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.twice(self.twice(self.stem(x))).mean((2, 3)) @ self.mix
        if self.training:
            self.auxiliary(x)
        return self.head(x)


def spaces() -> nas.Space:
    space = nas.Space("small", width=nas.Choice(4, 8))
    space.build(lambda c: Residual(c.width))
    return space


def test_layers_sum_to_the_costs() -> None:
    space = spaces().for_task(TaskSpec(3, 10, (6, 5)))
    architecture = space.parse("width=4")
    assert [(b.kind, b.text.split()[0], b.shape, b.params, b.madds) for b in space.blocks(architecture)] == [
        ("Conv2d", "stem", (4, 6, 5), 3 * 9 * 4 + 4, 3 * 9 * 4 * 30),
        ("Conv2d", "twice", (4, 6, 5), 20, 2 * 16 * 30),
        ("Linear", "head", (10,), 50, 40),
        ("network", "outside", (), 16, 16),
    ]


def test_a_space_with_its_own_costs_shows_no_layers() -> None:
    space = spaces()
    assert has_blocks(space)
    space.cost(lambda c: {"params": c.width, "madds": 0})
    assert not has_blocks(space)
