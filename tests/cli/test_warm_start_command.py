"""`nas search --set warm_start=...` and what `nas front` makes of such a run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd


def test_a_search_may_begin_with_an_earlier_run(folder: Path, nas_command) -> None:
    assert nas_command("search", "search.yaml", "--out", "earlier").code == 0
    done = nas_command("search", "search.yaml", "--seed", "1", "--set", "warm_start=earlier", "--out", "new")
    assert done.code == 0, done.err
    assert "warm start from earlier" in " ".join(done.out.split())
    summary = json.loads((folder / "new" / "summary.json").read_text())
    assert (summary["evaluations"], summary["imported"]) == (20, 20)
    config = json.loads((folder / "new" / "config.json").read_text())
    assert config["warm_start"] == {"from": "earlier", "results": 20}
    shown = json.loads(nas_command("front", "new", "--json").out)
    front = pd.read_csv(folder / "new" / "front.csv", keep_default_na=False)
    assert [row["origin"] for row in shown] == front["origin"].tolist()
    assert set(front["origin"]) == {"", "earlier"}


def test_it_is_resumed_without_the_earlier_run(folder: Path, nas_command) -> None:
    nas_command("search", "search.yaml", "--out", "earlier")
    nas_command("search", "search.yaml", "--seed", "1", "--set", "warm_start=earlier", "--out", "new")
    shutil.rmtree(folder / "earlier")
    done = nas_command("search", "--resume", "new", "--budget", "25")
    assert done.code == 0, done.err
    assert json.loads((folder / "new" / "summary.json").read_text())["evaluations"] == 25


def test_another_warm_start_prevents_resuming(folder: Path, nas_command) -> None:
    nas_command("search", "search.yaml", "--out", "earlier")
    nas_command("search", "search.yaml", "--seed", "1", "--out", "new")
    done = nas_command("search", "--resume", "new", "--set", "warm_start=earlier", "--budget", "25")
    assert done.code == 4
    assert "warm_start: None then, 'earlier' now" in done.sentence


def test_a_warm_start_from_nothing_is_explained(folder: Path, nas_command) -> None:
    done = nas_command("search", "search.yaml", "--set", "warm_start=nowhere")
    assert done.code == 4
    assert "warm_start: no run in nowhere" in done.sentence
    assert not (folder / "run").exists()


def test_a_search_that_measures_again_prints_expected_values(folder: Path, nas_command) -> None:
    settings = ["surrogate=rbf", "repeats=0.3", "pool=100", "growth=0.5", "initial=6"]
    flags = [word for text in settings for word in ("--set", f"algorithm.{text}")]
    (folder / "search.yaml").write_text(
        (folder / "search.yaml").read_text().replace("{name: moead, population: 6}", "{name: sa-moead}")
    )
    done = nas_command("search", "search.yaml", *flags)
    assert done.code == 0, done.err
    assert "The front and its order follow from the expected error" in " ".join(done.out.split())
