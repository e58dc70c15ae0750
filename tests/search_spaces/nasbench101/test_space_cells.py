"""Validity, text form, hash and canonical form of NASBench-101 cells."""

from __future__ import annotations

import subprocess
import sys
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.core.errors import ArchitectureError
from nas.core.records import Architecture
from search_spaces.nasbench101 import NASBench101, cell_hash, module_hash
from search_spaces.nasbench101.canonical import canonical_cell
from search_spaces.nasbench101.cell import Cell, edge_weight, from_genes, parse_cell, read_cell

SPACE = NASBench101()
PUBLISHED = "100110100001001010101-02001"
PUBLISHED_HASH = "00005c142e6f48ac74fdcf73e3439874"
seeds = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=150, deadline=None)


def sampled(seed: int) -> Architecture:
    return SPACE.sample(np.random.default_rng(seed))


def relabellings(cell: Cell) -> list[Cell]:
    """Every renumbering of the inner vertices that keeps edges pointing upwards, by brute force."""
    found = []
    for order in permutations(range(1, cell.num_vertices - 1)):
        place = {0: 0, cell.num_vertices - 1: cell.num_vertices - 1}
        place.update({v: i for i, v in enumerate(order, start=1)})
        edges = [(place[x], place[y]) for x, y in cell.edges]
        if all(x < y for x, y in edges):
            bits = sum(edge_weight(x, y) for x, y in edges)
            found.append(Cell(cell.num_vertices, bits, tuple(cell.ops[v - 1] for v in order)))
    return found


def matrix_of(cell: Cell) -> np.ndarray:
    matrix = np.zeros((cell.num_vertices, cell.num_vertices), dtype=np.int8)
    for x, y in cell.edges:
        matrix[x, y] = 1
    return matrix


def test_the_published_example_has_the_published_hash() -> None:
    assert module_hash(*PUBLISHED.split("-")) == PUBLISHED_HASH


def test_the_hash_reads_matrices_and_names_too() -> None:
    matrix = matrix_of(parse_cell(PUBLISHED))
    conv3, conv1, pool = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"
    names = [conv3, pool, conv3, conv3, conv1]
    forms = [
        module_hash(matrix, [0, 2, 0, 0, 1]),
        module_hash(matrix.tolist(), "02001"),
        module_hash(matrix.astype(bool), np.array([0, 2, 0, 0, 1])),
        module_hash(matrix, names),
        module_hash(matrix, ["input", *names, "output"]),
    ]
    assert set(forms) == {PUBLISHED_HASH}


def test_the_hash_ignores_vertices_off_every_path() -> None:
    # Vertex 1 leads nowhere, vertex 2 comes from nowhere; the rest joins input and output.
    assert module_hash("101001", "01") == module_hash("1", "")


@pytest.mark.parametrize(
    ("adjacency", "ops", "said"),
    [
        ("1010", "0", "4 bits"),
        ("1a1", "0", "'a'"),
        ("111", "00", "2 operations for 3 vertices"),
        ("111", "3", "'3'"),
        ("000", "0", "no path"),
        ([[0, 1], [1, 0]], "", "upper"),
        ([[0, 2], [0, 0]], "", "0 and 1"),
        ([[0, 1, 0], [0, 0, 1]], "", "n x n"),
        (np.zeros((8, 8)), "000000", "n x n"),
        ([[0, 1], [0, 0]], ["conv5x5"], "1 operations for 2 vertices"),
        ([[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["conv5x5"], "conv5x5"),
        ([[0, 1, 1], [0, 0, 1], [0, 0, 0]], [True], "True"),
    ],
)
def test_a_wrong_module_is_refused_with_the_reason(adjacency: object, ops: object, said: str) -> None:
    with pytest.raises(ArchitectureError, match=said):
        module_hash(adjacency, ops)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("11001", "missing"),
        ("11001-0", "5 bits"),
        ("110-00", "2 operations"),
        ("112-0", "'2'"),
        ("111-7", "'7'"),
        ("0-", "no path"),
        ("1" * 21 + "-00000", "21 edges"),
        ("", "missing"),
    ],
)
def test_a_wrong_text_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(ArchitectureError, match=said):
        SPACE.parse(text)


def test_ten_edges_are_valid_when_pruning_leaves_nine() -> None:
    text = "111111-00"  # six edges among four vertices
    genes = list(SPACE.parse(text).genes)
    for edge in (3, 4, 9, 13):  # from the input to 4 and 5, from 1 and 2 to 5, where they end
        genes[edge] = 1
    assert sum(genes[:21]) == 10
    assert SPACE.is_valid(Architecture("nasbench101", tuple(genes)))
    assert SPACE.format(Architecture("nasbench101", tuple(genes))) == text


@pytest.mark.parametrize(
    "genes", [(0,) * 26, (1,) * 26, (0,) * 25, (1,) * 21 + (3,) * 5, (-1,) + (0,) * 25, (2,) + (0,) * 25, ()]
)
def test_genes_without_a_cell_are_not_valid_and_not_canonicalised(genes: tuple[int, ...]) -> None:
    architecture = Architecture("nasbench101", genes)
    assert not SPACE.is_valid(architecture)
    with pytest.raises(ArchitectureError):
        SPACE.canonical(architecture)


def test_an_architecture_of_another_space_is_not_valid() -> None:
    assert not SPACE.is_valid(Architecture("muxnet", sampled(0).genes))


def test_the_smallest_cell_is_written_with_an_empty_list_of_operations() -> None:
    assert SPACE.format(SPACE.parse("1-")) == "1-"


@FEW
@given(seeds)
def test_every_sample_is_valid(seed: int) -> None:
    assert SPACE.is_valid(sampled(seed))


@FEW
@given(seeds)
def test_canonical_is_idempotent(seed: int) -> None:
    once = SPACE.canonical(sampled(seed))
    assert SPACE.canonical(once) == once


@FEW
@given(seeds)
def test_parse_undoes_format_up_to_isomorphism(seed: int) -> None:
    architecture = sampled(seed)
    assert SPACE.parse(SPACE.format(architecture)) == SPACE.canonical(architecture)


@FEW
@given(seeds)
def test_canonical_is_the_smallest_of_all_relabellings(seed: int) -> None:
    cell = from_genes(sampled(seed).genes)
    assert canonical_cell(cell) == min(relabellings(cell))


@FEW
@given(seeds, st.randoms(use_true_random=False))
def test_hash_and_canonical_form_do_not_depend_on_the_numbering(seed: int, random: object) -> None:
    cell = from_genes(sampled(seed).genes)
    other = random.choice(relabellings(cell))  # type: ignore[attr-defined]
    assert canonical_cell(other) == canonical_cell(cell)
    assert cell_hash(other) == cell_hash(cell)


@FEW
@given(seeds)
def test_text_matrix_and_genes_give_the_same_cell(seed: int) -> None:
    cell = from_genes(sampled(seed).genes)
    assert parse_cell(f"{cell.adjacency}-{cell.operations}") == cell
    assert read_cell(matrix_of(cell), cell.ops) == cell
    assert from_genes(SPACE.from_cell(cell).genes) == cell


def test_cells_that_differ_in_one_operation_stay_apart() -> None:
    assert SPACE.canonical(SPACE.parse("110101-01")) != SPACE.canonical(SPACE.parse("110101-02"))


@pytest.mark.slow
@pytest.mark.parametrize("file", ["nasbench101_5v/cells_108epochs.parquet", "nasbench101_cec/cells.parquet"])
def test_every_published_cell_is_its_own_representative_and_has_its_hash(
    shared_data: Path, file: str
) -> None:
    table = pd.read_parquet(shared_data / file, columns=["adjacency", "ops", "module_hash"])
    texts = table.adjacency + "-" + table.ops
    assert [SPACE.format(SPACE.parse(text)) for text in texts] == texts.tolist()
    assert [SPACE.module_hash(SPACE.parse(text)) for text in texts] == table.module_hash.tolist()


def test_importing_the_space_loads_neither_torch_nor_pandas_nor_ray() -> None:
    code = (
        "import sys, numpy as np, search_spaces.nasbench101 as n; s = n.NASBench101.digits(); "
        "a = s.sample(np.random.default_rng(0)); s.cost(a); s.encode([a]); n.UniformSampler(); "
        "print([m for m in ('torch', 'pandas', 'ray', 'pyarrow', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
