"""What a search shows while it runs: a panel in a terminal, a line a minute in a log."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from nas.cli.console import output
from nas.cli.panel import StatusPanel, line, surrogate_lines
from nas.core.records import Result
from nas.core.timer import RepeatingTimer
from nas.core.tracebacks import summarize_exception
from nas.engine.search_state import SearchState
from nas.monitor import LiveStatus, RunStatus

LOG_S = 60.0  # seconds between lines of a log
REFRESHES = 4  # of the panel, a second


class Progress(LiveStatus):
    """A callback of the search loop that shows where it stands; used as a context.

    It is drawn on a thread of its own, so that time goes on for the reader while a candidate is evaluated in this process.
    """

    def __init__(self, algorithm: str) -> None:
        super().__init__(algorithm)
        self._show = Drawn(self.now) if output().is_terminal else Written(self.now)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def begin(self, state: SearchState) -> None:
        """Show that it begins."""
        super().begin(state)
        self._show.start()

    def told(self, state: SearchState, result: Result) -> None:
        """Show the last result at once: a log ends with it."""
        super().told(state, result)
        planned = state.settings.evaluations
        if planned is not None and state.evaluated >= planned:
            self._show.last()

    def stop(self) -> None:
        """Take the panel away; may be called twice."""
        self._show.stop()


class Drawn:
    """A panel that stays where it is and is taken away at the end."""

    def __init__(self, now: Callable[[], RunStatus | None]) -> None:
        self._now = now
        self._live = Live(console=output(), auto_refresh=False, transient=True, get_renderable=self._panel)
        # rather than rich's own thread, which an error would end
        self._every = RepeatingTimer(1 / REFRESHES, self._live.refresh)

    def _panel(self) -> RenderableType:
        try:
            standing = self._now()
        except Exception as error:  # a space that cannot write its own architecture, say
            return Text(
                f"where the search stands cannot be shown: {summarize_exception(error)}", style="yellow"
            )
        return Text("") if standing is None else StatusPanel(standing)

    def start(self) -> None:
        self._live.start(refresh=True)
        self._every.start()

    def last(self) -> None:
        """Nothing: the result is in the panel."""

    def stop(self) -> None:
        self._every.stop()
        self._live.stop()


class Written:
    """A line at the beginning, then each minute and at the end; beside them each new judgement of a surrogate, once."""

    def __init__(self, now: Callable[[], RunStatus | None]) -> None:
        self._now = now
        self._every = RepeatingTimer(LOG_S, self.say)
        self._said: set[str] = set()  # lines about surrogates that are in the log already
        self._lock = threading.Lock()

    def start(self) -> None:
        self.say()
        self._every.start()

    def last(self) -> None:
        """A line now."""
        self.say()

    def stop(self) -> None:
        self._every.stop()

    def say(self) -> None:
        """A line now."""
        standing = self._now()
        if standing is None:
            return
        with self._lock:
            output().print(line(standing))
            judged = surrogate_lines(standing)
            for text, reliable in judged:
                if text not in self._said:
                    output().print(Text(text, style="" if reliable else "yellow"))
            self._said = {text for text, _ in judged}
