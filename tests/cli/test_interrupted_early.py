"""What a search prints that is interrupted before its first result."""

from __future__ import annotations

from pathlib import Path

import pytest

import nas
from nas.cli.searching import _report
from nas.core.objectives import exclusions_text
from nas.engine.loop import LoopSettings
from nas.testing import ToySpace, toy_error


def test_no_table_and_no_plots_are_named_and_the_time_is_that_of_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(search: object) -> None:
        monkeypatch.setattr("nas.engine.search_state.SearchState.seconds", 960.0)
        raise KeyboardInterrupt

    monkeypatch.setattr("nas.engine.loop.Search.run", interrupt)
    out = tmp_path / "run"
    result = nas.search(ToySpace(), ["error"], toy_error, budget=3, algorithm="random", out=out)
    assert result.state == "interrupted"
    assert result.summary["seconds"] == 960.0
    _report(result, out, LoopSettings(evaluations=3), None)
    said = capsys.readouterr().out
    assert "Interrupted; all results are saved: 0 evaluated, 0 failed, 960 s" in said
    assert "front.csv" not in said
    assert "plots/" not in said
    assert "history.parquet" in said


def test_an_excluded_architecture_did_not_meet_its_limit() -> None:
    counts = {"madds <= 1e+06": 98, "the operator Erf": 2}
    assert exclusions_text(counts) == "98 did not meet madds <= 1e+06, 2 the operator Erf"
