"""How well inherited errors agree with own trainings: in the summary, as a table and in the files of a run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from engine_parts import Grid, Noting, interrupt_at, quick
from sharing_notes import DECISION, Inherits, Sharing, later_note, sharing_note

import nas
from nas.core.errors import ForeignFileError
from nas.core.records import Note
from nas.report.sharing import own_trainings
from nas.runs.history import FILE
from nas.runs.sharing_quality import SHARING, decision, sharing_qualities, sharing_summary

pytestmark = pytest.mark.usefixtures("no_plots")
NEWEST = later_note(20, trusted=False)
IN_SUMMARY = {
    "sharing_tau": 0.5,
    "sharing_tau_interval": [0.1, 0.8],
    "sharing_partial_tau": 0.4,
    "sharing_partial_tau_interval": [-0.1, 0.75],
    "sharing_bias": 41.06,
    "sharing_bias_interval": [28.5, 53.0],
    "sharing_networks": 6,
    "sharing_trusted": False,
}


def search(out: Path | None, **more: Any) -> nas.SearchResult:
    settings = {"algorithm": Sharing, "budget": 22, "seed": 3, **more}
    return nas.search(Grid(), ["error", "params"], quick, out=out, **settings)


def in_summary(values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key.startswith("sharing")}


def read(out: Path) -> dict[str, Any]:
    return in_summary(json.loads((out / "summary.json").read_text()))


def test_the_summary_is_by_the_decision_else_by_the_newest_note() -> None:
    assert sharing_summary([sharing_note(12), NEWEST]) == IN_SUMMARY
    assert sharing_summary([NEWEST])["sharing_tau"] == 0.3
    assert sharing_summary([Note(3, "surrogate", {"tau": 0.1})]) == {}


def test_numbers_that_are_not_known_are_null_in_the_summary() -> None:
    found = sharing_summary([sharing_note(9, tau=math.nan, tau_low=math.inf, tau_high="high")])
    assert (found["sharing_tau"], found["sharing_tau_interval"]) == (None, [None, None])
    bare = sharing_summary([Note(3, SHARING, {})])
    assert (bare["sharing_tau"], bare["sharing_networks"], bare["sharing_trusted"]) == (None, 0, None)


def test_the_decision_is_the_newest_note_with_a_sentence() -> None:
    found = sharing_qualities([sharing_note(12), NEWEST])
    decided = decision(found)
    assert decided is not None
    assert (decided.told, decided.text) == (12, DECISION)
    assert decision(found[1:]) is None


def test_a_quality_reads_as_a_line() -> None:
    assert str(sharing_qualities([sharing_note(12)])[0]) == (
        "tau 0.50 (0.10 to 0.80), given the costs 0.40 (-0.10 to 0.75), bias +41.1 points, 6 networks"
    )
    unknown = sharing_note(12, tau=math.nan, bias=math.nan)
    assert str(sharing_qualities([unknown])[0]).startswith("tau unknown, given the costs 0.40")


def test_a_finished_run_has_the_summary_and_the_table(tmp_path: Path) -> None:
    result = search(tmp_path / "run")
    assert in_summary(result.summary) == read(tmp_path / "run") == IN_SUMMARY
    table = pd.read_csv(tmp_path / "run" / "sharing.csv")
    assert table["told"].tolist() == [10, 15, 20]
    assert table["networks"].tolist() == [6, 8, 8]
    assert table["trusted"].tolist() == [True, False, False]
    assert np.isnan(table["loss_partial"]).all()
    assert not (tmp_path / "run" / "surrogate.csv").exists()


def test_an_interrupted_and_a_resumed_run_have_them_too(tmp_path: Path) -> None:
    search(tmp_path / "run", callbacks=[interrupt_at(17)])
    assert pd.read_csv(tmp_path / "run" / "sharing.csv")["told"].tolist() == [10, 15]
    assert read(tmp_path / "run")["sharing_networks"] == 6
    search(tmp_path / "run", resume=True)
    assert pd.read_csv(tmp_path / "run" / "sharing.csv")["told"].tolist() == [10, 15, 20]


def test_a_finished_run_that_is_written_again_has_them(tmp_path: Path) -> None:
    search(tmp_path / "run")
    before = (tmp_path / "run" / "sharing.csv").read_bytes()
    for name in ("sharing.csv", "summary.json"):
        (tmp_path / "run" / name).unlink()
    search(tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "sharing.csv").read_bytes() == before
    assert read(tmp_path / "run") == IN_SUMMARY


def test_every_number_of_a_search_with_own_trainings_is_known(tmp_path: Path) -> None:
    result = nas.search(
        Grid(), ["error", "params"], Inherits(), algorithm="moead", budget=44, seed=3, out=tmp_path / "run"
    )
    found = read(tmp_path / "run")
    assert found == in_summary(result.summary)
    assert found.keys() == IN_SUMMARY.keys()
    assert found["sharing_tau"] > 0.7
    assert 30 < found["sharing_bias"] < 32
    assert all(np.isfinite(value).all() for value in found.values())
    assert result.table is not None
    qualities = sharing_qualities(result.table.notes)
    assert found["sharing_networks"] == qualities[0].networks
    assert len(own_trainings(result.table).own) == qualities[-1].networks
    assert decision(qualities) == qualities[0]
    assert own_trainings(result.table).decided.sum() == qualities[0].networks
    assert not any(
        math.isnan(getattr(qualities[0], name).low) for name in ("tau", "partial", "bias", "loss_tau")
    )


def test_a_search_without_a_folder_has_the_summary() -> None:
    assert in_summary(search(None).summary) == IN_SUMMARY


def test_a_run_without_such_notes_has_neither(tmp_path: Path) -> None:
    search(tmp_path / "run", algorithm=Noting)
    assert read(tmp_path / "run") == {}
    assert not (tmp_path / "run" / "sharing.csv").exists()


def test_a_file_of_this_name_that_is_not_the_run_s_stops_a_resume(tmp_path: Path) -> None:
    search(tmp_path / "run", algorithm=Noting)
    (tmp_path / "run" / "sharing.csv").write_text("mine")
    log = (tmp_path / "run" / FILE).stat().st_size
    with pytest.raises(ForeignFileError, match=r"sharing\.csv"):
        search(tmp_path / "run", algorithm=Noting, budget=30, resume=True)
    assert (tmp_path / "run" / FILE).stat().st_size == log
