"""The sentences about an empty front."""

from __future__ import annotations

from pathlib import Path

from noisy_parts import search
from report_parts import THREE, frame_of, source_of, table_of

from nas.report.commands import run_commands
from nas.runs.empty_front import why_empty
from nas.runs.reading import load_run


def test_a_network_within_the_limits_by_its_measured_values_alone_is_named(tmp_path: Path) -> None:
    free = search().front
    bound = free["error_expected"].min() - 0.5
    run = tmp_path / "run"
    result = search(run, limits=[f"error <= {bound:.3f}"])
    assert result.front.empty
    within = result.history[result.history["error"] <= round(bound, 3)]
    assert len(within) > 0
    text = why_empty(load_run(run)[0])
    assert text.startswith("The front is empty: no network is within the limits by its expected values")
    assert f"{len(within)} network{' has' if len(within) == 1 else 's have'} measured values within" in text
    nearest = text.partition("the nearest is ")[2].partition(": ")[0]
    (row,) = within[within["architecture"] == nearest].to_dict("records")
    assert f"error {row['error']:.4g} measured, " in text


def test_without_a_network_within_the_limits_the_sentence_is_short() -> None:
    table = table_of(frame_of(THREE, 6), THREE, "error <= -1")
    assert why_empty(table) == "The front is empty: no candidate succeeded within the limits."
    assert why_empty(table_of(frame_of(THREE, 0), THREE)) == "The front is empty: no candidate succeeded."


def test_a_page_with_an_empty_front_offers_no_command_for_its_networks() -> None:
    commands = run_commands(source_of(table_of(frame_of(THREE, 6), THREE, "error <= -1")))
    assert not [c.before for c in commands if "knee" in c.before or "nas front" in c.before]
