"""What a search shows while it runs: a live line in a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType

import numpy as np
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nas.cli.show import output
from nas.indicators import Box, hypervolume, reference_box
from nas.loop import LoopSettings, SearchState
from nas.notes import SURROGATE
from nas.problem import Problem
from nas.records import Status


class Progress:
    """A callback of the search loop that shows where it stands; used as a context."""

    def __init__(self, problem: Problem, settings: LoopSettings, out: Path) -> None:
        self._problem = problem
        self._settings = settings
        self._console = output()
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._terminal = self._console.is_terminal
        self._made = time.monotonic()
        self._next_line = 0.0
        self._box: Box | None = None
        self._measured = -1
        self._volume = 0.0
        self._said: set[str] = set()  # lines about surrogates that are in the log already

    def __enter__(self) -> Progress:
        if self._terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the live line away; may be called twice."""
        if self._terminal:
            self._live.stop()

    def __call__(self, state: SearchState) -> None:
        """Show the state; cheap when called often."""
        if self._terminal:
            self._live.update(self._panel(state))
        elif time.monotonic() >= self._next_line or state.evaluated >= self._settings.evaluations:
            self._next_line = time.monotonic() + (10.0 if time.monotonic() - self._made < 60 else 60.0)
            if state.evaluated != self._measured or state.evaluated == 0:
                self._console.print(self._line(state), highlight=False)
                self._say_surrogates(state)

    def _line(self, state: SearchState) -> str:
        left = self._left(state)
        return (
            f"{time.strftime('%H:%M:%S')}  {state.evaluated}/{self._settings.evaluations} evaluated, {state.running} running, "
            f"{state.failed} failed, front {len(state.front)}, hypervolume {self._hypervolume(state):.4f}"
            + (f", {_rungs(state)}" if state.settings.halving is not None else "")
            + (f", about {clock(left)} left" if left is not None else "")
        )

    def _panel(self, state: SearchState) -> Table:
        from rich.progress_bar import ProgressBar

        left = self._left(state)
        grid = Table.grid(padding=(0, 2))
        grid.add_row(
            ProgressBar(total=self._settings.evaluations, completed=state.evaluated, width=30),
            f"[bold]{state.evaluated}[/]/{self._settings.evaluations} evaluated",
            f"{state.running} running",
            f"[red]{state.failed} failed[/]" if state.failed else "0 failed",
            f"hypervolume {self._hypervolume(state):.4f}",
            f"front {len(state.front)}",
            f"{clock(state.seconds)} passed" + (f", about {clock(left)} left" if left is not None else ""),
        )
        outer = Table.grid()
        outer.add_row(grid)
        outer.add_row(self._best(state))
        if state.settings.halving is not None:
            outer.add_row(f"[dim]{_rungs(state)}[/]")
        for line, reliable in self._surrogates(state):
            outer.add_row(
                Text(line, style="dim" if reliable else "yellow", no_wrap=True, overflow="ellipsis")
            )
        return outer

    def _surrogates(self, state: SearchState) -> list[tuple[str, bool]]:
        """The newest word on each objective's surrogate, and whether it can be relied on."""
        newest = state.newest(SURROGATE)
        lines = []
        for note in newest:
            reliable = bool(note.values.get("reliable", True))
            of = f" of {note.key[2]}" if len(newest) > 1 else ""
            warning = "" if reliable else "warning: "
            lines.append((f"{warning}surrogate{of}: {note.values.get('text', '')}", reliable))
        return lines

    def _say_surrogates(self, state: SearchState) -> None:
        """In a log, say each new judgement once."""
        for line, reliable in self._surrogates(state):
            if line not in self._said:
                self._console.print(Text(line, style="" if reliable else "yellow"), highlight=False)
        self._said = {line for line, _ in self._surrogates(state)}

    def _best(self, state: SearchState) -> str:
        if not len(state.front):
            return "[dim]no result yet[/]"
        names = self._problem.objectives
        best = state.front.points.min(axis=0)
        return (
            "[dim]best: "
            + ", ".join(f"{o.name} {o.sign * b:,.6g} {o.unit}" for o, b in zip(names, best, strict=True))
            + "[/]"
        )

    def _hypervolume(self, state: SearchState) -> float:
        if state.evaluated != self._measured:
            self._measured = state.evaluated
            self._volume = self._measure(state)
        return self._volume

    def _measure(self, state: SearchState) -> float:
        """As in summary.json once the initial design is done; before that, in the box of what there is."""
        box = self._box
        if box is None:
            known = [*state.imported, *state.results]
            seen = [self._problem.observe(r).objectives for r in known if r.status is Status.OK]
            box = reference_box(self._problem.objectives, np.array(seen[: state.initial]))
            if len(seen) >= state.initial:
                self._box = box
        return 0.0 if box is None else hypervolume(state.front.points, box)

    def _left(self, state: SearchState) -> float | None:
        here = state.seconds - state.earlier_seconds
        done = state.evaluated - state.replayed
        if done < 3:
            return None
        left = here / done * (self._settings.evaluations - state.evaluated)
        limit = self._settings.seconds
        return max(0.0, left if limit is None else min(left, limit - state.seconds))


def _rungs(state: SearchState) -> str:
    """How many results each rung of successive halving has, such as `budget 2: 40, 6: 12, 18: 3`."""
    told = state.rungs.told_at
    return "budget " + ", ".join(f"{b:g}: {told[b]}" for b in state.rungs.budgets if b is not None)


def clock(seconds: float) -> str:
    """A length of time for people, such as `2 min 05 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
