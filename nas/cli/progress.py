"""Progress of a search: a panel in a terminal, one line per minute in a log."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from nas.cli.console import output
from nas.cli.panel import StatusPanel, about_surrogates, line, surrogate_lines
from nas.core.records import Result
from nas.core.timer import RepeatingTimer
from nas.core.tracebacks import summarize_exception
from nas.engine.search_state import SearchState
from nas.monitor import LiveStatus, RunStatus

LOG_S = 60.0  # seconds between lines of a log
REFRESHES = 4  # of the panel, a second


class Progress(LiveStatus):
    """A callback of the search loop that shows its status; use it as a context manager.

    A separate thread draws it, so that the clock advances while this process evaluates a candidate.
    """

    def __init__(self, algorithm: str) -> None:
        super().__init__(algorithm)
        self._show = LivePanel(self.now) if output().is_terminal else LogLines(self.now)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def begin(self, state: SearchState) -> None:
        """Show the start."""
        super().begin(state)
        self._show.start()

    def told(self, state: SearchState, result: Result) -> None:
        """Show the last result at once: a log ends with it."""
        super().told(state, result)
        planned = state.settings.evaluations
        if planned is not None and state.evaluated >= planned:
            self._show.last()

    def stop(self) -> None:
        """Remove the panel; idempotent."""
        self._show.stop()


class LivePanel:
    """A panel that updates in place and disappears at the end."""

    def __init__(self, now: Callable[[], RunStatus | None]) -> None:
        self._now = now
        self._live = Live(console=output(), auto_refresh=False, transient=True, get_renderable=self._panel)
        # not rich's thread, which dies at an error
        self._every = RepeatingTimer(1 / REFRESHES, self._live.refresh)

    def _panel(self) -> RenderableType:
        try:
            standing = self._now()
        except Exception as error:  # such as a space that cannot format its architecture
            return Text(f"cannot show the status of the search: {summarize_exception(error)}", style="yellow")
        return Text("") if standing is None else StatusPanel(standing)

    def start(self) -> None:
        self._live.start(refresh=True)
        self._every.start()

    def last(self) -> None:
        """Do nothing: the panel shows the result."""

    def stop(self) -> None:
        self._every.stop()
        self._live.stop()


class LogLines:
    """One line at the start, each minute and at the end; plus each new surrogate report, once."""

    def __init__(self, now: Callable[[], RunStatus | None]) -> None:
        self._now = now
        self._every = RepeatingTimer(LOG_S, self.say)
        self._said: set[str] = set()  # surrogate lines already printed
        self._explained = False
        self._ended_at: tuple[int, ...] | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        self.say()
        self._every.start()

    def last(self) -> None:
        """Print the last line; later calls of `say`, while the results are written, print nothing unless a result came."""
        self.say(last=True)

    def stop(self) -> None:
        self._every.stop()

    def say(self, last: bool = False) -> None:
        """Print a line."""
        standing = self._now()
        if standing is None:
            return
        state = (standing.evaluated, standing.failed, standing.front_size)
        with self._lock:
            if state == self._ended_at:
                return
            self._ended_at = state if last else None
            output().print(line(standing))
            judged = surrogate_lines(standing)
            for text, reliable in judged:
                if text not in self._said:
                    output().print(Text(text, style="" if reliable else "yellow"))
            about = about_surrogates(standing)
            if about and not self._explained:
                output().print(about, style="dim")
            self._explained = self._explained or bool(about)
            self._said = {text for text, _ in judged}
