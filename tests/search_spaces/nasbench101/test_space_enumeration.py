"""The list of all NASBench-101 cells."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import search_spaces.nasbench101.enumeration as enumeration
from nas.core.errors import ConfigError
from search_spaces.nasbench101 import NASBench101, UniformSampler, enumerate_cells, write_cells
from search_spaces.nasbench101.canonical import canonical_cell
from search_spaces.nasbench101.enumeration import CELLS_PER_VERTICES, all_cells


def test_there_are_as_many_cells_of_up_to_five_vertices_as_published() -> None:
    assert Counter(row.num_vertices for row in enumerate_cells(max_vertices=5)) == {
        2: 1,
        3: 6,
        4: 84,
        5: 2441,
    }


def test_cells_up_to_five_vertices_have_distinct_hashes() -> None:
    hashes = [row.module_hash for row in enumerate_cells(max_vertices=5)]
    assert len(set(hashes)) == len(hashes) == 2532


def test_every_listed_cell_is_canonical_and_they_ascend() -> None:
    cells = list(all_cells(5))
    assert [canonical_cell(cell) for cell in cells] == cells == sorted(cells)


def test_rows_agree_with_the_published_small_cells(shared_data: Path) -> None:
    table = pd.read_parquet(shared_data / "nasbench101_5v" / "cells_108epochs.parquet")
    columns = ["module_hash", "num_vertices", "adjacency", "ops", "params"]
    published = set(table[columns].itertuples(index=False, name=None))
    assert {row[:5] for row in enumerate_cells(max_vertices=5)} == published


def test_there_are_423624_cells_in_all() -> None:
    assert len(UniformSampler()) == 423_624


def test_numbered_cells_are_those_of_the_enumeration() -> None:
    sampler = UniformSampler()
    first = list(islice(all_cells(), 3000))
    assert [sampler[i] for i in range(3000)] == first
    with pytest.raises(IndexError):
        sampler[423_624]


def test_uniform_draws_have_the_sizes_of_the_space() -> None:
    sampler, rng = UniformSampler(), np.random.default_rng(0)
    share = np.mean([sampler.sample(rng).num_vertices == 7 for _ in range(2000)])
    assert share == pytest.approx(359_082 / 423_624, abs=0.03)


def test_the_space_enumerates_canonical_architectures() -> None:
    space = NASBench101()
    first = list(islice(space.enumerate(), 200))
    assert [space.canonical(a) for a in first] == first
    assert len(set(first)) == 200


def test_a_size_outside_the_space_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_vertices"):
        list(all_cells(8))


def test_written_cells_read_back(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = tmp_path / "cells.parquet"
    count = write_cells(path, max_vertices=4, progress=lambda done, total: seen.append((done, total)))
    table = pd.read_parquet(path)
    assert list(table.columns) == ["module_hash", "num_vertices", "adjacency", "ops", "params", "madds"]
    assert [tuple(row) for row in table.itertuples(index=False)] == list(enumerate_cells(max_vertices=4))
    assert count == 91
    assert seen == [(91, 91)]


def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cells.parquet"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(enumeration, "network_cost", fail)
    with pytest.raises(OSError, match="no space"):
        write_cells(path, max_vertices=3)
    assert [p.name for p in tmp_path.iterdir()] == ["cells.parquet"]
    assert path.read_bytes() == b"old"


def test_a_missing_folder_is_named_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="existing folder"):
        write_cells(tmp_path / "absent" / "cells.parquet")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_whole_space_has_the_published_counts_hashes_and_parameters(shared_data: Path) -> None:
    table = pd.read_parquet(shared_data / "nasbench101_cec" / "cells.parquet")
    columns = ["module_hash", "num_vertices", "adjacency", "ops", "params"]
    published = set(table[columns].itertuples(index=False, name=None))
    counts: Counter[int] = Counter()
    hashes = set()
    for row in enumerate_cells():
        counts[row.num_vertices] += 1
        hashes.add(row.module_hash)
        published.discard(row[:5])
    assert dict(counts) == CELLS_PER_VERTICES
    assert len(hashes) == 423_624
    assert not published
