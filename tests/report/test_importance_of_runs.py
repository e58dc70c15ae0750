"""Importance of a run's parameters, read from its folder, on the page and by `nas front`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commands import nas_in
from report_browser import Open, Opened
from report_parts import THREE, frame_of, table_of

import nas
from nas.algorithms.importance import Importances
from nas.report import read_source
from nas.report.importance import Unknown, on_page, run_importances
from nas.testing import ToySpace, toy_error

pytestmark = pytest.mark.usefixtures("no_plots")


def declared() -> nas.Space:
    return nas.Space(
        "mine",
        width=nas.Integer(1, 6),
        depth=nas.Integer(1, 6),
        kind=nas.Choice("a", "b"),
        rate=nas.Float(0.0, 1.0, levels=5, when={"kind": "b"}),
    )


def evaluated(trial: nas.Trial) -> dict[str, float]:
    width, depth, kind, rate = trial.architecture.genes
    return {"error": 30.0 - 4.0 * width - depth + 0.1 * kind + 0.1 * rate, "other": float(kind) + 0.2 * depth}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a declared space with two measured objectives and an exact one."""
    out = tmp_path_factory.mktemp("runs") / "mine"
    width = nas.Objective("widths", cheap=True, function=lambda a: float(a.genes[0]))
    other = nas.Objective("other", maximize=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        nas.search(
            declared(), ["error", other, width], evaluated, algorithm="random", budget=60, seed=2, out=out
        )
    return out


def test_a_run_is_read_without_its_code(run: Path) -> None:
    source = read_source(run)
    assert source.space is None
    assert source.declared is not None
    error, other = run_importances(source.table, source.declared)
    assert isinstance(error, Importances)
    assert isinstance(other, Importances)
    assert (error.objective, other.objective) == ("error", "other")
    assert error.parameters[0].parameter == "width"
    assert other.parameters[0].parameter == "kind"
    assert error.results == 60
    assert {one.parameter for one in error.parameters} == set(declared().parameters)
    again, _ = run_importances(source.table, declared())
    assert isinstance(again, Importances)
    assert again.parameters[0].parameter == "width"


def test_reasons_take_the_place_of_importances() -> None:
    few = table_of(frame_of(THREE, 12), THREE)
    unknown = run_importances(few, ToySpace())[0]
    assert isinstance(unknown, Unknown)
    assert run_importances(few, None)[0].reason.startswith("the space of this run is not loaded")  # type: ignore[union-attr]
    assert on_page(unknown).reason == unknown.reason
    assert on_page(unknown).parameters == ()


def test_a_space_that_fails_is_a_reason(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = declared()

    def fails(architectures: Any) -> Any:
        raise RuntimeError("no features")

    monkeypatch.setattr(space, "encode", fails)
    found = run_importances(read_source(run).table, space)
    assert isinstance(found[0], Unknown)
    assert "the space failed: RuntimeError: no features" in found[0].reason


def test_few_results_are_too_few(tmp_path: Path) -> None:
    nas.search(
        ToySpace(), ["error", "params"], toy_error, algorithm="random", budget=15, out=tmp_path / "few"
    )
    (found,) = run_importances(read_source(tmp_path / "few").table, ToySpace())
    assert isinstance(found, Unknown)
    assert "15 results are too few; at least 20" in found.reason


def test_a_run_in_which_everything_failed_has_reasons(tmp_path: Path) -> None:
    def fails(trial: nas.Trial) -> dict[str, float]:
        raise ValueError("no data")

    loop = nas.LoopSettings(max_failures=1.0)
    result = nas.search(declared(), ["error"], fails, algorithm="random", budget=4, loop=loop)
    assert result.table is not None
    (unknown,) = run_importances(result.table, declared())
    assert isinstance(unknown, Unknown)
    assert "0 results" in unknown.reason


def test_the_page_shows_bars_with_intervals(run: Path, show_page: Open) -> None:
    opened = show_page(read_source(run))
    assert opened.errors == []
    rows = opened.page.locator("#importance-list table").first.locator("tbody tr")
    assert rows.count() == 4
    assert rows.first.locator("th").inner_text() == "width"
    assert "%" in rows.first.inner_text()
    box = rows.first.locator(".track div").first.bounding_box()
    assert box is not None
    assert box["width"] > 20
    assert "60 results" in opened.text("#importance-list")
    assert "Parameter importance" in opened.text("#contents")


def test_the_page_of_a_run_without_its_space_says_why(plain_page: Opened) -> None:
    assert plain_page.errors == []
    assert "Not known:" in plain_page.text("#importance-list")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    return nas_in(monkeypatch, capsys)


def test_nas_front_prints_importances(run: Path, command: Any) -> None:
    done = command("front", str(run), "--importance")
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    assert "Importance of parameters for error: share of the variance, 60 results" in said
    assert "Importance of parameters for other" in said
    assert "90% interval" in said
    assert said.index("width") > said.index("Pareto front")


def test_nas_front_gives_importances_as_json(run: Path, command: Any) -> None:
    done = command("front", str(run), "--importance", "--json")
    found = json.loads(done.out)
    assert set(found) == {"front_size", "rows", "importance"}
    error = found["importance"][0]
    assert error["objective"] == "error"
    first = error["parameters"][0]
    assert first["parameter"] == "width"
    assert first["low"] < first["share"] < first["high"]
