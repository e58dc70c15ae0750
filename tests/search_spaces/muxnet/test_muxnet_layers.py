"""The layers against slow index-by-index oracles, and the combinations that they refuse."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from nas.core.errors import ConfigError
from search_spaces.muxnet.layers import (
    DropConnect,
    MixedConv,
    SpatialMultiplexing,
    SqueezeExcite,
    channel_means,
    channel_shuffle,
    channel_to_space,
    space_to_channel,
)
from search_spaces.muxnet.spec import Activation


def slow_space_to_channel(x: Tensor) -> Tensor:
    b, c, h, w = x.shape
    out = torch.empty(b, 4 * c, h // 2, w // 2)
    for channel in range(c):
        for y in range(h // 2):
            for z in range(w // 2):
                for i in range(2):
                    for j in range(2):
                        out[:, (2 * i + j) * c + channel, y, z] = x[:, channel, 2 * y + i, 2 * z + j]
    return out


def slow_channel_to_space(x: Tensor) -> Tensor:
    b, c, h, w = x.shape
    out = torch.empty(b, c // 4, 2 * h, 2 * w)
    for source in range(c):
        block, channel = divmod(source, c // 4)
        i, j = divmod(block, 2)
        for y in range(h):
            for z in range(w):
                out[:, channel, 2 * y + i, 2 * z + j] = x[:, source, y, z]
    return out


def test_space_to_channel_is_block_major() -> None:
    x = torch.randn(2, 3, 4, 6)
    assert torch.equal(space_to_channel(x), slow_space_to_channel(x))
    assert not torch.equal(space_to_channel(x), functional.pixel_unshuffle(x, 2))


def test_channel_to_space_is_block_major() -> None:
    x = torch.randn(2, 12, 2, 3)
    assert torch.equal(channel_to_space(x), slow_channel_to_space(x))
    assert not torch.equal(channel_to_space(x), functional.pixel_shuffle(x, 2))


def test_the_two_directions_are_inverse_also_in_channels_last() -> None:
    x = torch.randn(2, 8, 6, 4).to(memory_format=torch.channels_last)
    assert torch.equal(channel_to_space(space_to_channel(x)), x)
    assert torch.equal(space_to_channel(channel_to_space(x)), x)


@pytest.mark.parametrize(
    "move", [space_to_channel, channel_to_space, lambda x: channel_shuffle(x, 4), channel_means]
)
def test_moves_keep_channels_last_and_give_the_same_values(move: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(2, 16, 6, 4)
    expected = move(x)
    for inside in (
        x.to(memory_format=torch.channels_last),
        torch.cat([x, x], 1).to(memory_format=torch.channels_last)[:, :16],
    ):
        found = move(inside)
        torch.testing.assert_close(found, expected)
        assert found.ndim == 2 or found.is_contiguous(memory_format=torch.channels_last)
    if expected.ndim == 4:
        assert expected.is_contiguous()


def test_eight_channels_in_two_groups_are_shuffled_to_0_4_1_5_2_6_3_7() -> None:
    x = torch.arange(8.0).reshape(1, 8, 1, 1)
    assert channel_shuffle(x, 2).flatten().tolist() == [0, 4, 1, 5, 2, 6, 3, 7]


def test_shuffle_in_three_groups_follows_its_formula() -> None:
    c, g = 12, 3
    x = torch.arange(float(c)).reshape(1, c, 1, 1)
    out = channel_shuffle(x, g).flatten()
    for i in range(c // g):
        for j in range(g):
            assert out[i * g + j] == j * (c // g) + i


def test_the_first_slice_of_a_mixed_convolution_takes_the_remainder() -> None:
    assert MixedConv(448, (3, 5, 7, 9, 11)).widths == (92, 89, 89, 89, 89)


def test_mixed_convolution_runs_each_kernel_on_its_slice_in_order() -> None:
    layer = MixedConv(10, (3, 5, 7), stride=2)
    x = torch.randn(1, 10, 9, 9)
    out = layer(x)
    first = 0
    for conv, width, kernel in zip(layer.convs, (4, 3, 3), (3, 5, 7), strict=True):
        part = slice(first, first + width)
        expected = functional.conv2d(x[:, part], conv.weight, stride=2, padding=kernel // 2, groups=width)
        torch.testing.assert_close(out[:, part], expected)
        first += width


def test_group_factor_two_pairs_adjacent_channels() -> None:
    layer = MixedConv(6, (3,), group=2)
    x = torch.zeros(1, 6, 3, 3)
    x[:, 2] = 1.0
    touched = layer(x).abs().sum((0, 2, 3)) > 0
    assert touched.tolist() == [False, False, True, True, False, False]


def slow_spatial_multiplexing(layer: SpatialMultiplexing, x: Tensor) -> Tensor:
    """Slice by slice with the slow rearrangements, one channel at a time."""
    parts, first = [], 0
    for sign, width, conv in zip(layer.scales, layer.widths, layer.convs, strict=True):
        part = x[:, first : first + width]
        first += width
        moved = slow_space_to_channel(part) if sign < 0 else slow_channel_to_space(part) if sign > 0 else part
        kernel = conv.weight.shape[-1]
        channels = [
            functional.conv2d(moved[:, c : c + 1], conv.weight[c : c + 1], padding=kernel // 2)
            for c in range(moved.shape[1])
        ]
        done = torch.cat(channels, 1)
        parts.append(
            slow_channel_to_space(done) if sign < 0 else slow_space_to_channel(done) if sign > 0 else done
        )
    return torch.cat(parts, 1)


@pytest.mark.parametrize("scales", [(-1, 0, 1), (0, 1), (-1, 1), (1, -1, 0), (-1, 0)])
@pytest.mark.parametrize("kernel", [3, 5])
def test_spatial_multiplexing_equals_the_slow_form(scales: tuple[int, ...], kernel: int) -> None:
    layer = SpatialMultiplexing(24, kernel, scales)
    x = torch.randn(2, 24, 6, 4)
    torch.testing.assert_close(layer(x), slow_spatial_multiplexing(layer, x))


def test_superpixel_has_four_times_and_subpixel_a_quarter_of_the_weights() -> None:
    layer = SpatialMultiplexing(48, 3, (-1, 0, 1))
    assert [c.weight.numel() for c in layer.convs] == [16 * 9 * 4, 16 * 9, 16 * 9 // 4]


def test_an_odd_size_under_a_superpixel_branch_is_refused_when_made() -> None:
    with pytest.raises(ConfigError, match="even, got 7"):
        SpatialMultiplexing(48, 3, (-1, 0, 1), size=7)


def test_an_odd_size_under_a_superpixel_branch_is_refused_when_run() -> None:
    layer = SpatialMultiplexing(48, 3, (-1, 0, 1))
    with pytest.raises(ConfigError, match="7x8"):
        layer(torch.zeros(1, 48, 7, 8))


def test_an_odd_size_is_fine_without_a_superpixel_branch() -> None:
    assert SpatialMultiplexing(16, 3, (0, 1), size=7)(torch.zeros(1, 16, 7, 7)).shape == (1, 16, 7, 7)


def test_a_subpixel_branch_width_that_4_does_not_divide_is_refused() -> None:
    with pytest.raises(ConfigError, match="divisible by 4, got 6"):
        SpatialMultiplexing(18, 3, (-1, 0, 1), size=8)


@pytest.mark.parametrize("scales", [(0,), (1, 1), (-1, -1, -1), ()])
def test_one_scale_only_is_refused(scales: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="at least two different signs"):
        SpatialMultiplexing(24, 3, scales, size=8)


def test_scales_other_than_signs_are_refused() -> None:
    with pytest.raises(ConfigError, match="each -1, 0 or 1"):
        SpatialMultiplexing(24, 3, (-4, 0), size=8)


def test_squeeze_excite_scales_each_channel_by_one_number() -> None:
    layer = SqueezeExcite(6, 2, Activation.RELU)
    x = torch.rand(2, 6, 3, 3) + 0.5
    ratio = layer(x) / x
    torch.testing.assert_close(ratio, ratio[:, :, :1, :1].expand_as(ratio))
    assert ((ratio > 0) & (ratio < 1)).all()


def test_drop_connect_drops_whole_images_in_training_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    layer = DropConnect(0.25)
    out = layer(torch.ones(4000, 1, 2, 2))
    assert sorted(set(out[:, 0, 0, 0].tolist())) == pytest.approx([0.0, 1 / 0.75])
    assert torch.equal(out[:, 0, 0, 0], out[:, 0, 1, 1])
    assert out.mean() == pytest.approx(1.0, abs=0.05)


def test_drop_connect_does_nothing_in_evaluation() -> None:
    x = torch.randn(3, 2, 2, 2)
    assert torch.equal(DropConnect(0.5).eval()(x), x)
