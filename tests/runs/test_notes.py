"""Notes of algorithms, and resuming by recall instead of repeated asks."""

from __future__ import annotations

import io
import math
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from engine_parts import QUICK_SETTINGS, Grid, Noting, Shuffled, interrupt_at, judgement, log_of, quick
from rich.console import Console

import nas
from nas.cli.panel import StatusPanel
from nas.cli.progress import LogLines
from nas.core.errors import HistoryError
from nas.core.problem import Problem
from nas.core.records import Note
from nas.engine.loop import LoopSettings, SearchState
from nas.monitor import LiveStatus
from nas.report.plots import figures
from nas.runs.history import FILE, read_notes
from nas.runs.notes import values_as_text, values_from_text

OBJECTIVES = ["error", "params"]
pytestmark = pytest.mark.usefixtures("no_plots")


def search(out: Path | None, budget: int = 30, stop: int | None = None, **more: object) -> nas.SearchResult:
    settings = {"algorithm": Noting, "callbacks": [interrupt_at(stop)], **more}
    return nas.search(
        Grid(), OBJECTIVES, quick, budget=budget, seed=3, out=out, **{"algorithm": "moead", **settings}
    )  # type: ignore[arg-type]


def told(notes: object) -> list[int]:
    return [note.told for note in notes]  # type: ignore[attr-defined]


def test_a_note_survives_json_with_nan_for_values_that_are_not_finite() -> None:
    values = {
        "chosen": 'a "b"',
        "rows": 7,
        "tau": 0.25,
        "reliable": False,
        "rmse": math.nan,
        "low": -math.inf,
    }
    back = values_from_text(values_as_text(values))
    assert math.isnan(back.pop("rmse"))
    assert math.isnan(back.pop("low"))
    assert back == {"chosen": 'a "b"', "rows": 7, "tau": 0.25, "reliable": False}
    assert [type(back[key]) for key in ("rows", "tau", "reliable")] == [int, float, bool]


def test_the_history_has_the_notes_of_the_algorithm(tmp_path: Path) -> None:
    search(tmp_path)
    notes = read_notes(tmp_path)
    assert told(notes) == [5, 10, 15, 20, 25, 30]
    assert notes[1].values == judgement(10)
    assert math.isnan(float(notes[0].values["rmse"]))


def test_callbacks_see_the_notes_so_far(tmp_path: Path) -> None:
    seen: list[tuple[int, list[int]]] = []
    search(None, callbacks=[lambda state: seen.append((state.evaluated, told(state.notes)))])
    assert (4, []) in seen
    assert (11, [5, 10]) in seen


@pytest.mark.parametrize("first", [7, 15, 28])
def test_a_stopped_run_has_the_notes_of_an_uninterrupted_one(first: int, tmp_path: Path) -> None:
    search(tmp_path / "whole")
    search(tmp_path / "run", stop=first)
    states: list[SearchState] = []
    search(tmp_path / "run", resume=True, callbacks=[states.append])
    assert read_notes(tmp_path / "run")[1:] == read_notes(tmp_path / "whole")[1:]  # NaN in the first
    assert told(states[-1].notes) == told(read_notes(tmp_path / "run")) == [5, 10, 15, 20, 25, 30]


def test_notes_of_results_undone_by_a_larger_budget_are_made_again(tmp_path: Path) -> None:
    search(tmp_path, budget=20)  # the last 7 are told without asking between them
    db = sqlite3.connect(tmp_path / FILE)
    with db:
        db.execute("""UPDATE notes SET "values" = '{"text": "old"}'""")
    db.close()
    search(tmp_path, budget=30, resume=True)
    texts = [note.values["text"] == "old" for note in read_notes(tmp_path)]
    assert texts == [True, True, False, False, False, False]


def test_a_later_note_on_the_same_replaces_the_earlier() -> None:
    state = SearchState(Problem(Grid(), OBJECTIVES, quick), LoopSettings())
    state.take_notes([Note(3, "surrogate", {"objective": o, "tau": 0.1}) for o in ("error", "latency")])
    state.take_notes([Note(3, "surrogate", {"objective": "error", "tau": 0.2})])
    assert [note.values["tau"] for note in state.notes] == [0.2, 0.1]
    state.take_notes([Note(9, "surrogate", {"objective": "error", "tau": 0.3})])
    assert [note.values["tau"] for note in state.newest("surrogate")] == [0.3, 0.1]
    assert state.newest("other") == []


def test_damaged_notes_are_reported(tmp_path: Path) -> None:
    search(tmp_path)
    db = sqlite3.connect(tmp_path / FILE)
    with db:
        db.execute("""UPDATE notes SET "values" = '[1' WHERE told = 10""")
    db.close()
    with pytest.raises(HistoryError, match="damaged"):
        nas.load_run(tmp_path)


def test_resuming_recalls_earlier_asks_instead_of_repeating_them(tmp_path: Path) -> None:
    search(tmp_path / "whole", budget=40)
    search(tmp_path / "run", budget=40, stop=25)
    Noting.asks = 0
    search(tmp_path / "run", budget=40, resume=True)
    assert Noting.asks < 40 - 25
    assert log_of(tmp_path / "run") == log_of(tmp_path / "whole")


def test_an_unordered_run_is_recalled_too(tmp_path: Path) -> None:
    loop = LoopSettings(evaluations=40, ordered=False)
    executor = lambda evaluate, required: Shuffled(evaluate, 4, 1)  # noqa: E731
    for stop in (13, None):
        search(tmp_path, resume=stop is None, stop=stop, loop=loop, budget=40, executor=executor)
    assert len(set(log_of(tmp_path))) == 40


def test_an_exhausted_run_is_recalled_too(tmp_path: Path) -> None:
    tiny = dict(algorithm=Noting, budget=40, out=tmp_path)
    first = nas.search(Grid(3, 2), OBJECTIVES, quick, **{"algorithm": "moead", **tiny})  # type: ignore[arg-type]
    again = nas.search(Grid(3, 2), OBJECTIVES, quick, **{"algorithm": "moead", **tiny}, resume=True)  # type: ignore[arg-type]
    assert (first.state, again.state) == ("exhausted", "exhausted")
    assert first.front.equals(again.front)


def test_the_evaluations_of_surrogates_are_exported_as_a_table(tmp_path: Path) -> None:
    search(tmp_path)
    table = pd.read_csv(tmp_path / "surrogate.csv")
    assert table["told"].tolist() == [5, 10, 15, 20, 25, 30]
    assert list(table.columns) == ["told", *judgement(5)]
    assert table["reliable"].tolist() == [False] + [True] * 5
    assert table["coverage"].isna().tolist() == [True] + [False] * 5


def test_a_run_without_surrogates_has_neither_their_table_nor_their_plot(tmp_path: Path) -> None:
    result = search(tmp_path, algorithm="random")
    assert not (tmp_path / "surrogate.csv").exists()
    assert result.table is not None
    assert "surrogate.png" not in figures(result.table)


@pytest.mark.parametrize("folder", [None, "run"])
def test_the_plot_shows_tau_coverage_and_model_changes(folder: str | None, tmp_path: Path) -> None:
    table = search(None if folder is None else tmp_path / folder).table
    assert table is not None
    figure = figures(table)["surrogate.png"]()
    tau, coverage = figure.axes
    (line,) = [each for each in tau.lines if each.get_label() == "Kendall's tau"]
    assert line.get_xydata().tolist() == [[t, judgement(t)["tau"]] for t in (5, 10, 15, 20, 25, 30)]
    assert [text.get_text() for text in tau.texts] == ["gp/onehot", "ridge/pairs"]
    assert [text.xy[0] for text in tau.texts] == [5, 20]
    assert coverage.lines[-1].get_ydata()[1:].tolist() == [88.0] * 5


def test_a_plot_of_two_surrogates_has_a_row_for_each() -> None:
    table = search(None).table
    assert table is not None
    both = [
        Note(n.told, n.kind, {**n.values, "objective": o}) for n in table.notes for o in ("error", "latency")
    ]
    object.__setattr__(table, "notes", tuple(both))
    figure = figures(table)["surrogate.png"]()
    assert [ax.get_ylabel() for ax in figure.axes[::2]] == ["tau of error", "tau of latency"]


def shown(terminal: bool, notes: list[Note], monkeypatch: pytest.MonkeyPatch) -> str:
    """The progress display after these notes."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=120)
    monkeypatch.setattr("nas.cli.progress.output", lambda: console)
    live, state = LiveStatus(), SearchState(Problem(Grid(), OBJECTIVES, quick), LoopSettings())
    live.begin(state)
    log = LogLines(live.now)
    for note in notes:
        state.take_notes([note])
        if terminal:
            console.print(StatusPanel(live.now()))  # type: ignore[arg-type]
        else:
            log.say()
    return file.getvalue()


def test_the_log_shows_the_newest_evaluation_with_a_warning_if_unreliable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notes = [Note(t, "surrogate", judgement(t)) for t in (5, 20)]
    doubtful = shown(False, notes[:1], monkeypatch)
    assert "warning: surrogate: gp/onehot: tau 0.1 on 5 results; falls back to varied candidates" in doubtful
    said = shown(False, notes, monkeypatch)
    assert "surrogate: ridge/pairs: tau 0.7 on 20 results" in said
    assert said.count("warning") == 1


def test_the_panel_shows_the_newest_tau_with_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = [Note(t, "surrogate", judgement(t)) for t in (5, 20)]
    assert "error: tau 0.10 (-0.20 to 0.40), not reliable yet" in shown(True, notes[:1], monkeypatch)
    assert "error: tau 0.70 (0.60 to 0.80) " in shown(True, notes, monkeypatch)


def test_the_log_shows_each_evaluation_once(monkeypatch: pytest.MonkeyPatch) -> None:
    same = [Note(t, "surrogate", judgement(5)) for t in (5, 6, 7)]
    assert shown(False, same, monkeypatch).count("gp/onehot") == 1


def test_a_search_stopped_between_two_fits_has_the_notes_of_an_uninterrupted_one(tmp_path: Path) -> None:
    def go(out: Path, **more: object) -> list[tuple[int, str]]:
        settings = {"algorithm": "sa-moead", "algorithm_settings": QUICK_SETTINGS["sa-moead"]}
        search(out, budget=14, **settings, **more)  # type: ignore[arg-type]
        return [(note.told, repr(note.values)) for note in read_notes(out)]

    whole = go(tmp_path / "whole")
    go(tmp_path / "stopped", stop=9)
    assert go(tmp_path / "stopped", resume=True) == whole
