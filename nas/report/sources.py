"""The input of a report: finished or running searches, read from their folders."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from nas.core.errors import ConfigError, DataError
from nas.core.json_text import read_json
from nas.core.plugins import built_in_alone
from nas.core.space import SearchSpace, for_task
from nas.core.task_spec import TaskSpec
from nas.runs.history import FILE
from nas.runs.log_file import well_formed
from nas.runs.original import original_file, with_own_weights
from nas.runs.reading import load_run
from nas.runs.run_folder import RunTable, summarise
from nas.spaces.making import make_space
from nas.spaces.recorded import recorded_space
from nas.spaces.space import Space

UNDER_WAY = "running, or ended without a summary"


@dataclass(frozen=True)
class Source:
    """A run: its folder as named, its table, its resolved config, its final state.

    `space` is None if unknown or built by user code, which reading a run does not execute. `declared` has the parameters of
    a declared space as the log records them, without its functions.
    """

    folder: Path
    table: RunTable
    config: Mapping[str, Any]
    state: str
    space: SearchSpace | None
    stopped_by: str = ""
    declared: Space | None = None

    @cached_property
    def summary(self) -> Mapping[str, Any]:
        """The current numbers of summary.json."""
        return summarise(self.table, {})

    @cached_property
    def excluded(self) -> Mapping[str, int]:
        """The architectures that the search checked and excluded before training, by reason; empty if unknown."""
        with suppress(OSError, ValueError):
            written = read_json((self.folder / "summary.json").read_text(encoding="utf-8"))
            found = written.get("excluded") if isinstance(written, dict) else None
            if isinstance(found, dict) and all(isinstance(n, int) for n in found.values()):
                return found
        return {}

    @property
    def search(self) -> Mapping[str, Any] | None:
        """The config of `nas search`; None for a run from Python."""
        record = self.config.get("config")
        return None if not record else record["search"]

    @property
    def limits(self) -> tuple[str, ...]:
        """The limits of the front."""
        return tuple(map(str, self.config.get("limits", ())))


def read_source(folder: Path, space: SearchSpace | None = None, *, log: Path | None = None) -> Source:
    """Read a run. Without `space`, a built-in one is created from the config. Raises `HistoryError` without a run.

    `log` is a folder with a copy of the run's log, read in place of the log itself.
    """
    table, meta = load_run(folder if log is None else log)
    with well_formed(folder / FILE):
        source = Source(folder, table, dict(meta["config"]), UNDER_WAY, space)
        state, stopped_by = _ended(source)
        source = replace(source, state=state, stopped_by=stopped_by, declared=declared_space_of(meta))
        return _of_its_task(source if space is not None else _with_space(source))


def declared_space_of(meta: Mapping[str, Any]) -> Space | None:
    """The declared space of a run's meta values, without its functions; None for another space. Raises `ConfigError`."""
    identity = meta.get("identity") or {}
    declaration = identity.get("declaration")
    return None if declaration is None else recorded_space(str(identity.get("space")), declaration)


def _of_its_task(source: Source) -> Source:
    """The source with the space as counted in the search."""
    task = TaskSpec.from_json(source.config.get("task"))
    if source.space is None or task is None:
        return source
    return replace(source, space=for_task(source.space, task))


def _ended(source: Source) -> tuple[str, str]:
    """The final state and stopping rule of the run's summary, unless it has newer evaluations."""
    try:
        summary = read_json((source.folder / "summary.json").read_text(encoding="utf-8"))
        state, evaluations = str(summary["state"]), summary["evaluations"]
        stopped_by = str(summary.get("stopped_by") or "")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return UNDER_WAY, ""
    return (state, stopped_by) if evaluations == source.summary["evaluations"] else (UNDER_WAY, "")


def _with_space(source: Source) -> Source:
    search = source.search
    described = None if search is None else with_own_weights(search, source.folder)["space"]
    if described is None or not _only_ours(described):
        return source
    if described.get("weights", str(original_file(source.folder))) != str(original_file(source.folder)):
        return source  # a file elsewhere, which a stranger's log may name
    base = source.config["config"].get("base")
    settings = {key: value for key, value in described.items() if key != "name"}
    try:
        with built_in_alone():
            space = make_space(str(described["name"]), settings, None if base is None else Path(base))
    except (ConfigError, DataError):  # such as a missing table
        return source
    return replace(source, space=space)


def _only_ours(described: Any) -> bool:
    """Whether a space's description names no file or module: reading a foreign log must not run its code."""
    if isinstance(described, Mapping):
        return all(map(_only_ours, described.values()))
    if isinstance(described, (list, tuple)):
        return all(map(_only_ours, described))
    return not (isinstance(described, str) and ":" in described)
