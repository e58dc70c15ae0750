"""Rules of single operators: each cut in a small network computes what the original does with these channels at zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.pruning.structure import Structure
from tests.pruning.test_analysis import SMALL, Net, analysed, check_random_cuts, names


class With(nn.Module):
    """A convolution and code after it."""

    def __init__(self, after: Callable[[Tensor], Tensor], width: int = 16) -> None:
        super().__init__()
        self.conv, self.after = nn.Conv2d(16, width, 1), after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.conv(x))


def cuts(middle: nn.Module, width: int = 16) -> tuple[dict[str, int], Structure]:
    """The groups of a small network with `middle`, which makes `width` channels; random cuts of all are tried."""
    torch.manual_seed(0)
    network, structure = analysed(Net(middle, lambda m, x: m(x), width), SMALL)
    check_random_cuts(network, structure, SMALL)
    return names(structure), structure


def test_the_halves_of_a_gated_linear_unit_are_cut_together() -> None:
    found, _ = cuts(nn.Sequential(nn.Conv2d(16, 24, 1), nn.GLU(1)), 12)
    assert found == {"stem": 16, "middle.0": 12}


def test_a_channel_shuffle_keeps_its_groups() -> None:
    found, _ = cuts(nn.Sequential(nn.ChannelShuffle(4), nn.Conv2d(16, 16, 1)))
    assert found == {"stem": 4, "middle.1": 16}
    grouped = nn.Conv2d(16, 16, 3, padding=1, groups=2)
    found, _ = cuts(nn.Sequential(nn.Conv2d(16, 16, 1), nn.ChannelShuffle(2), grouped, nn.ChannelShuffle(8)))
    assert found == {"stem": 16, "middle.0": 4, "middle.2": 2}


SPATIAL: dict[str, Any] = {
    "max": lambda y: y.max(3).values.max(2, keepdim=True)[0][..., None],
    "min": lambda y: y.min(dim=2, keepdim=True).values,
    "median": lambda y: y.median(dim=-1, keepdim=True).values,
    "max of all": lambda y: y - y.max() + y.flatten(2).max(2)[0][:, :, None, None],
    "var": lambda y: y.var((2, 3), keepdim=True),
    "std": lambda y: y.std((2, 3))[:, :, None, None],
    "normalize": lambda y: functional.normalize(y.flatten(2), dim=2)[..., None],
}


@pytest.mark.parametrize("name", SPATIAL)
def test_reductions_over_positions_keep_the_channels_free(name: str) -> None:
    found, _ = cuts(With(SPATIAL[name]))
    assert found == {"stem": 16, "middle.conv": 16}


def test_several_results_of_one_reduction_are_followed() -> None:
    found, _ = cuts(With(lambda y: torch.cat(torch.var_mean(y, (2, 3), keepdim=True), 1)), 32)
    assert found == {"stem": 16, "middle.conv": 16}


def test_a_maximum_with_places_over_channels_is_left_alone_with_its_name() -> None:
    found, structure = cuts(With(lambda y: y.max(1, keepdim=True)[0] + torch.zeros(16, 1, 1)))
    assert found == {"stem": 16}
    assert structure.left_alone["middle.conv"] == "its channels must keep their number (for max in middle)"


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("tracked", [False, True])
def test_instance_norm(affine: bool, tracked: bool) -> None:
    norm = nn.InstanceNorm2d(16, affine=affine, track_running_stats=tracked)
    found, _ = cuts(nn.Sequential(nn.Conv2d(16, 16, 1), norm, nn.ReLU()))
    assert found == {"stem": 16, "middle.0": 16}


def test_local_response_norm_is_left_alone_with_the_reason() -> None:
    found, structure = cuts(nn.Sequential(nn.Conv2d(16, 16, 1), nn.LocalResponseNorm(3)))
    assert found == {"stem": 16}
    assert (
        structure.left_alone["middle.0"]
        == "its channels must keep their number (for constant_pad_nd in middle.1)"
    )


def test_repeated_channels_are_cut_with_those_that_they_repeat() -> None:
    found, _ = cuts(With(lambda y: y.repeat(1, 2, 1, 1)), 32)
    assert found == {"stem": 16, "middle.conv": 16}


@pytest.mark.parametrize(
    ("groups", "out", "stem"), [(8, 16, 8), (8, 32, 8), (4, 8, 4), (16, 32, 16), (2, 16, 8)]
)
@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_groups_of_convolutions_are_cut_as_units(kind: Any, groups: int, out: int, stem: int) -> None:
    found, structure = cuts(kind(16, out, 3, padding=1, groups=groups), out)
    assert found == ({"stem": stem} if groups > 2 else {"stem": stem, "middle": out // 2})
    assert set(structure.left_alone) == {"head"}
