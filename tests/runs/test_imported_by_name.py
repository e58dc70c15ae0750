"""A warm start from a table with one column per parameter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from engine_parts import Grid, quick
from space_zoo import ZOO

import nas
from nas.core.errors import ConfigError
from nas.core.problem import Problem
from nas.runs.imported import read_table

pytestmark = pytest.mark.usefixtures("no_plots")


def loss(c: Any) -> float:
    return float(sum((i + 1) * g for i, g in enumerate(c.genes)))


def search(space: nas.SearchSpace, **changes: Any) -> nas.SearchResult:
    given: dict[str, Any] = {"algorithm": "random", "budget": 1, "seed": 2}
    return nas.search(space, [loss], **given | changes)


def imported(found: nas.SearchResult) -> pd.DataFrame:
    assert found.table is not None
    return found.table.imported


@pytest.mark.parametrize("name", ["resnets", "nested", "forbidding", "values"])
def test_a_table_without_architectures_reads_back_to_the_same_ones(name: str, tmp_path: Path) -> None:
    space = ZOO[name]()
    earlier = search(space, budget=min(10, space.size or 10), out=tmp_path / "run", csv=True, seed=1)
    file, bare = tmp_path / "run" / "history.csv", tmp_path / "bare.csv"
    pd.read_csv(file, dtype=str, na_filter=False).drop(columns="architecture").to_csv(bare, index=False)
    tables: list[Any] = [
        file,
        bare,
        pd.read_csv(bare),
        earlier.history,
        earlier.history.drop(columns="architecture"),
    ]
    problem = Problem(space, [loss])
    for source in tables:
        found = read_table(source, problem, None)
        assert [space.format(r.trial.architecture) for r in found] == list(earlier.history["architecture"])
        assert [r.values["loss"] for r in found] == list(earlier.history["loss"])


def table(**columns: Any) -> pd.DataFrame:
    rows = {
        "depth": [1, 2],
        "width": ["16", 48.0],
        "activation": ["relu", "silu"],
        "loss": [2, 3.5],
        "note": [7, 8],
    }
    stages = {"stages.0.kernel": [3, "5"], "stages.0.se": ["None", 0.25], "stages.1.kernel": [None, 3]}
    return pd.DataFrame(
        {**rows, **stages, "stages.1.se": ["", "0.25"], "dropout": [float("nan"), "0.1"], **columns}
    )


def test_values_are_read_from_the_types_of_any_table(tmp_path: Path) -> None:
    space = ZOO["resnets"]()
    expected = [
        "depth=1/width=16/stages.0.kernel=3/stages.0.se=None/activation=relu",
        "depth=2/width=48/stages.0.kernel=5/stages.0.se=0.25/stages.1.kernel=3/stages.1.se=0.25/activation=silu/dropout=0.1",
    ]
    table().to_csv(tmp_path / "table.csv", index=False)
    for source in (table(), tmp_path / "table.csv", table(depth=["1.0", "2.0"])):
        found = imported(search(space, warm_start=source))
        assert list(found["architecture"]) == expected
        assert list(found["note"]) == [7, 8]  # a further number, which is not a parameter
        assert list(found["width"]) == [16, 48]


def test_a_spreadsheet_s_truth_values_are_read() -> None:
    space = nas.Space("flags", flag=nas.Choice(True, False), more=nas.Choice("TRUE", "x"))
    found = imported(search(space, warm_start=pd.DataFrame({"flag": ["TRUE", "FALSE"], "more": ["TRUE", "x"], "loss": 1.0})))  # fmt: skip
    assert list(found["architecture"]) == ["flag=True/more=TRUE", "flag=False/more=x"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": ["17", 48]}, "row 0: .*width: 17 is not an option; expected one of 16, 24, 32, 48"),
        ({"activation": ["relu", "gelu"]}, "row 1: .*activation: 'gelu' is not an option"),
        ({"dropout": [0.1, 0.1]}, "row 0: .*parameter 'dropout' is inactive with these values; remove it"),
        ({"activation": ["relu", ""]}, "row 1: .*parameter 'activation' is missing"),
        ({"stages.0.se": ["", 0.25]}, r"row 0: .*'stages.0.se' is missing.*write None for its option None"),
    ],
)  # fmt: skip
def test_errors_name_the_row_the_parameter_and_the_value(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        search(ZOO["resnets"](), warm_start=table(**changes))


def test_errors_of_a_file_name_the_line(tmp_path: Path) -> None:
    table(width=[16, 47]).to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(ConfigError, match=r"table\.csv: line 3: .*width: 47 is not an option"):
        search(ZOO["resnets"](), warm_start=tmp_path / "table.csv")


def test_a_row_that_contradicts_its_architecture_is_an_error() -> None:
    space = ZOO["forbidding"]()
    rows = pd.DataFrame({"architecture": ["a=1/b=2/c=x"], "a": [1], "b": [3], "loss": [1.0]})
    with pytest.raises(ConfigError, match="row 0: b is 3, but 2 in the architecture of this row"):
        search(space, warm_start=rows)
    assert len(imported(search(space, warm_start=rows.assign(b=2)))) == 1


def test_a_forbidden_combination_is_an_error() -> None:
    rows = pd.DataFrame({"a": [9], "b": [9], "c": ["x"], "loss": [1.0]})
    with pytest.raises(ConfigError, match=r"row 0: .*forbids this combination"):
        search(ZOO["forbidding"](), warm_start=rows)


def test_a_table_without_either_column_lists_both_ways() -> None:
    with pytest.raises(ConfigError, match=r"no column 'architecture'; expected architecture or one column for each parameter \(a, b, c\)"):  # fmt: skip
        search(ZOO["forbidding"](), warm_start=pd.DataFrame({"loss": [1.0]}))
    with pytest.raises(
        ConfigError, match="no column 'architecture'; expected architecture and one column for each"
    ):
        nas.search(Grid(), ["error"], quick, budget=1, warm_start=pd.DataFrame({"error": [1.0]}))
