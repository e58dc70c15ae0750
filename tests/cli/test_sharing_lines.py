"""The quality of inherited errors in the panel, in a log and in `nas watch`."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from commands import nas_in
from engine_parts import Grid, quick
from rich.console import Console
from sharing_notes import DECISION, Sharing, later_note, sharing_note

import nas
from nas.cli.panel import StatusPanel
from nas.cli.sharing_lines import sharing_lines, sharing_section
from nas.core.records import Note
from nas.monitor import Heading, RunStatus
from nas.runs.sharing_quality import SharingQuality, sharing_qualities

pytestmark = pytest.mark.usefixtures("no_plots")
LINE = "tau 0.50 (0.10 to 0.80), given the costs 0.40 (-0.10 to 0.75), bias +41.1 points, 6 networks"


def quality(note: Note) -> SharingQuality:
    return sharing_qualities([note])[0]


def standing(note: Note | None) -> RunStatus:
    return RunStatus(Heading("toy", "random", 0, 20), sharing=None if note is None else quality(note))


def panel(note: Note | None, width: int = 120) -> str:
    file = io.StringIO()
    Console(file=file, width=width, height=40, force_terminal=True, color_system=None).print(
        StatusPanel(standing(note))
    )
    return file.getvalue()


def test_the_panel_has_one_line_in_a_wide_terminal() -> None:
    assert f"sharing    {LINE}" in panel(sharing_note(12))


def test_the_panel_says_that_inherited_errors_are_not_trusted() -> None:
    assert "sharing    not trusted: candidates are trained, tau 0.50" in panel(
        sharing_note(12, trusted=False)
    )


def test_a_narrow_panel_has_every_number_on_more_lines() -> None:
    said = panel(sharing_note(12, trusted=False), 60)
    for part in LINE.split(", "):
        assert part in said
    assert all(len(line.plain) <= 45 for line in sharing_section(quality(sharing_note(12)), 45))


def test_other_searches_have_no_such_line() -> None:
    assert "sharing" not in panel(None)
    assert sharing_lines(None) == []


def test_a_log_warns_where_inherited_errors_are_not_trusted() -> None:
    assert sharing_lines(quality(sharing_note(12, trusted=False))) == [(f"warning: {DECISION}", False)]
    assert sharing_lines(quality(later_note(12))) == []


def test_nas_watch_shows_the_quality(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings: dict[str, Any] = {"algorithm": Sharing, "budget": 17, "seed": 3}
    nas.search(Grid(), ["error", "params"], quick, out=tmp_path / "run", **settings)
    command = nas_in(monkeypatch, capsys)
    assert "tau 0.30 (0.00 to 0.80)" in command("watch", str(tmp_path / "run"), "--once").out
    log = command("watch", str(tmp_path / "run"))  # without a terminal
    assert log.code == 0, log.err
    assert f"warning: {DECISION}" in " ".join(log.out.split())
