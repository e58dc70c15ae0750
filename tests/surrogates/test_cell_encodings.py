"""Claims of the structural encodings of the cell spaces: equal for equal functions, right counts."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from nas.core.records import Architecture
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench101 import structure as structure101
from search_spaces.nasbench201 import NASBench201
from search_spaces.nasbench201 import structure as structure201

EDGES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))
ORDER_FREE = ("paths", "summary", "structure")


def cells201(*texts: str) -> list[Architecture]:
    return [NASBench201().parse(text) for text in texts]


def cells101(n: int, seed: int) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    return [NASBench101().sample(rng) for _ in range(n)]


def walk201(genes: tuple[int, ...], node: int = 0) -> list[tuple[int, ...]]:
    """Operation sequences from a node to the output by recursion, skips left out."""
    if node == 3:
        return [()]
    found = []
    for (end, start), operation in zip(EDGES, genes, strict=True):
        if start == node and operation != 0:
            head = () if operation == 1 else (operation - 2,)
            found += [head + tail for tail in walk201(genes, end)]
    return found


@pytest.mark.parametrize("encoding", ["live", "paths", "summary", "structure", "graph"])
def test_operations_that_do_not_reach_the_output_change_nothing_on_nasbench201(encoding: str) -> None:
    # node 1 leads nowhere: edges (2,1) and (3,1) are 'none', so edge (1,0) may be anything
    first, second = cells201("330200"), cells201("030200")
    rows = NASBench201().encodings[encoding]([*first, *second])
    np.testing.assert_array_equal(rows[0], rows[1])


def test_swapping_the_two_inner_nodes_keeps_paths_and_summary_on_nasbench201() -> None:
    for a, b, c, d, e in itertools.product(range(5), repeat=5):
        pair = cells201(f"{a}{b}0{c}{d}{e}", f"{b}{a}0{c}{e}{d}")
        for name in ("paths", "summary"):
            rows = NASBench201().encodings[name](pair)
            np.testing.assert_array_equal(rows[0], rows[1])
        if a > 1:
            break


def test_path_counts_are_those_of_walking_every_path_on_nasbench201() -> None:
    rng = np.random.default_rng(0)
    genes = rng.integers(0, 5, (300, 6))
    counts = structure201.path_counts(genes)
    for row, cell in zip(counts, genes.tolist(), strict=True):
        expected = Counter(walk201(tuple(cell)))
        found = {s: int(c) for s, c in zip(structure201._SEQUENCES, row, strict=True) if c}
        assert found == dict(expected)


def test_a_cell_without_a_path_has_no_live_part_on_nasbench201() -> None:
    rows = NASBench201().encodings
    dead = cells201("333000")
    assert not rows["paths"](dead).any()
    assert not rows["live"](dead).any()
    assert np.isfinite(rows["summary"](dead)).all()


def test_cells_that_compute_different_things_look_different_on_nasbench201() -> None:
    rows = NASBench201().encodings["structure"](list(NASBench201().enumerate()))
    live = NASBench201().encodings["live"](list(NASBench201().enumerate()))
    assert len(np.unique(rows, axis=0)) == len(np.unique(live, axis=0))


@pytest.mark.parametrize("encoding", ORDER_FREE)
def test_isomorphic_cells_have_equal_rows_on_nasbench101(encoding: str) -> None:
    space, cells = NASBench101(), cells101(200, 0)
    encode = space.encodings[encoding]
    canonical = [space.canonical(c) for c in cells]
    assert any(a != b for a, b in zip(cells, canonical, strict=True))
    np.testing.assert_array_equal(encode(cells), encode(canonical))


def test_counted_paths_are_those_of_the_path_encoding_on_nasbench101() -> None:
    space, cells = NASBench101(), cells101(300, 1)
    short = space.encodings["structure"](cells)[:, -40:]
    np.testing.assert_array_equal(short > 0, space.encode_paths(cells)[:, :40] > 0)


def test_labels_along_edges_are_counted_on_nasbench101() -> None:
    space, cells = NASBench101(), cells101(50, 2)
    pairs = space.encodings["summary"](cells)[:, -16:].reshape(-1, 4, 4)
    for counted, architecture in zip(pairs, cells, strict=True):
        cell = space.cell(architecture)
        labels = [0, *(op + 1 for op in cell.ops), 4]
        expected = np.zeros((4, 4))
        for x, y in cell.edges:
            expected[labels[x], labels[y] - 1] += 1
        np.testing.assert_array_equal(counted, expected)


def test_vertices_edges_and_paths_are_counted_on_nasbench101() -> None:
    space, cells = NASBench101(), cells101(100, 3)
    summary = space.encodings["summary"](cells)
    for row, architecture in zip(summary, cells, strict=True):
        cell = space.cell(architecture)
        arriving = [1, *[0] * (cell.num_vertices - 1)]
        for x, y in sorted(cell.edges, key=lambda edge: edge[1]):
            arriving[y] += arriving[x]
        assert row[:2].tolist() == [cell.num_vertices, cell.num_edges]
        assert row[2:5].tolist() == [cell.ops.count(op) for op in range(3)]
        assert row[5] == arriving[-1]


def test_rows_do_not_depend_on_the_batch_they_are_in_on_nasbench101() -> None:
    cells = [c.genes for c in cells101(600, 4)]  # more than one chunk
    np.testing.assert_array_equal(
        structure101.structure(cells)[[0, 599]], structure101.structure([cells[0], cells[599]])
    )


@pytest.mark.parametrize(("space", "vertices"), [(NASBench201(), 8), (NASBench101(), 7)], ids=["201", "101"])
def test_graphs_lead_from_the_first_vertex_to_the_last(
    space: NASBench101 | NASBench201, vertices: int
) -> None:
    cells = [space.sample(np.random.default_rng(i)) for i in range(40)]
    rows = space.encodings["graph"](cells)
    paths = space.encodings["paths"](cells)
    adjacency = rows[:, : vertices**2].reshape(-1, vertices, vertices)
    reach = np.linalg.matrix_power(adjacency + np.eye(vertices), vertices)[:, 0, -1] > 0
    np.testing.assert_array_equal(reach, paths.sum(axis=1) > 0)
    assert not np.tril(adjacency).any()
