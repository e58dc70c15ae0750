"""A custom callback: a line in a file for each new best network, and a command at the end.

nas search my.yaml --callback docs/examples/notify.py:Notify
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import nas


class Notify(nas.Callback):
    """Reports each new best value of the first objective.

    `file` is the output file, relative to the current folder. `command` is a program with its arguments, such as
    ``[notify-send, "nas search"]``; it gets the message as a further argument, without a shell.
    """

    def __init__(self, file: str = "news.txt", command: Sequence[str] = ()) -> None:
        self._file = Path(file)
        self._command = list(command)
        self._best: float | None = None

    def begin(self, state: nas.SearchState) -> None:
        self._best = self._best_of(state)  # for a resumed run: earlier results are not new

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
        """The best value of the first objective on the front, in its unit and direction."""
        if len(state.front) == 0:
            return None
        return float(state.problem.objectives[0].sign * state.front.points[:, 0].min())

    def _say(self, text: str) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
