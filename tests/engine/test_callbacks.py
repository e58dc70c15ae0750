"""Callbacks: the calls they receive, and errors in them, which do not end a search."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from engine_parts import Grid, interrupt_at, quick

import nas
from nas.core.errors import ConfigError, TooManyFailures
from nas.engine.callbacks import AnyCallback
from nas.engine.search_state import SearchState
from nas.runs.history import read_history

OBJECTIVES = ["error", "params", "madds"]
pytestmark = pytest.mark.usefixtures("no_plots")


class Diary(nas.Callback):
    """Records every call."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def begin(self, state: SearchState) -> None:
        self.calls.append(("begin", len(state.results)))

    def asked(self, state: SearchState, trial: nas.Trial) -> None:
        self.calls.append(("asked", trial.id))

    def told(self, state: SearchState, result: nas.Result) -> None:
        self.calls.append(("told", result.trial.id, state.results[-1] is result))

    def end(self, state: SearchState, outcome: str) -> None:
        self.calls.append(("end", outcome, state.out is not None and (state.out / "front.csv").exists()))

    def of(self, kind: str) -> list[object]:
        return [call[1] for call in self.calls if call[0] == kind]


class Faulty(nas.Callback):
    """Raises in `told`."""

    def told(self, state: SearchState, result: nas.Result) -> None:
        raise ZeroDivisionError("nothing to divide by")


def search(*callbacks: AnyCallback, out: Path | None = None, **more: object) -> nas.SearchResult:
    return nas.search(
        Grid(),
        OBJECTIVES,
        quick,
        out=out,
        callbacks=callbacks,
        **({"algorithm": "moead", **{"budget": 25} | more}),
    )  # type: ignore[arg-type]


def test_a_callback_receives_the_beginning_every_ask_every_result_and_the_end(tmp_path: Path) -> None:
    diary = Diary()
    search(diary, out=tmp_path / "run")
    assert diary.calls[0] == ("begin", 0)
    assert diary.of("asked") == diary.of("told") == list(range(25))
    assert all(newest for call in diary.calls if call[0] == "told" for newest in call[2:])
    assert diary.calls[-1] == ("end", "finished", True)


def test_the_asked_call_precedes_the_told_call_of_a_trial() -> None:
    diary = Diary()
    search(diary)
    places = {call[:2]: place for place, call in enumerate(diary.calls)}
    assert all(places["asked", i] < places["told", i] for i in range(25))


def test_a_resumed_search_begins_with_its_earlier_results_and_reports_the_rest(tmp_path: Path) -> None:
    first, second = Diary(), Diary()
    search(first, interrupt_at(11), out=tmp_path / "run")
    assert first.calls[-1][:2] == ("end", "interrupted")
    search(second, out=tmp_path / "run", resume=True)
    assert second.calls[0] == ("begin", 11)
    assert first.of("told") + second.of("told") == list(range(25))


def test_the_end_of_a_failing_search_reaches_callbacks() -> None:
    def broken(trial: nas.Trial) -> dict[str, float]:
        raise RuntimeError("no data")

    diary = Diary()
    with pytest.raises(TooManyFailures):
        nas.search(Grid(), OBJECTIVES, broken, budget=60, callbacks=[diary], algorithm="moead")
    assert diary.of("end") == ["stopped"]


def test_an_error_in_a_callback_loses_nothing_and_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole, diary = search(), Diary()
    with caplog.at_level(logging.WARNING, "nas"):
        result = search(Faulty(), diary, out=tmp_path / "run")
    assert result.state == "finished"
    assert result.front.equals(whole.front)
    assert (read_history(tmp_path / "run")[0]["status"] == "ok").sum() == 25
    assert diary.of("told") == list(range(25))
    (said,) = [record.getMessage() for record in caplog.records]
    assert "callback Faulty: ZeroDivisionError: nothing to divide by" in said
    assert "test_callbacks.py" in said


def test_a_callback_that_exits_ends_nothing() -> None:
    def leave(state: SearchState) -> None:
        raise SystemExit(3)

    assert search(leave).summary["evaluations"] == 25


@pytest.mark.parametrize("given", [Diary, 3, "diary.py:Diary"], ids=["class", "number", "text"])
def test_an_invalid_callback_is_refused_before_any_evaluation(given: object, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"callbacks: expected nas\.Callback objects"):
        search(given, out=tmp_path / "run")  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()
