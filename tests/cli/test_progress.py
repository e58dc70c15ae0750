"""What `nas search` shows while it runs: in a log and in a terminal."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

import nas
from nas.cli import progress
from nas.cli.progress import Progress
from nas.core.timer import RepeatingTimer
from nas.monitor import Heading, Judgement, RunStatus
from nas.testing import ToySpace, toy_error


def run(
    monkeypatch: pytest.MonkeyPatch,
    *,
    terminal: bool,
    space: nas.SearchSpace | None = None,
    until: Callable[[str], bool] = lambda said: True,
) -> str:
    """The output of a search of ten evaluations; the sixth lasts until enough is shown."""
    file = io.StringIO()
    console = Console(
        file=file, force_terminal=terminal, width=100, height=30, color_system=None,
        soft_wrap=not terminal,  # as the command's own: a line of a log stays one
    )  # fmt: skip
    monkeypatch.setattr("nas.cli.progress.output", lambda: console)

    def evaluate(trial: nas.Trial) -> dict[str, float]:
        give_up = time.monotonic() + 100
        while trial.id == 5 and not until(file.getvalue()):
            assert time.monotonic() < give_up, file.getvalue()
            time.sleep(0.01)
        return toy_error(trial)

    with Progress("random") as shown:
        result = nas.search(
            space or ToySpace(), ["error"], evaluate, budget=10, algorithm="random", callbacks=[shown]
        )
    assert result.summary["evaluations"] == 10
    return file.getvalue()


def test_a_short_search_has_a_line_at_its_beginning_and_one_at_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = run(monkeypatch, terminal=False).splitlines()
    assert [text.split()[1] for text in lines] == ["0/10", "10/10"]


def test_lines_come_at_their_time_while_a_candidate_is_evaluated_in_this_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "LOG_S", 0.05)
    lines = run(monkeypatch, terminal=False, until=lambda said: said.count(" 5/10 ") >= 3).splitlines()
    counts = [text.split()[1] for text in lines]
    assert counts.count("5/10") >= 3
    assert counts[-1] == "10/10"


def test_a_log_explains_tau_once_and_at_its_first_report(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    judged = Judgement("error", 0.6, 0.4, 0.8, True, "error: gp-genes: tau 0.60 (0.40 to 0.80)")
    states = [
        RunStatus(Heading("toy", "random", 0, 9), surrogates=surrogates)
        for surrogates in ((), (judged,), (replace(judged, text="error: gp-genes: tau 0.70 (0.60 to 0.80)"),))
    ]
    lines = progress.LogLines(lambda: states[len(said)])
    for _ in states:
        lines.say()
        said.append(capsys.readouterr().out)
    assert ["tau compares the predicted with the measured order" in text for text in said] == [
        False,
        True,
        False,
    ]


def test_the_last_line_comes_once_while_the_results_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    states = [RunStatus(Heading("toy", "random", 0, 9), evaluated=9)]
    lines = progress.LogLines(lambda: states[-1])
    lines.say()
    lines.last()
    lines.say()  # the timer, while plots are drawn
    lines.last()  # a result that cost no evaluation
    assert capsys.readouterr().out.count("9/9 evaluated") == 2
    states.append(replace(states[-1], evaluated=10))
    lines.say()
    assert capsys.readouterr().out.count("10/9 evaluated") == 1


def test_a_log_has_a_line_a_minute() -> None:
    assert progress.LOG_S == 60.0


def test_in_a_terminal_there_is_a_panel_which_is_taken_away_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = run(monkeypatch, terminal=True, until=lambda said: "5/10 evaluated" in said and "trial 5" in said)
    assert said.rindex("\x1b[2K") > said.rindex("╯")  # erased, line by line


def test_a_space_that_cannot_write_its_architectures_ends_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mute(ToySpace):
        def format(self, architecture: nas.Architecture) -> str:
            if threading.current_thread() is not threading.main_thread():
                raise ValueError("no words")
            return super().format(architecture)

    said = run(
        monkeypatch,
        terminal=True,
        space=Mute(),
        until=lambda said: "cannot show the status of the search: ValueError: no words" in said,
    )
    assert said.rindex("10/10") > said.rindex("cannot show")  # it continued; this thread draws the last line


def test_a_repeating_timer_continues_after_an_error_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    enough, calls = threading.Event(), iter(range(1_000))

    def act() -> None:
        if next(calls) >= 5:
            enough.set()
        raise ValueError("not now")

    every = RepeatingTimer(0.001, act)
    with caplog.at_level(logging.WARNING, "nas"):
        every.start()
        assert enough.wait(30)
        every.stop()
    assert caplog.text.count("not now") == 1


def test_stopping_before_the_start_is_allowed() -> None:
    every = RepeatingTimer(1.0, lambda: None)
    every.stop()
    every.stop()
