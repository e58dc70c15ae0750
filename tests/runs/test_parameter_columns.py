"""Columns of a run's tables for the parameters of its space."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from engine_parts import Grid, quick
from space_zoo import ZOO

import nas
from nas.core.errors import ConfigError, HistoryError
from nas.runs.parameters import as_written, cell, column
from nas.spaces.parameters import value_of_text

pytestmark = pytest.mark.usefixtures("no_plots")
BEFORE = ["seconds", "reason", "worker", "seed", "budget", "asked_at", "started", "finished", "told", "told_seconds"]  # fmt: skip


def loss(c: Any) -> float:
    return float(sum((i + 1) * g for i, g in enumerate(c.genes)))


def size(c: Any) -> float:
    return -float(c.genes[0])


def search(space: nas.SearchSpace, out: Path | None = None, **changes: Any) -> nas.SearchResult:
    given: dict[str, Any] = {"algorithm": "random", "budget": min(12, space.size or 12), "seed": 1}
    return nas.search(space, [loss, size], out=out, **given | changes)


def read(cells: Any) -> Any:
    """A value from its cell in the table of a run."""
    return value_of_text(cells) if isinstance(cells, str) else cells


@pytest.mark.parametrize("name", ["resnets", "nested", "forbidding", "values"])
def test_the_tables_end_in_one_column_per_parameter(name: str, tmp_path: Path) -> None:
    space = ZOO[name]()
    names = list(space.parameters)
    found = search(space, tmp_path / "run", csv=True)
    assert list(found.front.columns) == ["architecture", "loss", "size", *names]
    history = found.history
    assert list(history.columns) == ["trial", "architecture", "status", "loss", "size", *BEFORE, *names]
    for _, row in history.iterrows():
        choices = dict(space.choices(space.parse(row["architecture"])))
        for parameter in names:
            if parameter in choices:
                value = read(row[parameter])
                assert value == choices[parameter]
                assert isinstance(value, bool) == isinstance(choices[parameter], bool)
            else:
                assert pd.isna(row[parameter])
    text = pd.read_csv(tmp_path / "run" / "history.csv", dtype=str, na_filter=False)
    assert list(text.columns) == list(history.columns)
    assert list(pd.read_parquet(tmp_path / "run" / "history.parquet").columns) == list(history.columns)
    assert list(pd.read_csv(tmp_path / "run" / "front.csv").columns) == list(found.front.columns)


def test_a_search_in_memory_has_the_same_columns(tmp_path: Path) -> None:
    in_memory, in_folder = search(ZOO["resnets"]()), search(ZOO["resnets"](), tmp_path / "run")
    pd.testing.assert_frame_equal(in_memory.front, in_folder.front)
    assert list(in_memory.history.columns) == list(in_folder.history.columns)
    pd.testing.assert_frame_equal(nas.load_run(tmp_path / "run")[0].front, in_folder.front)


def test_files_hold_whole_numbers_without_a_point_and_none_as_a_text(tmp_path: Path) -> None:
    space = nas.Space(
        "small",
        kernel=nas.Choice(3, 5, when={"se": None}),
        se=nas.Choice(None, 0.25),
        flag=nas.Choice(True, False, when={"se": 0.25}),
        name=nas.Choice("None"),
    )
    search(space, tmp_path / "run", csv=True)
    text = pd.read_csv(tmp_path / "run" / "history.csv", dtype=str, na_filter=False)
    with_none = text["se"] == "None"
    assert set(text["se"]) == {"None", "0.25"}
    assert set(text["kernel"][with_none]) == {"3", "5"}
    assert set(text["kernel"][~with_none]) == {""}
    assert set(text["flag"][~with_none]) == {"True", "False"}
    assert set(text["name"]) == {"'None'"}


def test_columns_after_the_objectives_stay_before_the_parameters(tmp_path: Path) -> None:
    space = ZOO["forbidding"]()
    search(space, tmp_path / "first")
    found = search(space, tmp_path / "run", warm_start=tmp_path / "first")
    assert list(found.front.columns) == ["architecture", "loss", "size", "origin", "a", "b", "c"]
    assert found.front.notna().all(axis=None)
    assert found.table is not None
    assert found.table.imported[["a", "b", "c"]].notna().all(axis=None)


def test_a_reported_number_with_the_name_of_a_parameter_is_kept(tmp_path: Path) -> None:
    def evaluate(trial: nas.Trial) -> Mapping[str, float]:
        assert trial.choices is not None
        return {"error": float(trial.choices["width"]), "width": 0.5}

    found = nas.search(ZOO["one_parameter"](), ["error"], evaluate, budget=3, algorithm="random", out=tmp_path / "run")  # fmt: skip
    assert set(found.history["reported_width"]) == {0.5}
    assert set(found.history["width"]) == {16, 32, 64}


def test_a_space_without_names_has_the_files_of_before(tmp_path: Path) -> None:
    found = nas.search(Grid(), ["error", "params"], quick, budget=4, algorithm="random", out=tmp_path / "run")
    assert list(found.front.columns) == ["architecture", "error", "params"]
    assert list(found.history.columns)[-1] == "told_seconds"


def forget_parameters(folder: Path) -> None:
    """Make the log one of an earlier version."""
    with closing(sqlite3.connect(folder / "history.sqlite")) as db:
        db.execute("DROP TABLE parameters")
        db.execute("DELETE FROM meta WHERE key = 'parameters'")
        db.execute("UPDATE meta SET value = json_remove(value, '$.declaration') WHERE key = 'identity'")
        db.commit()


def test_a_run_of_an_earlier_version_is_read_and_gets_its_columns_on_resume(tmp_path: Path) -> None:
    space, out = ZOO["resnets"](), tmp_path / "run"
    search(space, tmp_path / "first")
    before = search(space, out, warm_start=tmp_path / "first").front
    forget_parameters(out)
    assert list(nas.load_run(out)[0].front.columns) == ["architecture", "loss", "size", "origin"]
    found = search(space, out, resume=True, budget=13)
    assert list(found.front.columns) == list(before.columns)
    assert found.history["depth"].notna().all()
    assert found.front["depth"].notna().all()


def test_renamed_parameters_are_recorded_again(tmp_path: Path) -> None:
    space = Named()
    search(space, tmp_path / "run")
    space.parameters = ("c", "d")
    found = search(space, tmp_path / "run", resume=True, budget=13)
    assert list(found.front.columns) == ["architecture", "loss", "size", "c", "d"]
    assert found.history["c"].notna().all()


class Named(nas.SearchSpace):
    """A space of the user's own with names."""

    name, cardinalities, parameters = "named", (4, 5), ("a", "b")

    def choices(self, architecture: nas.Architecture) -> dict[str, Any]:
        return dict(zip(self.parameters, architecture.genes, strict=True))


def test_a_space_of_ones_own_names_its_parameters() -> None:
    found = search(Named())
    assert list(found.front.columns) == ["architecture", "loss", "size", "a", "b"]


def test_names_that_cannot_be_columns_are_errors() -> None:
    space = Named()
    for wrong, message in (
        (("a", "seed"), "'seed' is a column of every run"),
        (("a", "a"), "two have one name"),
    ):
        space.parameters = wrong
        with pytest.raises(ConfigError, match=message):
            search(space)
    space.parameters = ("a", "loss")
    with pytest.raises(ConfigError, match="'loss' is also a parameter of space 'named'"):
        search(space)


def test_choices_that_fail_name_the_space_and_the_genes(tmp_path: Path) -> None:
    class Failing(Named):
        def choices(self, architecture: nas.Architecture) -> dict[str, Any]:
            raise RuntimeError("no names today")

    with pytest.raises(ConfigError, match=r"space 'named': choices\(\) failed for .*no names today"):
        search(Failing(), tmp_path / "run")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run to copy and damage."""
    out = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        search(ZOO["forbidding"](), out)
    return out


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE parameters SET cells = '[1]'",
        "UPDATE parameters SET cells = '['",
        "UPDATE parameters SET cells = '[{}, 1, \"x\"]'",
        "DROP TABLE parameters",
        "UPDATE meta SET value = '3' WHERE key = 'parameters'",
        'UPDATE meta SET value = \'["seed", "b", "c"]\' WHERE key = \'parameters\'',
    ],
)
def test_damaged_parameters_are_an_error(whole: Path, tmp_path: Path, statement: str) -> None:
    shutil.copytree(whole, tmp_path / "run")
    with closing(sqlite3.connect(tmp_path / "run" / "history.sqlite")) as db:
        db.execute(statement)
        db.commit()
    with pytest.raises(HistoryError, match=r"history\.sqlite"):
        nas.load_run(tmp_path / "run")


def test_the_type_of_a_column_follows_its_values() -> None:
    assert column([1, 2]).dtype == np.int64
    assert column([1, None]).dtype == np.float64
    assert column([None, None]).dtype == np.float64
    assert column([True, False]).dtype == bool
    assert column([True, None]).tolist()[0] is True
    written = as_written(
        pd.DataFrame({name: column(cells) for name, cells in {
            "int": [1, None], "float": [1.5, None], "bool": [True, None], "mixed": ["None", 0.25],
        }.items()}),
        ["int", "float", "bool", "mixed"],
    )  # fmt: skip
    assert [str(kind) for kind in written.dtypes[:3]] == ["Int64", "float64", "boolean"]
    assert written["mixed"].tolist() == ["None", "0.25"]


def test_a_large_whole_number_is_exact() -> None:
    assert cell(2**53 + 1) == "9007199254740993"
    assert cell(2**52) == 2**52
    assert cell(np.int64(3)) == 3
