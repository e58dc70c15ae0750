"""The small public tables, against the facts that their descriptions state."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nas.core.errors import ArchitectureError, ConfigError, DataError
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench101.table import ParquetTable, load_table, value

BEST = "02e5a0247bbdcf2860b7e96f74961594"


@pytest.fixture(scope="module")
def five(shared_data: Path) -> ParquetTable:
    table = load_table(shared_data / "nasbench101_5v")
    assert isinstance(table, ParquetTable)
    return table


@pytest.fixture(scope="module")
def competition(shared_data: Path) -> ParquetTable:
    table = load_table(shared_data / "nasbench101_cec")
    assert isinstance(table, ParquetTable)
    return table


def numbers(table: ParquetTable, metric: str, budget: float) -> np.ndarray:
    found = [table.runs(cell, metric, budget) for cell in table.cells()]
    return np.array([runs[0] for runs in found if runs])


def test_five_vertices_hold_one_four_epoch_run_of_every_cell(five: ParquetTable):
    validation = numbers(five, "validation_accuracy", 4)
    assert len(validation) == 2532
    assert validation.max() == pytest.approx(0.7701, abs=5e-5)
    assert np.median(validation) == pytest.approx(0.4423, abs=5e-5)
    assert numbers(five, "test_accuracy", 4).max() == pytest.approx(0.7625, abs=5e-5)
    assert numbers(five, "energy", 4).min() > 0


def test_five_vertices_hold_the_final_mean_test_accuracy_of_all_but_sixteen(five: ParquetTable):
    test = numbers(five, "test_accuracy", 108)
    assert len(test) == 2516
    assert 1 - test.max() == pytest.approx(0.0578, abs=5e-5)
    thirds = test * 29952
    assert np.allclose(thirds, thirds.round(), atol=1e-6)
    (measure,) = [m for m in five.measures if (m.metric, m.budget) == ("test_accuracy", 108)]
    assert (measure.known, measure.runs, measure.averaged) == (2516, 1, 3)


def test_unknown_values_are_not_filled_in(five: ParquetTable):
    unknown = [cell for cell in five.cells() if not five.runs(cell, "test_accuracy", 108)]
    assert len(unknown) == 16
    with pytest.raises(ConfigError, match="test_accuracy at 108 epochs is unknown"):
        value(five, unknown[0], "test_accuracy", 108)


def test_five_vertices_have_no_final_validation_accuracy(five: ParquetTable):
    with pytest.raises(ConfigError, match=r"available.*validation_accuracy at 0, 2, 4"):
        value(five, five.cells()[0], "validation_accuracy", 108)


def test_four_epoch_values_are_those_of_the_larger_campaign(five: ParquetTable, shared_data: Path):
    records = pd.read_parquet(shared_data / "nasbench101_5v" / "records.parquet")
    small = records[(records["campaign"] == "5v") & (records["epochs"] == 4) & (records["num_vertices"] == 3)]
    assert len(small) == 6
    for row in small.itertuples():
        assert five.runs(row.module_hash, "validation_accuracy", 4) == (row.val_accuracy,)
        assert five.runs(f"{row.adjacency}-{row.ops}", "training_time", 4) == (row.training_time_s,)


def test_the_competition_table_knows_the_best_cell(competition: ParquetTable):
    assert 100 * value(competition, BEST, "test_accuracy") == pytest.approx(94.318, abs=5e-4)
    assert value(competition, BEST, "test_accuracy") == numbers(competition, "test_accuracy", 108).max()
    assert len(competition) == len(competition.cells()) == 13462


def test_the_competition_table_holds_up_to_three_validation_runs_of_367_cells(competition: ParquetTable):
    counts = [len(competition.runs(c, "validation_accuracy")) for c in competition.cells()]
    assert sum(1 for c in counts if c) == 367
    assert sum(counts) == 486
    assert max(counts) == 3


@pytest.mark.parametrize("name", ["nasbench101_5v", "nasbench101_cec"])
def test_every_cell_is_found_by_its_architecture_text_and_hash(shared_data: Path, name: str):
    table, space = load_table(shared_data / name), NASBench101()
    for cell in table.cells()[::40]:
        architecture = space.parse(cell)
        assert space.format(architecture) == cell
        assert table.hash_of(cell) == table.hash_of(architecture) == space.module_hash(architecture)


def test_the_tables_agree_where_they_overlap(five: ParquetTable, competition: ParquetTable):
    shared = [c for c in five.cells() if c in competition]
    assert len(shared) > 2500
    for cell in shared:
        known = five.runs(cell, "test_accuracy")
        assert not known or known == competition.runs(cell, "test_accuracy")


def test_recorded_parameters_are_those_of_the_space(competition: ParquetTable):
    space = NASBench101()
    for cell in competition.cells()[::50]:
        assert value(competition, cell, "params") == space.cost(space.parse(cell))["params"]


def test_an_isomorphic_copy_is_found(five: ParquetTable):
    assert five.runs("110011-10", "test_accuracy") == five.runs("110011-01", "test_accuracy") != ()


def test_a_cell_outside_is_named(five: ParquetTable):
    with pytest.raises(ArchitectureError, match=f"{BEST} is not in the table, which has 2,532 cells"):
        five.runs(BEST, "test_accuracy")
    assert BEST not in five
    assert None not in five


def test_a_parquet_table_travels_as_its_path(five: ParquetTable):
    assert len(pickle.dumps(five)) < 500
    assert copy.copy(five).cells() == five.cells()


def write_cells(folder: Path, **changes: object) -> None:
    frame = pd.DataFrame(
        {
            "module_hash": ["b" * 32, "a" * 32],
            "adjacency": ["1", "101"],
            "ops": ["", "0"],
            "test_error": [0.25, 0.125],
            "params": [1, 2],
            "flops": [3, 4],
        }
    ).assign(**changes)
    frame.to_parquet(folder / "cells.parquet")
    samples = pd.DataFrame({"module_hash": ["a" * 32] * 2, "val_error": [0.5, 0.25]})
    samples.to_parquet(folder / "val_error_samples.parquet")


def test_a_custom_table_with_the_same_columns_is_read(tmp_path: Path):
    write_cells(tmp_path)
    table = load_table(tmp_path)
    assert table.cells() == ("101-0", "1-")
    assert table.runs("1-", "test_accuracy") == (0.75,)
    assert table.runs("101-0", "validation_accuracy") == (0.5, 0.75)
    assert table.runs("1-", "validation_accuracy") == ()


def test_a_missing_column_is_named(tmp_path: Path):
    write_cells(tmp_path)
    frame = pd.read_parquet(tmp_path / "cells.parquet").drop(columns=["ops", "flops"])
    frame.to_parquet(tmp_path / "cells.parquet")
    with pytest.raises(DataError, match=r"no columns flops, ops; has module_hash, adjacency"):
        load_table(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [{"adjacency": ["1", "777"]}, {"module_hash": ["c" * 32, "c" * 32]}, {"test_error": [0.1, 1.5]}],
)
def test_rows_that_cannot_be_are_refused(tmp_path: Path, changes: dict[str, object]):
    write_cells(tmp_path, **changes)
    with pytest.raises(DataError, match=r"cells\.parquet"):
        load_table(tmp_path)


def test_a_sample_of_an_unlisted_cell_is_refused(tmp_path: Path):
    write_cells(tmp_path)
    samples = pd.DataFrame({"module_hash": ["d" * 32], "val_error": [0.5]})
    samples.to_parquet(tmp_path / "val_error_samples.parquet")
    with pytest.raises(DataError, match=r"not in cells\.parquet, such as dddd"):
        load_table(tmp_path)


def test_a_file_that_is_not_parquet_is_a_data_error(tmp_path: Path):
    (tmp_path / "cells.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(DataError, match=r"cells\.parquet: missing or damaged"):
        load_table(tmp_path)


def test_a_folder_of_other_parquet_files_is_not_a_table(tmp_path: Path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(DataError, match=r"cells_108epochs\.parquet"):
        load_table(tmp_path)
