"""Progress of the analysis of a network to shrink."""

from __future__ import annotations

from nas.shrinking.spaces import slow_progress


def test_a_quick_analysis_reports_nothing_and_a_slow_one_now_and_then() -> None:
    seconds, lines = [0.0], list[str]()
    progress = slow_progress(lines.append, clock=lambda: seconds[0])
    for done, now in enumerate((1.0, 4.9, 5.0, 9.0, 14.9, 15.0)):
        seconds[0] = now
        progress(done, 6)
    assert lines == [f"Analysing the network: {done} of 6 layers and blocks tried" for done in (2, 5)]
