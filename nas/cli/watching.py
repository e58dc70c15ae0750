"""`nas watch`: the panel of a search that runs elsewhere."""

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
from nas.core.errors import ConfigError, HistoryError
from nas.monitor import RunStatus
from nas.monitor.recorded import RecordedStatus

PANEL_S = 1.0  # seconds between looks at the log, in a terminal


def run_watch(run: Path, every: float | None, once: bool) -> None:
    """Show where the run stands until it ends, or once.

    Raises `ConfigError` for an interval that is no time, and with `once` `HistoryError` when there is no run to read.
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
    """A run that may not be there yet, or not be readable just now: then what was seen last is shown, and why."""

    def __init__(self, run: Path, recorded: RecordedStatus) -> None:
        self._recorded = recorded
        self.standing: RunStatus | None = None
        self.waiting = f"Reading {run}"

    def look(self) -> bool:
        """Look again; whether the run goes on."""
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
    said = ""
    while True:
        goes_on = watched.look()
        standing = watched.standing
        if standing is None:
            told = watched.waiting
        else:
            output().print(line(standing))
            told = "\n".join([*(text for text, _ in surrogate_lines(standing)), standing.trouble]).strip()
        if told != said and told:
            output().print(Text(told))
        said = told
        if not goes_on:
            return
        time.sleep(every)
