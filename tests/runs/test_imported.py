"""A warm start from a table: a CSV file or a DataFrame; and from a run whose genes had fewer choices."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from engine_parts import Grid, quick

import nas
from nas.core.errors import ConfigError, HistoryError
from nas.training import Halving

pytestmark = pytest.mark.usefixtures("no_plots")


def search(**changes: Any) -> nas.SearchResult:
    arguments: dict[str, Any] = {"space": Grid(), "objectives": ["error", "params"], "evaluate": quick}
    return nas.search(
        **({"algorithm": "moead", **arguments | {"budget": 6, "algorithm": "random", "seed": 3} | changes})
    )


def table(**columns: Any) -> pd.DataFrame:
    rows = {"architecture": ["5-5-5-5-5-5", "0-0-0-0-0-0"], "error": [0.5, 150.0]}
    return pd.DataFrame(rows | columns)


def test_a_csv_file_is_a_warm_start(tmp_path: Path) -> None:
    file = tmp_path / "earlier.csv"
    file.write_text("error,architecture,loss,note\n0.25,5-5-5-5-5-5,0.1,good\n150,0-0-0-0-0-0,,\n")
    found = search(warm_start=file, out=tmp_path / "run")
    assert found.summary["imported"] == 2
    assert not set(found.history["architecture"]) & {"5-5-5-5-5-5", "0-0-0-0-0-0"}
    ours = found.front[found.front["origin"] == str(file)]
    assert list(ours["error"]) == [0.25, 150.0]
    assert list(ours["params"]) == [40.0, 10.0]  # exact, so computed
    assert found.table is not None
    assert found.table.imported["loss"].iloc[0] == 0.1
    assert "note" not in found.table.imported
    resumed = search(warm_start=file, out=tmp_path / "run", resume=True, budget=9)
    assert resumed.summary["imported"] == 2
    file.unlink()
    assert search(out=tmp_path / "run", resume=True, budget=10).summary["imported"] == 2


def test_a_data_frame_is_a_warm_start_and_may_hold_architectures(tmp_path: Path) -> None:
    given = table(architecture=["5-5-5-5-5-5", nas.Architecture("grid", (0,) * 6)], params=[40, 10])
    before = given.copy(deep=True)
    found = search(warm_start=given, out=tmp_path / "run")
    assert found.summary["imported"] == 2
    pd.testing.assert_frame_equal(given, before)
    assert search(warm_start=given, out=tmp_path / "run", resume=True, budget=7).summary["imported"] == 2
    with pytest.raises(HistoryError, match="warm_start: the run was started with 'a DataFrame of 2 rows"):
        search(warm_start=table(error=[1.0, 2.0]), out=tmp_path / "run", resume=True, budget=8)


@pytest.mark.parametrize("name", ["history", "front"])
def test_the_tables_of_a_run_are_accepted_unchanged(name: str, tmp_path: Path) -> None:
    def sometimes(trial: nas.Trial) -> Mapping[str, float]:
        if trial.id == 2:
            raise ValueError("broken\nin two lines")
        return {**quick(trial), "loss": 0.5}

    earlier = search(evaluate=sometimes, out=tmp_path / "earlier")
    frame = earlier.history if name == "history" else earlier.front
    frame.to_csv(tmp_path / "t.csv", index=False)
    for source in (tmp_path / "t.csv", frame):
        found = search(seed=4, warm_start=source)
        assert found.table is not None
        successes = frame[frame["status"] == "ok"] if name == "history" else frame
        assert list(found.table.imported["architecture"]) == list(successes["architecture"])
        assert list(found.table.imported["error"]) == list(successes["error"])


def test_the_same_results_give_the_same_search_from_a_run_and_from_its_table(tmp_path: Path) -> None:
    earlier = search(out=tmp_path / "earlier")
    by_run = search(seed=4, algorithm="moead", budget=12, warm_start=tmp_path / "earlier")
    by_table = search(seed=4, algorithm="moead", budget=12, warm_start=earlier.history)
    assert list(by_run.history["architecture"]) == list(by_table.history["architecture"])


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_a_mark_at_the_start_and_blank_lines_are_read(
    separator: str, tmp_path: Path
) -> None:
    file = tmp_path / "t.csv"
    text = "architecture,error\r\n\r\n5-5-5-5-5-5, 0.5\r\n".replace(",", separator)
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert search(warm_start=str(file)).summary["imported"] == 1


def test_rows_of_the_budget_of_the_search_count(tmp_path: Path) -> None:
    given = table(budget=[3, 9])
    found = search(warm_start=given, loop=nas.LoopSettings(fidelity=9))
    assert found.summary["imported"] == 1
    assert search(warm_start=given, loop=nas.LoopSettings(halving=Halving(3, 9, 3))).summary["imported"] == 1
    with pytest.raises(ConfigError, match=r"no successful result without a budget .*budget 3, 9"):
        search(warm_start=given)
    assert search(warm_start=table(), loop=nas.LoopSettings(fidelity=9)).summary["imported"] == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("architecture,error\n5-5-5-5-5-5,low\n", "line 2: error is 'low'; expected a finite number"),
        ("architecture,error\n5-5-5-5-5-5,\n", "line 2: error is ''; expected a finite number"),
        ("architecture,error\n5-5-5-5-5-5,nan\n", "line 2: error is 'nan'; expected a finite number"),
        ("architecture,error\n5-5-5-5-5-5,inf\n", "line 2: error is 'inf'; expected a finite number"),
        (
            'architecture,error,n\n5-5-5-5-5-5,1,"a\nb"\n5-5,1,\n',
            "line 4: not an architecture of space 'grid': ",
        ),
        ("architecture,error\n7-0-0-0-0-0,1\n", "line 2: not an architecture of space 'grid': "),
        ("architecture,error\nr8/stem8s1,1\n", "line 2: not an architecture of space 'grid': "),
        ("architecture,error\n,1\n", "line 2: architecture is ''"),
        (
            "architecture,error,params\n5-5-5-5-5-5,1,41\n",
            "line 2: params is 41, but 40 for this architecture here",
        ),
        ("architecture,error,status\n5-5-5-5-5-5,1,good\n", "line 2: status is 'good'"),
        ("architecture,error\n5-5-5-5-5-5,1,2\n", "line 2: 3 cells, expected 2 as in line 1"),
        ('architecture,error\n5-5-5-5-5-5,"1\n', "not CSV"),
        ("architecture,error,error\n5-5-5-5-5-5,1,1\n", "column 'error' appears twice"),
        (
            "architecture,eror\n5-5-5-5-5-5,1\n",
            r"no column 'error' \(did you mean 'eror'\?\); expected architecture and",
        ),
        ("error\n1\n", "no column 'architecture'"),
        ("", "no column 'architecture'.*found nothing"),
        ("architecture,error\n", "no successful result without a budget; name another table"),
        ("architecture,error,seed\n5-5-5-5-5-5,1,x\n", "line 2: seed is 'x'"),
    ],
)
def test_bad_rows_are_named_by_their_line_before_any_work(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said) as refused:
        search(warm_start=file, out=tmp_path / "run")
    assert str(refused.value).startswith(f"warm_start: {file}")
    assert not (tmp_path / "run").exists()


def test_many_bad_rows_are_counted() -> None:
    bad = pd.DataFrame({"architecture": ["5-5"] * 9 + ["0-0-0-0-0-0"], "error": 1.0}, index=range(100, 110))
    with pytest.raises(
        ConfigError, match=r"row 0 \(index 100\): not an arch.*row 4 \(index 104\).*and 4 more rows"
    ):
        search(warm_start=bad)


def test_architectures_of_another_space_are_named() -> None:
    with pytest.raises(
        ConfigError, match="row 0: architecture belongs to space 'toy'; this search uses 'grid'"
    ):
        search(warm_start=table(architecture=[nas.Architecture("toy", (0,) * 6)] * 2))


@pytest.mark.parametrize("content", [b"\x00\xff\xfe", b"PK\x03\x04\xff", b"architecture,error\n\xe9,1\n"])
def test_a_file_that_is_not_csv_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="not a CSV file in UTF-8"):
        search(warm_start=file)


def test_a_list_is_refused_as_no_table() -> None:
    with pytest.raises(
        ConfigError, match="warm_start: expected the folder of a run, a CSV file or a DataFrame, got list"
    ):
        search(warm_start=[{"architecture": "x", "error": 3}])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the file does not exist"):
        search(warm_start=tmp_path / "t.csv")
    with pytest.raises(HistoryError, match="no run in"):
        search(warm_start=tmp_path / "folder")


def test_values_that_are_text_in_a_frame_or_missing_are_named() -> None:
    for value in ("x", None, math.nan, pd.NA, True, [1]):
        with pytest.raises(ConfigError, match=r"row 1: error is .*expected a finite number"):
            search(warm_start=table(error=pd.Series([1.0, value], dtype=object)))


def test_a_choice_added_to_a_gene_keeps_the_results_of_an_earlier_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    earlier = search(out=tmp_path / "earlier")
    larger = Grid()
    larger.cardinalities = (6, 8, 6, 6, 6, 7)
    found = search(space=larger, warm_start=tmp_path / "earlier", out=tmp_path / "run")
    assert found.summary["imported"] == len(earlier.history)
    assert "gene 1: 6 then, 8 now; gene 5: 6 then, 7 now" in caplog.text
    assert "choices were added to space 'grid'" in caplog.text
    assert search(space=larger, out=tmp_path / "run", resume=True, budget=8).summary["imported"] == 6


@pytest.mark.parametrize("cardinalities", [(6, 5, 6, 6, 6, 6), (6,) * 5, (6,) * 7])
def test_choices_that_were_removed_are_refused(cardinalities: tuple[int, ...], tmp_path: Path) -> None:
    search(out=tmp_path / "earlier")
    other = Grid()
    other.cardinalities = cardinalities
    with pytest.raises(ConfigError, match="choices may be added, not removed"):
        search(space=other, warm_start=tmp_path / "earlier")


def test_a_choice_that_moved_others_is_noticed_by_the_exact_objectives(tmp_path: Path) -> None:
    search(out=tmp_path / "earlier")
    with pytest.raises(HistoryError, match="had params = "):
        search(space=Grid(choices=7, scale=2.0), warm_start=tmp_path / "earlier")


def test_the_config_of_a_run_names_the_table(tmp_path: Path) -> None:
    table().to_csv(tmp_path / "t.csv", index=False)
    search(warm_start=tmp_path / "t.csv", out=tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["warm_start"] == {"from": str(tmp_path / "t.csv"), "results": 2}
