"""`nas watch`: the status panel of a search in another process."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from nas.cli.console import output
from nas.cli.panel import StatusPanel, line, surrogate_lines
from nas.cli.progress import LOG_S, REFRESHES
from nas.cli.sharing_lines import sharing_lines
from nas.core.errors import ConfigError, HistoryError
from nas.monitor import RunStatus
from nas.monitor.recorded import RecordedStatus

PANEL_S = 1.0  # seconds between updates in a terminal


def run_watch(run: Path, every: float | None, once: bool) -> None:
    """Show the status of the run until it ends, or once.

    Raises `ConfigError` for an invalid interval, and with `once` `HistoryError` when no run can be read.
    """
    if every is not None and not 0.1 <= every <= 86_400:
        raise ConfigError(f"--every: expected seconds from 0.1 to 86400, got {every:g}")
    recorded = RecordedStatus(run)
    if once:
        output().print(StatusPanel(recorded.look()))
    elif output().is_terminal:
        _draw(_Watched(run, recorded), PANEL_S if every is None else every)
    else:
        _write(_Watched(run, recorded), LOG_S if every is None else every)


class _Watched:
    """A run that may be missing or unreadable; then the last status is shown with the reason."""

    def __init__(self, run: Path, recorded: RecordedStatus) -> None:
        self._recorded = recorded
        self.standing: RunStatus | None = None
        self.waiting = f"Reading {run}"

    def look(self) -> bool:
        """Read the status; return whether the run continues."""
        try:
            self.standing = self._recorded.look()
        except HistoryError as error:
            self.waiting = f"{error}; waiting for it"
            if self.standing is not None:
                self.standing = replace(self.standing, trouble=str(error))
            return True
        return not self.standing.outcome


def _draw(watched: _Watched, every: float) -> None:
    def panel() -> RenderableType:
        standing = watched.standing
        return Text(watched.waiting, style="dim") if standing is None else StatusPanel(standing)

    with Live(console=output(), refresh_per_second=REFRESHES, get_renderable=panel):
        while watched.look():
            time.sleep(every)


def _write(watched: _Watched, every: float) -> None:
    printed = ""
    while True:
        running = watched.look()
        standing = watched.standing
        if standing is None:
            text = watched.waiting
        else:
            output().print(line(standing))
            reports = surrogate_lines(standing) + sharing_lines(standing.sharing)
            text = "\n".join([*(line for line, _ in reports), standing.trouble]).strip()
        if text != printed and text:
            output().print(Text(text))
        printed = text
        if not running:
            return
        time.sleep(every)
