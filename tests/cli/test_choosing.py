"""`nas front --prefer --knee --top`: output, JSON, refused arguments."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from noisy_parts import search as noisy_search


@pytest.fixture
def run(finished_run: Path) -> pd.DataFrame:
    """A small run in the working directory; its front."""
    return pd.read_csv(finished_run / "front.csv")


def table_rows(text: str) -> list[list[str]]:
    """The cells of a printed table's rows, without its header."""
    return [[c.strip() for c in line.split("│")[1:-1]] for line in text.splitlines() if line.startswith("│")]


def test_a_preference_ranks_the_front_and_marks_the_best(run: pd.DataFrame, nas_command) -> None:
    level = run["error"].iloc[len(run) // 2]
    done = nas_command("front", "run", "--prefer", f"error={level}%")
    assert done.code == 0
    rows = table_rows(done.out)
    firsts = [row for row in rows if row[0]]
    assert len(firsts) == len(run)
    assert [row[-1] for row in firsts] == ["best"] + [""] * (len(run) - 1)
    scores = [float(row[-2]) for row in firsts]
    assert scores == sorted(scores)
    assert re.search(r"error \S+ (worse|better)|error on target", rows[0][-3])
    assert f"Best: {firsts[0][0]}" in done.out
    assert "Targets of the other objectives (their best values given yours): params" in done.out


def test_limits_leave_out_and_say_how_many(run: pd.DataFrame, nas_command) -> None:
    bound = run["params"].median()
    left = int((run["params"] > bound).sum())
    assert left > 0
    done = nas_command("front", "run", "--prefer", f"params<={bound}")
    assert f"{len(run) - left} of {len(run)} architectures, {left} excluded by limits" in done.out
    assert "distance" not in done.out  # no target is set


def test_when_nothing_meets_the_limits_the_nearest_are_shown(run: pd.DataFrame, nas_command) -> None:
    done = nas_command("front", "run", "--prefer", "params<1", "--top", "2")
    assert done.code == 0
    assert f"none of {len(run)} architectures meets the limits; the nearest 2" in done.out
    rows = table_rows(done.out)
    assert len(rows) == 2
    assert rows[0][-1] == f"params <= 1 by {run['params'].min() - 1:.2f}"


def test_the_json_has_the_content_of_the_table(run: pd.DataFrame, nas_command) -> None:
    bound = run["params"].median()
    done = nas_command("front", "run", "--prefer", f"error=20%,params<={bound}", "--knee", "--json")
    said = json.loads(done.out)
    assert set(said) == {"front_size", "preference", "aspiration", "dropped", "nearest", "knee", "rows"}
    assert said["front_size"] == len(run) == said["dropped"] + len(said["rows"])
    assert said["aspiration"]["error"] == 20.0
    known = run.set_index("architecture")
    for row in said["rows"]:
        assert set(row) == {"architecture", "objectives", "score", "worse_by"}
        assert row["objectives"] == pytest.approx(known.loc[row["architecture"]].to_dict())
        assert row["worse_by"] == {"error": pytest.approx(row["objectives"]["error"] - 20.0)}
        assert row["objectives"]["params"] <= bound
    assert said["knee"]["architecture"] in {row["architecture"] for row in said["rows"]}


def test_the_json_of_limits_that_nothing_meets_has_the_nearest(run: pd.DataFrame, nas_command) -> None:
    said = json.loads(nas_command("front", "run", "--prefer", "params<1", "--knee", "--json").out)
    assert said["rows"] == []
    assert said["knee"] is None
    assert len(said["nearest"]) == said["dropped"] == len(run)
    assert said["nearest"][0]["misses"] == {"params <= 1": run["params"].min() - 1}


def test_the_knee_alone_is_marked_in_the_fronts_own_order(run: pd.DataFrame, nas_command) -> None:
    done = nas_command("front", "run", "--knee")
    firsts = [row for row in table_rows(done.out) if row[0]]
    assert [row[0] for row in firsts] == run["architecture"].tolist()
    (marked,) = [row for row in firsts if row[-1]]
    assert re.search(rf"(Knee point|most balanced): {marked[0]}", done.out)


def test_a_knee_that_is_not_shown_is_named(run: pd.DataFrame, nas_command) -> None:
    said = json.loads(nas_command("front", "run", "--knee", "--json", "--top", "1").out)
    done = nas_command("front", "run", "--knee", "--top", "1")
    assert len(said["rows"]) == 1
    assert said["knee"]["architecture"] in done.out


def test_top_takes_the_first_rows(run: pd.DataFrame, nas_command) -> None:
    done = nas_command("front", "run", "--top", "2")
    assert f"{len(run)} architectures, 2 shown" in done.out
    assert len([row for row in table_rows(done.out) if row[0]]) == 2
    assert len(json.loads(nas_command("front", "run", "--top", "2", "--json").out)) == 2


def test_top_takes_the_best_of_a_ranking(run: pd.DataFrame, nas_command) -> None:
    every = json.loads(nas_command("front", "run", "--prefer", "params:3", "--json").out)["rows"]
    few = json.loads(nas_command("front", "run", "--prefer", "params:3", "--json", "--top", "2").out)["rows"]
    assert few == every[:2]


def test_an_invalid_preference_is_reported_before_the_run_is_read(folder: Path, nas_command) -> None:
    done = nas_command("front", "nothing", "--prefer", "error=5..")
    assert done.code == 2
    assert "prefer 'error=5..': expected a number" in done.sentence


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prefer", "eror=5"], "'eror' is not an objective of this search (did you mean 'error'?)"),
        (["--prefer", "params<5%"], "% is for levels in percent, but params is in parameters"),
        (["--prefer", ""], "prefer: expected terms such as error=5% (a target)"),
        (["--top", "0"], "Invalid value for '--top'"),
    ],
)
def test_a_wrong_choice_is_explained_and_prints_nothing(
    arguments: list[str], message: str, run: pd.DataFrame, nas_command
) -> None:
    done = nas_command("front", "run", *arguments)
    assert done.code == 2
    assert message in " ".join(re.sub(r"[│╭╮╰╯─]", " ", done.err).split())
    assert done.out == ""


def test_an_empty_front_is_reported(folder: Path, nas_command) -> None:
    nas_command("search", "search.yaml", "--set", "limits=['error <= -1']")
    done = nas_command("front", "run", "--prefer", "error=5%,params<1k", "--knee")
    assert done.code == 0
    assert "The front is empty" in done.out
    said = json.loads(nas_command("front", "run", "--prefer", "error=5%,params<1k", "--knee", "--json").out)
    assert (said["front_size"], said["rows"], said["nearest"], said["knee"]) == (0, [], [], None)


def test_a_noisy_front_is_printed_with_its_expected_values(tmp_path: Path, nas_command) -> None:
    result = noisy_search(tmp_path / "noisy")
    best = result.front["error_expected"].min()
    run = str(tmp_path / "noisy")
    done = nas_command("front", run)
    assert "error expected (90%)" in " ".join(done.out.split())
    assert "The front and its order follow from the expected error" in " ".join(done.out.split())
    rows = json.loads(nas_command("front", run, "--by", "error", "--json").out)
    assert rows[0]["error_expected"] == best
    asked = f"error<={best + 1}"
    found = json.loads(nas_command("front", run, "--prefer", asked, "--json").out)
    assert {"error_expected", "error_low", "error_high"} < set(found["rows"][0])
    assert all(row["error_expected"] <= best + 1 for row in found["rows"])
    none = nas_command("front", run, "--prefer", f"error<={best - 1}").out
    assert "error expected (90%)" in " ".join(none.split())
