"""Weights of the front's networks: pruned while a search runs, indexed at its end, loadable afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nas.core.errors import DataError, HistoryError
from nas.core.evaluator import HasWeights
from nas.core.files import remove_folders
from nas.core.json_text import read_json
from nas.core.records import Result, Trial
from nas.core.space import SearchSpace, text_of
from nas.core.text import command
from nas.engine.callbacks import Callback
from nas.engine.search_state import SearchState
from nas.runs.files import run_files
from nas.runs.history import as_json

FOLDER = "weights"
INDEX = "index.json"


class KeptWeights(Callback):
    """Removes weights as soon as neither the front nor a continuation needs them, nor the front by expected values may.

    `evaluator` keeps them in `folder`. Files of trials without a processed result are left alone. The front's weights remain
    at the end only if `keep`; otherwise they only served continuations.
    """

    def __init__(self, folder: Path, evaluator: HasWeights, keep: bool = True) -> None:
        self.folder = folder
        self._evaluator = evaluator
        self._keep = keep
        self._told = 0
        self._files: set[Path] = set()  # of processed trials, not removed yet

    def begin(self, state: SearchState) -> None:
        """Remove the weights that results of earlier sessions made superfluous."""
        self._remove_superfluous(state)

    def told(self, state: SearchState, result: Result) -> None:
        """Remove the weights that the latest results made superfluous."""
        self._remove_superfluous(state)

    def _remove_superfluous(self, state: SearchState) -> None:
        self._files |= self._of(result.trial for result in state.results[self._told :])
        self._told = len(state.results)
        wanted = self._of(state.rungs.wanted())
        if self._keep:
            members, front = list(state.front.items), state.expected
            if front is not None:
                members += front.possible
                members += state.results[front.results - len(state.imported) :]  # without an estimate yet
            wanted |= self._of(result.trial for result in members if result.trial.id >= 0)
        if not self.folder.is_symlink():
            for path in self._files - wanted:
                if not path.is_symlink():
                    path.unlink(missing_ok=True)
        self._files &= wanted

    def conclude(self, space: SearchSpace, front: Iterable[Result], trials: Iterable[Trial]) -> None:
        """Remove the weights of these trials except the front's, and index those; call it when no worker writes.

        `trials` are all trials in the log; other files in the folder stay. Trials of a warm start (negative numbers) have
        their weights in the folder of the run that trained them.

        Raises `HistoryError` on a disk error.
        """
        if self.folder.is_symlink() or not self.folder.is_dir():
            return
        from nas.training.weights import remove_others  # imports torch

        own = [r for r in front if r.trial.id >= 0]
        kept = [(r, self._evaluator.weights_file(r.trial)) for r in own] if self._keep else []
        there = [(result, path) for result, path in kept if path.is_file()]
        index = {text_of(space, r.trial.architecture): _entry(r, path) for r, path in there}
        try:
            remove_others(self.folder, self._of(trials), [path for _, path in there])
            files = run_files(self.folder.parent)
            if not self._keep:
                files.remove(f"{FOLDER}/{INDEX}")
                remove_folders([self.folder])  # if it is empty
                return
            files.write_text(f"{FOLDER}/{INDEX}", as_json(index))
        except OSError as error:
            raise HistoryError(f"{self.folder}: cannot be cleaned: {error}") from error

    def _of(self, trials: Iterable[Trial]) -> set[Path]:
        return {self._evaluator.weights_file(trial) for trial in trials}


def _entry(result: Result, path: Path) -> dict[str, Any]:
    trial = result.trial
    return {"file": path.name, "trial": trial.id, "seed": trial.seed, "budget": trial.budget}


def weights_entry(run: str | Path, architecture: str) -> dict[str, Any]:
    """The index entry of an architecture: `file`, `trial`, `seed`, `budget`. Raises `DataError`."""
    folder = Path(run) / FOLDER
    try:
        index = read_json((folder / INDEX).read_text(encoding="utf-8"))
        entry = index[architecture]
        return {"seed": None, "budget": None, **entry, "file": str(entry["file"])}
    except FileNotFoundError:
        raise DataError(
            f"{run} has no {FOLDER}/{INDEX}: the search kept no weights, or was killed; in that case "
            f"`{command('nas', 'search', '--resume', Path(run))}` writes it"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{folder / INDEX} has no weights of {architecture!r}: is it in front.csv?") from None
