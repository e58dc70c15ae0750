"""NAS-Bench-201: text form, exact costs, recorded accuracies."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nas.core.errors import ArchitectureError, ConfigError, DataError, EvaluationError
from nas.core.records import Architecture, Trial
from nas.core.space import HasCost, HasEnumeration
from search_spaces.nasbench201 import NASBench201
from search_spaces.nasbench201.table import REPORTED, Measure, NASBench201Evaluator, NASBench201Table

SPACE = NASBench201()


@pytest.fixture(scope="module")
def table(shared_data: Path) -> NASBench201Table:
    return NASBench201Table.open(shared_data / "nasbench201")


def test_the_space_has_15625_distinct_architectures():
    everything = list(SPACE.enumerate())
    assert len(set(everything)) == len(everything) == 15625
    assert all(SPACE.is_valid(a) and SPACE.canonical(a) == a for a in everything)


def test_the_text_form_is_six_digits_and_reads_back():
    architecture = Architecture("nasbench201", (3, 3, 3, 1, 3, 2))
    assert SPACE.format(architecture) == "333132"
    assert SPACE.parse(" 333132 ") == architecture


@pytest.mark.parametrize("text", ["", "33313", "3331322", "333135", "3-3-3-1-3-2", "٣33132"])
def test_any_other_text_is_refused(text: str):
    with pytest.raises(ArchitectureError, match="expected 6 digits"):
        SPACE.parse(text)


def test_the_space_draws_valid_architectures_and_encodes_them():
    rng = np.random.default_rng(0)
    drawn = [SPACE.sample(rng) for _ in range(50)]
    assert all(SPACE.is_valid(a) for a in drawn)
    assert SPACE.encode(drawn).shape == (50, 30)
    assert isinstance(SPACE, HasCost)
    assert isinstance(SPACE, HasEnumeration)


def test_the_empty_cell_has_the_published_cost_but_for_the_classifiers_bias():
    assert SPACE.cost(SPACE.parse("000000")) == {"params": 73306, "madds": 7783050 - 10}


def test_costs_explain_the_table_for_every_architecture(shared_data: Path):
    """Its FLOPs are multiply-adds, and the ten additions of the classifier's bias."""
    rows = pd.read_parquet(shared_data / "nasbench201" / "archs.parquet")
    assert len(rows) == 15625
    for ops, params, flops in zip(rows["ops"], rows["params_derived"], rows["flops_derived"], strict=True):
        assert SPACE.cost(SPACE.parse(ops)) == {"params": params, "madds": flops - 10}


@pytest.mark.parametrize(
    ("dataset", "ops", "percent"),
    [("cifar10", "333132", 94.373), ("cifar100", "333133", 73.513), ("imagenet16", "223133", 47.311)],
)
def test_the_best_architectures_are_the_published_ones(
    table: NASBench201Table, dataset: str, ops: str, percent: float
):
    measure = Measure(dataset, "test", 200)
    found = {SPACE.format(a): table.accuracy(a, measure) for a in SPACE.enumerate()}
    assert found[ops] == max(found.values())
    assert found[ops] == pytest.approx(percent, abs=5e-4)


def test_the_evaluator_searches_on_validation_and_reports_on_test(table: NASBench201Table):
    values = NASBench201Evaluator(table)(Trial(0, SPACE.parse("333132"), seed=1))
    assert values["error"] == 100 - table.accuracy("333132", Measure("cifar10", "val", 12))
    assert values["test_error"] == pytest.approx(100 - 94.373, abs=5e-4)


def test_another_data_set_may_be_searched(table: NASBench201Table):
    evaluate = NASBench201Evaluator(table, Measure("cifar100"), Measure("cifar100", "test", 200))
    values = evaluate(Trial(0, SPACE.parse("333133"), seed=1))
    assert values["test_error"] == pytest.approx(100 - 73.513, abs=5e-4)


@pytest.mark.parametrize("measure", [Measure("cifar10", "val", 200), Measure("mnist")])
def test_a_measure_that_is_not_on_record_is_named(table: NASBench201Table, measure: Measure):
    with pytest.raises(ConfigError, match="available: cifar10_test_acc_200"):
        table.accuracy("000000", measure)
    with pytest.raises(ConfigError, match="available"):
        NASBench201Evaluator(table, measure)


def test_a_text_that_is_not_an_architecture_is_refused(table: NASBench201Table):
    with pytest.raises(ArchitectureError, match="expected 6 digits"):
        table.accuracy("333139")


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture("muxnet", (0,) * 6),
        Architecture("nasbench201", (0, 1)),
        Architecture("nasbench201", (9,) * 6),
    ],
)
def test_a_candidate_of_another_space_fails(table: NASBench201Table, architecture: Architecture):
    with pytest.raises(EvaluationError, match="not in the table"):
        NASBench201Evaluator(table)(Trial(0, architecture, 0))


def test_the_evaluator_travels_as_a_path(table: NASBench201Table):
    evaluate = NASBench201Evaluator(table)
    assert len(pickle.dumps(evaluate)) < 1500
    trial = Trial(0, SPACE.parse("000000"), 0)
    assert copy.deepcopy(evaluate)(trial) == evaluate(trial)


def whole(**changes: object) -> pd.DataFrame:
    frame = pd.DataFrame({"ops": [SPACE.format(a) for a in SPACE.enumerate()]})
    frame[REPORTED.column] = 50.0
    return frame.assign(**changes)


def test_a_whole_table_is_read_by_file_or_folder(tmp_path: Path):
    whole().to_parquet(tmp_path / "archs.parquet")
    for path in (tmp_path, tmp_path / "archs.parquet"):
        table = NASBench201Table.open(path)
        assert table.columns == (REPORTED.column,)
        assert table.accuracy("000000", REPORTED) == 50.0


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (whole().iloc[:-1], "15,624 rows, expected each of 15,625"),
        (pd.concat([whole().iloc[:-1], whole().iloc[:1]]), "each of 15,625 architectures once"),
        (whole(**{REPORTED.column: np.nan}), "values missing"),
        (whole(**{REPORTED.column: 101.0}), "outside 0 to 100"),
        (whole(**{REPORTED.column: "much"}), "expected numbers"),
        (whole().drop(columns="ops"), "expected columns ops"),
    ],
)
def test_a_table_that_is_not_whole_is_refused(tmp_path: Path, frame: pd.DataFrame, words: str):
    frame.to_parquet(tmp_path / "archs.parquet")
    with pytest.raises(DataError, match=words):
        NASBench201Table.open(tmp_path)


def test_texts_that_are_none_are_a_data_error(tmp_path: Path):
    whole().to_parquet(tmp_path / "archs.parquet", compression=None)
    content = (tmp_path / "archs.parquet").read_bytes()
    (tmp_path / "archs.parquet").write_bytes(content.replace(b"000001", b"\x8000001"))
    with pytest.raises(DataError, match="missing or not a Parquet"):
        NASBench201Table.open(tmp_path)


def test_what_pandas_wrote_beside_a_table_does_not_matter(tmp_path: Path):
    damaged = pa.Table.from_pandas(whole()).replace_schema_metadata({"pandas": '{"index_c\x7flumns": []}'})
    pq.write_table(damaged, tmp_path / "archs.parquet")
    assert NASBench201Table.open(tmp_path).columns


@pytest.mark.parametrize("name", ["absent.parquet", "text.parquet"])
def test_a_file_that_is_not_parquet_is_a_data_error(tmp_path: Path, name: str):
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(DataError, match="missing or not a Parquet"):
        NASBench201Table.open(tmp_path / name)
