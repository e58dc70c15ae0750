"""The live panel: its content, and that it fits every terminal."""

from __future__ import annotations

import io
import itertools
import time
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from nas.cli.panel import ASCII, UNICODE, StatusPanel, line, sparkline
from nas.core.text import duration
from nas.monitor import Best, Heading, Judgement, RunStatus, Work

TEXT = "r8/stem24s1/se0.25/ds24/ir24:k3.5s2e4/sp:k5e2m-0/ir40:k5e3/ir24:k5s2e2/sp:k5e2p0.25g2x2/head32"
REASON = "failed: ValueError: kernel {} is larger than the image (own.py, line 31, in train)"


def standing(busy: int = 2, reasons: int = 2, **changes: Any) -> RunStatus:
    """A run half way."""
    now = time.time()
    whole = RunStatus(
        Heading("muxnet-tiny", "sa-moead", 1, 70, 140.0, "runs/first"),
        evaluated=35,
        failed=6,
        front_size=10,
        hypervolume=0.7552,
        curve=tuple(0.75 - 0.3 / (i + 1) for i in range(60)),
        best=(
            Best("error", 0.9276, "%"),
            Best("params", 1066.0, "parameters"),
            Best("madds", 28064.0, "multiply-adds"),
        ),
        surrogates=(Judgement("error", 0.62, 0.41, 0.78, True, "gp-genes: tau 0.62"),),
        failures=tuple((REASON.format(i), 9 - i) for i in range(reasons)),
        workers=(
            *(Work(f"10.0.0.{i // 8}:{31000 + i}", 36 + i, TEXT, 12.0 + 17 * i) for i in range(busy)),
            Work("10.0.0.9:1"),
        ),
        waiting=2,
        trains=True,
        seconds=72.0,
        rate=29.4,
        left=62.0,
        taken=now,
        last_result=now - 3,
    )
    return replace(whole, **changes)


def shown(what: RunStatus, width: int = 100, height: int = 40, encoding: str = "utf-8") -> str:
    """The panel on a terminal of this size."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    console = Console(file=file, width=width, height=height, force_terminal=True, color_system=None)
    console.print(StatusPanel(what))
    return raw.getvalue().decode(encoding)


def test_it_shows_every_fact_of_the_run() -> None:
    said = shown(standing())
    for part in (
        "muxnet-tiny, sa-moead, seed 1",
        "runs/first",
        "35/70 evaluated, 2 training, 2 waiting, 6 failed",
        "1 min 12 s passed, about 1 min 02 s left",
        "29.4 evaluated a minute, last result 3 s ago",
        "10 architectures, hypervolume 0.7552 ▁",
        "error 0.9276 %, params 1,066 parameters, madds 28,064 multiply-adds",
        "error: tau 0.62 (0.41 to 0.78)",
        "tau: 1 right order, 0 by chance; in brackets: 90% interval",
        "9 x failed: ValueError: kernel 0 is larger",
        "8 x failed: ValueError: kernel 1 is larger",
        "10.0.0.0:31001  trial 37  r8/stem24s1",
        "29 s",
        "1 idle, 2 trials waiting for a worker",
    ):
        assert part in said


@pytest.mark.parametrize("workers", [0, 2, 64])
@pytest.mark.parametrize("width", [20, 38, 60, 80, 140])
def test_it_is_never_larger_than_the_terminal(width: int, workers: int) -> None:
    for height in (3, 5, 8, 12, 24, 50):
        full = standing(workers, 4, trouble="the search sent its last heartbeat 300 s ago; " * 3)
        lines = shown(full, width, height).splitlines()
        assert len(lines) < height, (width, height)
        assert max(map(cell_len, lines)) <= width, (width, height)


@pytest.mark.parametrize("height", [3, 5, 8, 12, 24])
def test_how_far_it_is_has_room_on_the_flattest_terminal(height: int) -> None:
    said = shown(standing(64, 4), 80, height)
    assert "35/70 evaluated" in said
    assert "about 1 min 02 s left" in said or height < 4


def test_a_warning_has_room_before_the_workers_do() -> None:
    said = shown(standing(64, 4, trouble="the search exited without finishing the run"), 80, 8)
    assert "the search exited without finishing the run" in said


def test_workers_that_have_no_room_are_counted() -> None:
    said = shown(standing(64), 80, 24)
    listed = said.count("  trial ")
    assert listed >= 5
    assert "64 busy, 1 idle, 2 trials waiting for a worker" in said
    assert f"and {64 - listed} more" in said


def test_the_worker_that_is_longest_at_its_trial_comes_first() -> None:
    numbers = [int(text.split("trial ")[1].split()[0]) for text in shown(standing(5)).splitlines() if "trial " in text and "r8" in text]  # fmt: skip
    assert numbers == [40, 39, 38, 37, 36]


def test_a_terminal_without_unicode_gets_ascii() -> None:
    odd = standing(failures=(("failed: ValueError: größer als erlaubt", 3),))
    said = shown(odd, encoding="ascii")
    assert said.isascii()
    assert "###" in said
    assert "gr??er" in said or "gr?" in said


def test_texts_of_a_log_cannot_move_the_cursor() -> None:
    evil = "\x1b[2J\x1b]0;title\x07\r[red]x[/red]"
    said = shown(standing(failures=((evil, 3),), workers=(Work(evil, 1, evil, 2.0),), trouble=evil))
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "\r" not in said
    assert "[red]x[/red]" in said
    assert "\x1b" not in line(standing(outcome=evil))


def test_an_architecture_is_cut_in_its_middle() -> None:
    (said,) = [text for text in shown(standing(1), 80).splitlines() if "trial 36" in text]
    assert "r8/stem24s1" in said
    assert "…" in said
    assert "head32" in said


def test_a_surrogate_that_is_not_reliable_is_named_so() -> None:
    doubtful = Judgement("error", 0.1, -0.2, 0.4, False, "")
    assert "tau 0.10 (-0.20 to 0.40), not reliable yet" in shown(standing(surrogates=(doubtful,)))


def test_a_surrogate_without_a_tau_shows_its_text() -> None:
    young = Judgement("error", float("nan"), float("nan"), float("nan"), False, "6 results are too few")
    assert "error: 6 results are too few" in shown(standing(surrogates=(young,)))


def test_time_advances_after_the_status_was_taken() -> None:
    said = shown(standing(taken=time.time() - 10))
    assert "1 min 22 s passed, about 52 s left" in said
    assert "39 s" in said  # the worker that was at it for 29 s


def test_virtual_time_stands_still() -> None:
    assert "1 min 12 s passed" in shown(standing(taken=time.time() - 10, ticking=False))


def test_a_finished_run_shows_its_outcome() -> None:
    over = shown(standing(outcome="interrupted", workers=(), waiting=0, left=None, taken=0.0))
    assert "interrupted after 1 min 12 s" in over
    assert "ago" not in over


def test_a_run_without_a_result_can_be_shown() -> None:
    said = shown(RunStatus(Heading("toy", "random", 0, 10)))
    assert "0/10 evaluated" in said
    assert "no result yet" in said


def test_a_line_has_the_same_numbers() -> None:
    said = line(standing(rungs=((2.0, 40), (6.0, 12))))
    assert (
        "35/70 evaluated, 2 training, 2 waiting, 6 failed, front 10, hypervolume 0.7552, budget 2: 40, 6: 12"
        in said
    )
    assert said.endswith("29.4 a minute, about 1 min 02 s left")


def test_trials_that_wait_are_not_counted_as_training() -> None:
    assert "0 training, 0 failed" in line(standing(busy=0, waiting=0, failed=0))
    assert "2 running, 2 waiting, 6 failed" in line(standing(trains=False))


def test_a_search_that_chooses_among_expensive_candidates_shows_how_many_it_has_checked() -> None:
    idle = {"busy": 0, "waiting": 0, "failed": 0, "checked": 1530}
    assert "0 training, choosing candidates (1,530 checked), 0 failed" in line(standing(**idle))
    assert "choosing candidates (1,530 checked)" in shown(standing(**idle))
    assert "checked" not in line(standing(checked=1530))
    assert "checked" not in line(standing(**idle, outcome="finished"))


def test_of_a_study_without_known_workers_trials_are_submitted() -> None:
    assert "35/70 evaluated, 3 submitted, 6 failed" in line(standing(workers=(), waiting=3))


def test_tau_is_explained_in_the_panel_only_where_it_is_shown_and_has_room() -> None:
    about = "tau: 1 right order"
    assert about in shown(standing())
    assert about not in shown(standing(surrogates=()))
    assert about not in shown(standing(), height=10)


def test_a_line_about_a_run_in_trouble_has_the_time_of_the_last_result() -> None:
    said = line(standing(trouble="gone", last_result=time.time() - 125))
    assert said.endswith("last result 2 min 05 s ago")


def test_a_sparkline_rises_with_its_values_and_ends_with_the_last() -> None:
    drawn = sparkline([i / 99 for i in range(100)], 20)
    assert len(drawn) == 20
    assert drawn[0] == "▁"
    assert drawn[-1] == "█"
    assert all(a <= b for a, b in itertools.pairwise(drawn))


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_a_sparkline_of_equal_values_is_flat(glyphs: Any) -> None:
    assert sparkline([0.5] * 9, 20, glyphs) == glyphs.blocks[0] * 9


@pytest.mark.parametrize("values", [[], [1.0]])
def test_a_sparkline_needs_two_values(values: list[float]) -> None:
    assert sparkline(values, 20) == ""


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (7320, "2 h 02 min")]
)
def test_a_duration_is_readable(seconds: float, said: str) -> None:
    assert duration(seconds) == said
