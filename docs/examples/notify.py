"""A callback of one's own: a line in a file whenever a network is the best so far, and a command when all is over.

nas search my.yaml --callback docs/examples/notify.py:Notify
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import nas


class Notify(nas.Callback):
    """Tells of each new best value of the first objective.

    `file` is where the lines go, from the current folder. `command` is a program with its arguments, such as
    ``[notify-send, "nas search"]``; it gets what there is to say as a further argument, and no shell sees it.
    """

    def __init__(self, file: str = "news.txt", command: Sequence[str] = ()) -> None:
        self._file = Path(file)
        self._command = list(command)
        self._best: float | None = None

    def begin(self, state: nas.SearchState) -> None:
        self._best = self._best_of(state)  # of a resumed run: what was told before is no news

    def told(self, state: nas.SearchState, result: nas.Result) -> None:
        best = self._best_of(state)
        if best is not None and best != self._best:
            self._best = best
            objective = state.problem.objectives[0]
            self._say(f"{state.evaluated} evaluated: {objective.name} {best:.4g} {objective.unit}")

    def end(self, state: nas.SearchState, outcome: str) -> None:
        text = f"{outcome}: {state.evaluated} evaluated, {len(state.front)} on the front"
        self._say(text)
        if self._command:
            subprocess.run([*self._command, text], check=True, timeout=30)

    def _best_of(self, state: nas.SearchState) -> float | None:
        """The best value of the first objective on the front, in its own unit and direction."""
        if len(state.front) == 0:
            return None
        return float(state.problem.objectives[0].sign * state.front.points[:, 0].min())

    def _say(self, text: str) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
