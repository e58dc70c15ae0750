"""`nas report`, and the page that a search leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import nas_in

import nas
from nas.cli.reporting import report_at_the_end
from nas.testing.toy import ToySpace, toy_error

OWN = '''
import nas

class Space(nas.SearchSpace):
    """Three genes."""

    name = "own"
    cardinalities = (4, 4, 4)

def train(trial):
    return {"error": float(sum(trial.architecture.genes)), "size": float(9 - trial.architecture.genes[0])}
'''
CONFIG = """
space: own.py:Space
objectives: [error, {name: size, unit: kB}]
evaluator: own.py:train
executor: serial
algorithm: random
budget: 6
out: mine
"""


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], no_plots: None
) -> Callable[..., Any]:
    """Run `nas` with arguments: its exit code and output."""

    nas = nas_in(monkeypatch, capsys)

    def run(*arguments: str) -> tuple[int, str]:
        done = nas(*arguments)
        return done.code, done.out + done.sentence

    return run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a config and its parts."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "mine.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def result(tmp_path: Path, no_plots: None) -> nas.SearchResult:
    return nas.search(
        ToySpace(), ["error", "params"], toy_error, budget=12, out=tmp_path / "run", algorithm="moead"
    )


def test_a_search_ends_with_its_page_and_the_command_makes_it_again(folder: Path, command: Any) -> None:
    code, said = command("search", "mine.yaml")
    assert code == 0
    assert "mine/report.html  all results on one page" in said
    (folder / "mine" / "report.html").unlink()
    code, said = command("report", "mine")
    assert code == 0
    assert (folder / "mine" / "report.html").stat().st_size > 50_000
    assert "opens offline in any browser" in said


def test_runs_are_compared_on_a_separate_page(folder: Path, command: Any) -> None:
    command("search", "mine.yaml")
    command("search", "mine.yaml", "--seed", "2", "--out", "other")
    assert command("report", "mine", "other")[0] == 0
    assert (folder / "mine" / "comparison.html").is_file()
    assert command("report", "mine", "other", "--out", "both.html")[0] == 0
    assert (folder / "both.html").is_file()


def test_a_folder_without_a_run_is_explained(folder: Path, command: Any) -> None:
    code, said = command("report", "nothing")
    assert code == 4
    assert "no run in nothing" in said


def test_a_run_that_is_named_twice_is_refused(folder: Path, command: Any) -> None:
    command("search", "mine.yaml")
    code, said = command("report", "mine", "./mine")
    assert code == 2
    assert "name each run once" in said


def test_a_page_that_fails_leaves_a_finished_search_finished(
    result: nas.SearchResult, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*given: Any) -> None:
        raise RuntimeError("out of ink")

    monkeypatch.setattr("nas.report.write_page", fail)
    assert report_at_the_end(result, ToySpace()) is None
    said = " ".join(capsys.readouterr().out.split())
    assert "No report: RuntimeError: out of ink" in said
    assert f"nas report {result.out}" in said


def test_the_page_of_a_custom_space_at_the_end_of_a_search_lists_genes(folder: Path, command: Any) -> None:
    command("search", "mine.yaml")
    text = (folder / "mine" / "report.html").read_text(encoding="utf-8")
    assert "its genes are listed instead of a drawing" in text
