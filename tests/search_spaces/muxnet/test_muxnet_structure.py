"""The summary: its numbers are those of the network, one row for each architecture, the same for equal networks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nas.core.records import Architecture
from search_spaces.muxnet import PRESETS, MUXNetSpace
from search_spaces.muxnet.spec import BlockKind, placed
from surrogates.candidates import default_candidates

SPACES = {name: MUXNetSpace(name) for name in PRESETS}
BLOCKS, IR, SP, BARE, STEM, LAST, HEAD, WIDTH, HIDDEN, KERNEL, LARGEST, DS_SE, SE = range(13)
SUPERPIXELS, SUBPIXELS, LEFT_OUT, GROUP, FIELD, SIDE, SHARE = range(13, 20)
FIRST_MADDS = 20


def drawn(space: MUXNetSpace, n: int, seed: int = 0) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(n)]


def summary(space: MUXNetSpace, architectures: list[Architecture]) -> np.ndarray:
    return space.encodings["summary"](architectures)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_numbers_are_those_of_the_specification(preset: str) -> None:
    space = SPACES[preset]
    architectures = drawn(space, 40)
    for architecture, row in zip(architectures, summary(space, architectures), strict=True):
        spec = space.spec(architecture)
        blocks = [p for p in placed(spec) if p.block.kind is not BlockKind.DS]
        sps = [p.block for p in blocks if p.block.kind is BlockKind.SP]
        kernels = [max(p.block.kernels) for p in blocks]
        assert row[[BLOCKS, IR, SP]].tolist() == [len(blocks), len(blocks) - len(sps), len(sps)]
        assert row[BARE] == sum(not p.block.has_residual(p.in_width) for p in blocks)
        assert np.exp(row[[STEM, LAST]]) == pytest.approx([spec.stem, spec.blocks[-1].width])
        assert np.expm1(row[HEAD]) == pytest.approx(spec.head)
        assert row[WIDTH] == pytest.approx(np.mean([math.log(p.block.width) for p in blocks]))
        assert row[[KERNEL, LARGEST]] == pytest.approx([np.mean(kernels), max(3, *kernels)])
        assert row[[DS_SE, SE]].tolist() == [spec.blocks[0].se, blocks[0].block.se]
        signs = [[b.scales.count(s) / len(b.scales) if b.scales else 0 for b in sps] for s in (-1, 1)]
        assert row[[SUPERPIXELS, SUBPIXELS]] == pytest.approx([sum(shares) for shares in signs])
        assert row[LEFT_OUT] == pytest.approx(sum(1 - b.split for b in sps))
        assert row[GROUP] == pytest.approx(sum(math.log(b.group) for b in sps))
        assert np.exp(row[SIDE]) == pytest.approx(blocks[-1].out_size)
        assert np.exp(row[FIELD]) == pytest.approx(receptive_field(space, architecture))


def receptive_field(space: MUXNetSpace, architecture: Architecture) -> int:
    spec = space.spec(architecture)
    layers = [(3, spec.stem_stride), *((max(p.block.kernels), p.block.stride) for p in placed(spec))]
    field = 1
    for kernel, stride in reversed(layers):
        field = (field - 1) * stride + kernel
    return field


@pytest.mark.parametrize("preset", PRESETS)
def test_multiply_adds_and_blocks_by_size_sum_to_those_of_the_network(preset: str) -> None:
    space = SPACES[preset]
    architectures = drawn(space, 40)
    for architecture, row in zip(architectures, summary(space, architectures), strict=True):
        madds, blocks = np.split(row[FIRST_MADDS:], 2)
        shown = [b for b in space.blocks(architecture) if b.kind in ("ir", "sp")]
        by_side: dict[int, list[int]] = {}
        for block in shown:
            by_side.setdefault(block.shape[1], []).append(block.madds)
        assert np.expm1(madds[madds > 0]) == pytest.approx([sum(m) for m in by_side.values()])
        assert blocks[blocks > 0].tolist() == [len(m) for m in by_side.values()]
        assert row[SHARE] == pytest.approx(np.expm1(madds).max() / np.expm1(madds).sum())


@pytest.mark.parametrize("preset", PRESETS)
def test_rows_are_finite_and_those_of_the_canonical_network(preset: str) -> None:
    space = SPACES[preset]
    rng = np.random.default_rng(1)
    raw = [Architecture(space.name, tuple(rng.integers(0, space.cardinalities).tolist())) for _ in range(50)]
    rows = summary(space, raw)
    assert np.isfinite(rows).all()
    np.testing.assert_array_equal(rows, summary(space, [space.canonical(a) for a in raw]))
    assert summary(space, []).shape == (0, rows.shape[1])


def test_surrogates_use_the_summary() -> None:
    assert {"gp-summary", "gp-genes-summary"} <= default_candidates(SPACES["cifar"]).keys()
