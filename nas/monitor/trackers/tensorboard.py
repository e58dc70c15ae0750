"""Log a search to TensorBoard."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nas.core.errors import ConfigError
from nas.core.files import absolute
from nas.core.records import Result
from nas.engine.callbacks import Callback
from nas.engine.search_state import SearchState
from nas.monitor.trackers.measures import Measures, check_installed, front_rows
from nas.runs.files import run_files

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter

FOLDER = "tensorboard"
_FLUSH_S = 1.0


class TensorBoard(Callback):
    """Event files in `folder` (default: `RUN/tensorboard`): curves over evaluations, and the front as a table.

    A resumed run continues where it was: later entries of an earlier session are marked as void, so that TensorBoard
    shows every evaluation once. Needs the package tensorboard.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        """Raises `ConfigError` when tensorboard is not installed."""
        check_installed("tensorboard", "the package tensorboard", "tensorboard")
        self._folder = None if folder is None else absolute(folder)
        self._measures = Measures()
        self._writer: SummaryWriter | None = None
        self._flushed = 0.0

    def begin(self, state: SearchState) -> None:
        """Open a new event file."""
        from torch.utils.tensorboard.writer import SummaryWriter  # late: torch takes seconds

        done = self._measures.begin(state)
        folder = _folder("tensorboard", state, self._folder, FOLDER)
        if self._folder is None and state.out is not None:
            run_files(state.out).claim(f"{FOLDER}/")
        # a name that nobody can have made a link of
        suffix, purge = f".{secrets.token_hex(8)}", done + 1 if done else None
        self._writer = SummaryWriter(str(folder), purge_step=purge, filename_suffix=suffix)

    def told(self, state: SearchState, result: Result) -> None:
        """Log the result and the changes to the front."""
        if self._writer is None:
            return
        numbers = self._measures.told(state, result)
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, int(numbers["evaluations"]))
        self._flush()

    def waiting(self, state: SearchState) -> None:
        """Flush the log to disk."""
        self._flush()

    def _flush(self) -> None:
        now = time.monotonic()
        if self._writer is not None and now - self._flushed > _FLUSH_S:
            self._writer.flush()
            self._flushed = now

    def end(self, state: SearchState, outcome: str) -> None:
        """Log the front as a table, and close the file."""
        if self._writer is None:
            return
        header, *rows = front_rows(state)
        table = [header, ("---",) * len(header), *rows]
        text = "\n".join(f"| {' | '.join(cells)} |" for cells in table)
        self._writer.add_text("front", text, state.evaluated)
        self._writer.add_text("outcome", outcome, state.evaluated)
        self._writer.close()
        self._writer = None


def _folder(callback: str, state: SearchState, given: Path | None, name: str) -> Path:
    if given is not None:
        return given
    if state.out is None:
        raise ConfigError(
            f"callback {callback}: the search has no folder; set out, or folder of the callback"
        )
    return state.out / name
