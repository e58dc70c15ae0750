"""`nas front RUN --by NAME`: the front ranked by any recorded number."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from nas.cli.choosing import front_by, recorded_names
from nas.core.errors import ConfigError
from nas.core.objectives import Objective
from nas.runs.reading import load_run
from nas.runs.run_folder import run_table

ERROR, SPEED, PARAMS = Objective("error", "%"), Objective("speed", maximize=True), Objective("params")


def frame(**columns: list[object]) -> pd.DataFrame:
    """A run's rows, in result order."""
    n = len(columns["architecture"])
    common = {
        "trial": range(n),
        "status": "ok",
        "seed": 0,
        "budget": float("nan"),
        "worker": "w",
        "reason": "",
    }
    told = {
        "told": [float(i) for i in range(n)],
        "told_seconds": 1.0,
        "asked_at": 1.7e9,
        "seconds": [float(n - i) for i in range(n)],
    }
    return pd.DataFrame({**common, **told, **columns})


@pytest.fixture
def table():
    """Three architectures on the front, with a loss recorded beside; "b" was measured again later."""
    rows = frame(
        architecture=["a", "b", "c", "b"],
        error=[1.0, 2.0, 3.0, 2.0],
        params=[30.0, 20.0, 10.0, 20.0],
        loss=[0.3, 0.9, float("nan"), 0.1],
    )
    return run_table(rows, [ERROR, PARAMS], [], 2)


def test_the_front_is_ranked_by_the_latest_value_of_each_architecture_and_empty_ones_come_last(table) -> None:
    ranked = front_by(table, "loss")
    assert list(ranked["architecture"]) == ["b", "a", "c"]
    assert list(ranked["loss"])[:2] == [0.1, 0.3]
    assert ranked["loss"].isna().tolist() == [False, False, True]
    assert list(front_by(table, "loss", largest=True)["architecture"]) == ["a", "b", "c"]
    assert list(front_by(table, "seconds")["architecture"]) == ["b", "c", "a"]


def test_an_objective_ranks_by_its_direction() -> None:
    rows = frame(architecture=["a", "b"], error=[1.0, 2.0], speed=[5.0, 9.0])
    table = run_table(rows, [ERROR, SPEED], [], 2)
    assert list(front_by(table, "speed")["architecture"]) == ["b", "a"]
    assert list(front_by(table, "error")["architecture"]) == ["a", "b"]


def test_texts_and_bookkeeping_are_not_values_and_a_typo_gets_the_nearest_name(table) -> None:
    assert recorded_names(table) == ["error", "params", "budget", "loss", "seconds"]
    with pytest.raises(ConfigError, match=r"--by 'los': .* 'loss'.*error, params"):
        front_by(table, "los")


def test_the_command_shows_the_value_as_a_column(folder: Path, nas_command) -> None:
    assert nas_command("search", "search.yaml").code == 0
    done = nas_command("front", "run", "--by", "seconds")
    assert done.code == 0, done
    assert "seconds" in done.out
    rows = json.loads(nas_command("front", "run", "--by", "seconds", "--largest", "--json").out)
    seconds = [row["seconds"] for row in rows]
    assert seconds == sorted(seconds, reverse=True)
    assert {row["architecture"] for row in rows} == set(load_run("run")[0].front["architecture"])
    done = nas_command("front", "run", "--by", "seconds", "--top", "1", "--knee")
    assert "1 shown" in done.out
    assert nas_command("front", "run", "--by", "worker").code == 2


@pytest.mark.parametrize("flags", [["--by", "params", "--prefer", "error=3%"], ["--largest"]])
def test_flags_that_contradict_are_refused_before_the_run_is_read(nas_command, folder: Path, flags) -> None:
    done = nas_command("front", "nowhere", *flags)
    assert done.code == 2
    assert "--by" in done.sentence
