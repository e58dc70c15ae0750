"""The imported table: its answers and its errors."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from table_files import CELLS, PARAMS, accuracy, make_table

from nas.core.errors import ArchitectureError, ConfigError, DataError
from nas.core.records import Architecture
from search_spaces.nasbench101 import NASBench101, module_hash
from search_spaces.nasbench101.table import NASBench101Table, load_table, value

SPACE = NASBench101()
OLD = Path(__file__).parent / "table_store_v1"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> NASBench101Table:
    return make_table(tmp_path_factory.mktemp("table"))


@pytest.mark.parametrize("text", CELLS)
def test_a_cell_is_found_by_architecture_text_and_hash(table: NASBench101Table, text: str):
    name = module_hash(*text.split("-"))
    expected = table.query(text)
    assert expected.module_hash == name == table.hash_of(text)
    assert table.query(SPACE.parse(text)) == table.query(name) == table.query(name.upper()) == expected


@pytest.mark.parametrize("text", CELLS)
@pytest.mark.parametrize("budget", [4, 108])
def test_a_query_gives_every_run_exactly_as_recorded(table: NASBench101Table, text: str, budget: int):
    record = table.query(text, budget)
    assert record.params == PARAMS[text]
    assert record.training_time == tuple(100.0 * budget + run for run in range(3))
    assert record.train_accuracy == tuple(accuracy(text, budget, run, 0) for run in range(3))
    assert record.validation_accuracy == tuple(accuracy(text, budget, run, 1) for run in range(3))
    assert record.test_accuracy == tuple(accuracy(text, budget, run, 2) for run in range(3))


def test_one_run_or_the_mean_of_three(table: NASBench101Table):
    text = CELLS[2]
    runs = [accuracy(text, 108, run, 1) for run in range(3)]
    assert [table.validation_accuracy(text, 108, run) for run in range(3)] == runs
    assert table.validation_accuracy(text) == pytest.approx(sum(runs) / 3, abs=1e-15)
    assert table.test_accuracy(text, 4, 2) == accuracy(text, 4, 2, 2)
    assert table.train_accuracy(text, 4, 2) == accuracy(text, 4, 2, 0)
    assert table.training_time(text, 4) == 401.0


def test_halfway_values_are_single_precision(table: NASBench101Table):
    found = table.runs(CELLS[3], "halfway_validation_accuracy", 108)
    assert found == tuple(float(np.float32(accuracy(CELLS[3], 108, r, 1) / 2)) for r in range(3))


def test_an_operation_that_no_path_meets_does_not_matter(table: NASBench101Table):
    genes = list(SPACE.parse("101-0").genes)
    genes[-1] = 2  # an operation that no path meets
    assert table.query(Architecture("nasbench101", tuple(genes))) == table.query("101-0")


def test_cells_come_in_order_of_their_hash(table: NASBench101Table):
    assert sorted(table.cells()) == sorted(CELLS)
    hashes = [table.hash_of(c) for c in table.cells()]
    assert hashes == sorted(hashes)
    assert len(table) == 5


def test_membership(table: NASBench101Table):
    assert "1-" in table
    assert SPACE.parse("110101-22") in table
    assert "110101-20" not in table
    assert "nonsense" not in table
    assert 3 not in table


@pytest.mark.parametrize("cell", ["110101-20", "0" * 32])
def test_a_cell_outside_is_named(table: NASBench101Table, cell: str):
    with pytest.raises(ArchitectureError, match=f"{cell} is not in the table, which has 5 cells"):
        table.query(cell)


@pytest.mark.parametrize("cell", ["", "110101", "110101-9", "z" * 32, Architecture("muxnet", (1, 2)), 7])
def test_a_wrong_cell_is_an_architecture_error(table: NASBench101Table, cell: object):
    with pytest.raises(ArchitectureError, match=r"expected|missing"):
        table.query(cell)  # type: ignore[arg-type]


@pytest.mark.parametrize("budget", [36, 3.999, 0])
def test_an_unknown_budget_names_those_there_are(table: NASBench101Table, budget: float):
    with pytest.raises(ConfigError, match="validation_accuracy at 4, 108"):
        table.validation_accuracy("1-", budget)


def test_an_unknown_metric_names_those_there_are(table: NASBench101Table):
    with pytest.raises(ConfigError, match="test_accuracy at 4, 108"):
        value(table, "1-", "tset_accuracy")


@pytest.mark.parametrize("run", [-1, 3])
def test_an_unknown_run_names_those_there_are(table: NASBench101Table, run: int):
    with pytest.raises(ConfigError, match="expected 0 to 2"):
        table.validation_accuracy("1-", run=run)


def test_params_are_held_at_every_budget(table: NASBench101Table):
    assert value(table, "1-", "params", 4) == 1000.0


def test_every_measure_that_is_listed_can_be_read(table: NASBench101Table):
    for measure in table.measures:
        found = table.runs("1-", measure.metric, measure.budget)
        assert (len(found), measure.known, measure.averaged) == (measure.runs, 5, 1)


def test_the_table_travels_as_its_path(table: NASBench101Table):
    assert len(pickle.dumps(table)) < 500
    reopened = copy.copy(table)  # by the same road as unpickling
    assert reopened is not table
    assert reopened.query("1-") == table.query("1-")


def test_nothing_writes_into_the_store(table: NASBench101Table):
    for values in table._columns.values():
        assert not values.flags.writeable


def test_a_store_of_schema_1_still_opens():
    table = load_table(OLD)
    assert isinstance(table, NASBench101Table)
    assert sorted(table.cells()) == sorted(CELLS[:3])
    assert table.query("101-0", 4).test_accuracy == tuple(accuracy("101-0", 4, r, 2) for r in range(3))
    assert not table.synthetic


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD, tmp_path / "store"))


@pytest.mark.parametrize("name", [p.name for p in sorted(OLD.glob("*.npy"))])
def test_a_column_that_is_cut_off_missing_or_foreign_is_named(damaged: Path, name: str):
    data = (damaged / name).read_bytes()
    for wrong in (data[:-1], data[:20], b"", b"foreign", None):
        (damaged / name).unlink()
        if wrong is not None:
            (damaged / name).write_bytes(wrong)
        else:
            np.save(damaged / name, np.array([{"a": "pickle"}]), allow_pickle=True)
        with pytest.raises(DataError, match=rf"{name}.*import the published file again"):
            NASBench101Table.open(damaged)


def test_a_column_of_another_length_is_named(damaged: Path):
    np.save(damaged / "params.npy", np.arange(4))
    with pytest.raises(DataError, match=r"params.npy: <i8 of shape \[4\], expected <i8 of shape \[3\]"):
        NASBench101Table.open(damaged)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": 2}, "schema 2, this version reads 1"),
        ({"kind": "else"}, "does not describe a NASBench-101 table"),
        ({"columns": {}}, "lacks columns"),
        ({"budgets": []}, "lacks columns or budgets"),
        ({"budgets": [4, 108.5]}, r"budgets are \[4, 108.5\], expected whole epochs"),
        ({"budgets": 108}, "budgets are 108, expected whole epochs"),
        ({"budgets": [float("inf")]}, r"budgets are \[inf\]"),
        ({"budgets": [4, 3, 6, 108]}, r"expected \[3, 4, 3\] for 3 cells and 4 budgets in meta.json"),
    ],
)
def test_a_meta_file_that_does_not_fit_is_refused(damaged: Path, change: dict[str, object], words: str):
    meta = json.loads((damaged / "meta.json").read_text())
    (damaged / "meta.json").write_text(json.dumps({**meta, **change}))
    with pytest.raises(DataError, match=words):
        NASBench101Table.open(damaged)


def test_a_meta_file_that_describes_a_column_by_a_list_is_refused(damaged: Path):
    meta = json.loads((damaged / "meta.json").read_text())
    meta["columns"]["hash"] = []
    (damaged / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(DataError, match="does not describe every column"):
        NASBench101Table.open(damaged)


def test_an_archive_in_a_column_s_place_is_refused(damaged: Path):
    with (damaged / "cell.npy").open("wb") as file:
        np.savez(file, np.arange(3))
    with pytest.raises(DataError, match=r"cell\.npy: expected one array"):
        NASBench101Table.open(damaged)


def test_a_header_of_another_length_is_refused(damaged: Path):
    content = (damaged / "search_row.npy").read_bytes()
    wrong = content[:8] + struct.pack("<H", 59) + content[10:67] + b" \n" + content[128:]
    (damaged / "search_row.npy").write_bytes(wrong)
    with pytest.raises(DataError, match=r"search_row\.npy: its header is damaged"):
        NASBench101Table.open(damaged)


@pytest.mark.parametrize("text", ["{", "[1]", ""])
def test_a_damaged_meta_file_is_refused(damaged: Path, text: str):
    (damaged / "meta.json").write_text(text)
    with pytest.raises(DataError, match=r"meta\.json (is|does)"):
        NASBench101Table.open(damaged)


def test_a_missing_table_is_refused_with_the_way_to_get_one(tmp_path: Path):
    (tmp_path / "x.tfrecord").touch()
    with pytest.raises(DataError, match=r"import a \.tfrecord file first"):
        load_table(tmp_path / "x.tfrecord")
    with pytest.raises(DataError, match=r"meta\.json or"):
        load_table(tmp_path / "absent")
    with pytest.raises(DataError, match=r"no readable meta\.json"):
        NASBench101Table.open(tmp_path)
