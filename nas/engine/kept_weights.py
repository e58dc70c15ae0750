"""The weights of the front's networks: kept while a search runs, exactly those at its end, and loaded again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.core.errors import ConfigError, DataError, HistoryError
from nas.core.evaluator import HasWeights
from nas.core.files import remove_folders
from nas.core.records import Result, Trial
from nas.core.space import HasBuild, SearchSpace
from nas.core.text import command
from nas.engine.callbacks import Callback
from nas.engine.search_state import SearchState
from nas.runs.code_of_strangers import allow_in_python
from nas.runs.files import run_files
from nas.runs.history import as_json, read_history

if TYPE_CHECKING:
    from torch import nn

    from nas.config.schema import SearchConfig

FOLDER = "weights"
INDEX = "index.json"


class KeptWeights(Callback):
    """A callback that removes weights as soon as neither the front nor a continuation needs them.

    `folder` is where `evaluator` keeps them. Files of trials that were not told yet are left alone. Those of the
    front are there at the end only if `keep`; else they served to continue trainings.
    """

    def __init__(self, folder: Path, evaluator: HasWeights, keep: bool = True) -> None:
        self.folder = folder
        self._evaluator = evaluator
        self._keep = keep
        self._told = 0
        self._files: set[Path] = set()  # of trials that were told, and not removed yet

    def begin(self, state: SearchState) -> None:
        """Remove what the results of earlier sessions made superfluous."""
        self._remove_superfluous(state)

    def told(self, state: SearchState, result: Result) -> None:
        """Remove what the last results made superfluous."""
        self._remove_superfluous(state)

    def _remove_superfluous(self, state: SearchState) -> None:
        self._files |= self._of(result.trial for result in state.results[self._told :])
        self._told = len(state.results)
        wanted = self._of(state.rungs.wanted())
        if self._keep:
            wanted |= self._of(result.trial for result in state.front.items if result.trial.id >= 0)
        if not self.folder.is_symlink():
            for path in self._files - wanted:
                if not path.is_symlink():
                    path.unlink(missing_ok=True)
        self._files &= wanted

    def conclude(self, space: SearchSpace, front: Iterable[Result], trials: Iterable[Trial]) -> None:
        """Remove the weights of these trials, but for those of the front, which get an index; when no worker writes.

        `trials` are all that the log names; files of other names are not of this run, and stay.

        Those of a warm start (trials with negative numbers) have theirs in the folder of their own run.

        Raises `HistoryError` when the disk refuses.
        """
        if self.folder.is_symlink() or not self.folder.is_dir():
            return
        from nas.training.weights import remove_others  # which loads torch

        own = [r for r in front if r.trial.id >= 0]
        kept = [(r, self._evaluator.weights_file(r.trial)) for r in own] if self._keep else []
        there = [(result, path) for result, path in kept if path.is_file()]
        index = {space.format(r.trial.architecture): _entry(r, path) for r, path in there}
        try:
            remove_others(self.folder, self._of(trials), [path for _, path in there])
            files = run_files(self.folder.parent)
            if not self._keep:
                files.remove(f"{FOLDER}/{INDEX}")
                remove_folders([self.folder])  # if nothing else is in it
                return
            files.write_text(f"{FOLDER}/{INDEX}", as_json(index))
        except OSError as error:
            raise HistoryError(f"{self.folder}: cannot be cleaned: {error}") from error

    def _of(self, trials: Iterable[Trial]) -> set[Path]:
        return {self._evaluator.weights_file(trial) for trial in trials}


def _entry(result: Result, path: Path) -> dict[str, Any]:
    trial = result.trial
    return {"file": path.name, "trial": trial.id, "seed": trial.seed, "budget": trial.budget}


def load_network(
    run: str | Path, architecture: str, space: SearchSpace | None = None, *, trust: bool = False
) -> nn.Module:
    """A network of a run's front with the weights that the search gave it, on the CPU, ready to use.

    `architecture` is its text form, as in front.csv; `space` is needed only when the run was started from Python.
    The network takes pictures (b, in_channels, h, w), normalised as in the search: see `docs/run-folder.md`.
    Loading the weights runs nothing. A space that the run's config names by a file would be run: that needs `trust`, unless
    you started the search yourself, with the same code. Raises `DataError` when the run kept no weights of it,
    `ConfigError` when the space must be given or is not trusted.
    """
    from nas.training.judging import put_weights
    from nas.training.weights import read

    file = Path(run) / FOLDER / weights_entry(run, architecture)["file"]
    space = space or _space_of(Path(run), trust)
    if not isinstance(space, HasBuild):
        raise ConfigError(f"space {space.name!r} has no build(architecture)")
    sizes = read(file)
    network = space.build(
        space.parse(architecture),
        num_classes=int(sizes["num_classes"]),
        in_channels=int(sizes["in_channels"]),
    )
    put_weights(network, file)
    return network.eval()


def weights_entry(run: str | Path, architecture: str) -> dict[str, Any]:
    """What the index says of an architecture's weights: `file`, `trial`, `seed`, `budget`. Raises `DataError`."""
    folder = Path(run) / FOLDER
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        entry = index[architecture]
        return {"seed": None, "budget": None, **entry, "file": str(entry["file"])}
    except FileNotFoundError:
        raise DataError(
            f"{run} has no {FOLDER}/{INDEX}: the search kept no weights, or was killed; in that case "
            f"`{command('nas', 'search', '--resume', Path(run))}` writes it"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise DataError(
            f"{folder / INDEX} names no weights of {architecture!r}: is it in front.csv?"
        ) from None


def run_config(run: Path) -> tuple[SearchConfig, Path | None]:
    """The config that a run was started with, and the folder that its paths count from.

    Raises `ConfigError` when it was started from Python.
    """
    from nas.config.schema import check_config

    _, meta = read_history(run)
    config = meta.get("config", {}).get("config")
    if not config:
        raise ConfigError(f"space: {run} was started from Python; give the space that it searched")
    base = config.get("base")
    return check_config(config["search"]), None if base is None else Path(base)


def _space_of(run: Path, trust: bool) -> SearchSpace:
    """The space that a run's config names. Raises `ConfigError` when it has none, or one that is not trusted."""
    from nas.config.assemble import make_space

    config, base = run_config(run)
    named = config.model_dump(mode="json")
    with allow_in_python(named, base, ["space"], trust, f"nas.load_network({str(run)!r}, ...)"):
        return make_space(config.space, base)
