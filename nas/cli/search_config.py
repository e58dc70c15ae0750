"""The config of a search: from a file, flags, a built-in space, or the run to resume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas.config.assemble import built_in_config
from nas.config.schema import SearchConfig, flat, override, put, read_config
from nas.core.errors import ConfigError, HistoryError
from nas.core.plugins import find
from nas.core.records import Status
from nas.core.space import can_build
from nas.core.text import command
from nas.engine.changed_code import META as CODE
from nas.engine.changed_code import RunCode
from nas.runs.history import FILE, read_history
from nas.runs.log_file import well_formed
from nas.runs.original import recorded_search

DEFAULT_SPACE = "muxnet-tiny"
# when a run is resumed
_MAY_CHANGE = set("budget callbacks csv executor keep_weights max_failures out quiet_s stop".split())
_SUPERNET = "evaluator.supernet"  # may become its folder: the log has what it belongs to


@dataclass(frozen=True)
class Flags:
    """The flags that override the config file."""

    space: str | None
    algorithm: str | None
    budget: int | None
    seed: int | None
    workers: int | None
    executor: str | None
    address: str | None
    out: Path | None
    settings: tuple[str, ...]
    callbacks: tuple[str, ...] = ()
    trust: bool = False
    accept_changed_code: bool = False
    csv: bool = False


def config_of(config: Path | None, flags: Flags) -> tuple[dict[str, Any], Path]:
    """The config of a new run, from its file or that of a built-in space, and the folder of its relative paths."""
    if config is not None:
        return read_config(config), config.resolve().parent
    space = flags.space or DEFAULT_SPACE
    built_in = built_in_config(space)
    if built_in is None:
        if can_build(find("space", space, Path.cwd())):
            return {"space": space}, Path.cwd()  # trained on the default data
        raise ConfigError(
            f"space {space!r} has no built-in search: write a config that names an evaluator and objectives "
            f"(docs/define-space.md shows some), and run: {command('nas', 'search', 'my.yaml')}"
        )
    values = read_config(built_in)
    if flags.out is None and space != DEFAULT_SPACE:
        values["out"] = f"runs/{space}"
    return values, Path.cwd()


@dataclass(frozen=True)
class Earlier:
    """A run to resume: its config, the base folder of its paths, its budget and its number of results."""

    search: dict[str, Any]
    base: Path | None
    planned: int
    results: int
    code: Mapping[str, str] = field(default_factory=dict)  # on record, by file
    succeeded: bool = True

    @classmethod
    def read(cls, run: Path, config: Path | None, flags: Flags) -> Earlier:
        """Read the log of `run`. Raises `HistoryError` for one that cannot be resumed, `ConfigError` for flags that do not fit."""
        if config is not None or flags.out is not None:
            raise ConfigError("--resume RUN uses the config and folder of that run: remove CONFIG and --out")
        frame, meta = read_history(run)
        if "identity" not in meta:
            raise HistoryError(f"{run}: the run ended before its first evaluation; start it again")
        with well_formed(run / FILE):
            stored = meta["config"]["config"]
            base = None if not stored or stored.get("base") is None else Path(stored["base"])
            planned, concurrency = (meta["identity"].get(key) for key in ("evaluations", "concurrency"))
            if not stored:
                how = "nas.search" if planned is not None else "nas.Study"
                raise HistoryError(
                    f"{run} was not started by `nas search`: resume it from Python, {how}(..., out={str(run)!r}, resume=True)"
                )
            planned = int(planned)
        evaluated = ~frame["status"].isin([Status.INVALID.value, "running"])
        code = RunCode.from_meta(meta.get(CODE))
        return cls(
            {
                **recorded_search(stored, run),
                "concurrency": concurrency,
            },  # chosen from the workers at the start
            base,
            planned,
            int(evaluated.sum()),
            {} if code is None else code.files,
            bool((frame["status"] == Status.OK.value).any()),
        )


def check_unchanged(then: SearchConfig, now: SearchConfig) -> None:
    """Raise `HistoryError` when a resumed run would mix results of different searches."""
    before, after = (flat(c.model_dump(mode="json", exclude=_MAY_CHANGE)) for c in (then, now))
    if after.get("evaluator.name") == "shared" and isinstance(after.get(_SUPERNET), str):
        before, after = (
            {k: v for k, v in values.items() if not f"{k}.".startswith(f"{_SUPERNET}.")}
            for values in (before, after)
        )
    changes = [
        f"{key}: {_shown(before, key)} then, {_shown(after, key)} now"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]
    if changes:
        raise HistoryError(
            f"this run was started with another configuration ({'; '.join(changes)}): resume it as "
            f"started (only {', '.join(sorted(_MAY_CHANGE))} may change), or start a new one in another folder"
        )


def _shown(values: dict[str, Any], key: str) -> str:
    return repr(values[key]) if key in values else "its default"


def with_flags(values: dict[str, Any], flags: Flags) -> dict[str, Any]:
    """The config with the values of the flags. Raises `ConfigError` for flags that do not fit it."""
    values = override(values, ())
    for key, name in (("space", flags.space), ("algorithm", flags.algorithm)):
        if name is not None and _name(values.get(key)) != name:
            values[key] = _from_here(name)
    if flags.executor is not None and _name(values.get("executor", "ray")) != flags.executor:
        values["executor"] = _from_here(flags.executor)
    pairs: list[tuple[list[str], Any]] = [
        (["budget", "evaluations"], flags.budget),
        (["seed"], flags.seed),
        (["executor", "workers"], flags.workers),
        (["executor", "address"], flags.address),
        (["out"], None if flags.out is None else str(flags.out)),
        (["csv"], True if flags.csv else None),
    ]
    for path, value in pairs:
        if value is not None:
            if path[0] == "executor" and _name(values.get("executor", "ray")) == "serial":
                raise ConfigError(
                    f"--{path[1]}: the serial executor has no {path[1]}; remove the flag or use --executor ray"
                )
            put(values, path, value)
    _add_callbacks(values, flags.callbacks)
    return override(values, flags.settings)


def _add_callbacks(values: dict[str, Any], names: Sequence[str]) -> None:
    """Append the callbacks of the command line to those of the config, without duplicates."""
    given = values.get("callbacks") or []
    if names and isinstance(given, list):
        known = [_name(part) for part in given]
        values["callbacks"] = given + [n for n in map(_from_here, dict.fromkeys(names)) if n not in known]


def _from_here(name: str) -> str:
    """Resolve a file named on the command line against the working folder, not the config's folder."""
    place, colon, attribute = name.rpartition(":")
    return f"{Path(place).resolve()}:{attribute}" if colon and place.endswith(".py") else name


def _name(part: Any) -> Any:
    return part.get("name") if isinstance(part, dict) else part
