"""The folder of a comparison: record its config and refuse to mix it with another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.compare.config import SPREAD, CompareConfig, ProblemPart
from nas.compare.runs import Comparison
from nas.core.errors import ConfigError, ForeignFileError, HistoryError
from nas.core.json_text import read_json
from nas.core.owned import OwnedFiles, open_folder, present
from nas.core.versions import versions
from nas.deployment.target import read_target
from nas.engine.changed_code import META as CODE
from nas.engine.changed_code import RunCode, checked_code
from nas.runs.history import as_json
from nas.runs.log_file import make_folder

FILE = "compare.json"
SCHEMA = 1
_PATTERNS = [
    FILE,
    *"index.html results/*.csv results/*.csv.gz results/tables.* figures/* fronts/*.csv".split(),
]
# keys of a problem that determine its runs; the others only decide how to read them
_SHAPES_RUNS = {"space", "limits", "evaluator", "fidelity", "halving", "concurrency", "ordered"}
_OF_OBJECTIVES = {"name", "function", "maximize", "cheap"}


def remember(
    comparison: Comparison, code: Mapping[str, str] | None = None, accept_changed_code: bool = False
) -> None:
    """Record the comparison beside its runs, keeping the parts of an earlier config.

    `code` are the hashes of the user's files. Raises `ConfigError` if the folder has another problem or algorithm
    of the same name, `HistoryError` if a file changed since (unless accepted).
    """
    now = identity(comparison.config)
    for part in comparison.config.problems:  # a target's file may change under its name
        if part.target is not None:
            now["problems"][part.name]["target"] = read_target(part.target, comparison.base).as_json()
    earlier = recorded(comparison.out)
    if earlier is not None:
        check_same(earlier, now, comparison.out)
        for kind in ("problems", "algorithms"):
            now[kind] = {**earlier[kind], **now[kind]}
    then = RunCode.from_meta((earlier or {}).get(CODE))
    if code is not None:
        made_of = checked_code(then, code, accept_changed_code, "this comparison was begun")
        kept = {} if then is None else then.files  # including problems and algorithms of earlier configs
        now[CODE] = RunCode({**kept, **made_of.files}, made_of.accepted).as_meta()
    elif then is not None:
        now[CODE] = then.as_meta()
    files = comparison_files(comparison.out)
    _check_writable(files)
    make_folder(comparison.out)
    values = {**now, "config": comparison.config.model_dump(mode="json"), "versions": versions()}
    try:
        files.write_text(FILE, as_json(values))
    except OSError as error:
        raise HistoryError(
            f"{error.filename or comparison.out / FILE}: cannot be written ({error.strerror}); check the permissions of the folder"
        ) from error


def _check_writable(files: OwnedFiles) -> None:
    """Check before any work that the outputs can be written."""
    try:
        files.check(
            [FILE, *"index.html results/ results/tables.md results/tables.tex figures/ fronts/ runs/".split()]
        )
    except OSError as error:
        raise HistoryError(
            f"{error.filename}: cannot be written ({error.strerror}); check the permissions of the folder and its files"
        ) from error


def comparison_files(out: Path) -> OwnedFiles:
    """The files of the comparison in `out`. Raises `ForeignFileError` if it holds other files."""
    return open_folder(out, "comparison", earlier=_earlier, advice="choose another folder with --out")


def _earlier(out: Path) -> list[str]:
    """Files of a comparison by a version that recorded no list."""
    return present(out, _PATTERNS) if recorded(out) is not None else []


def recorded(out: Path) -> dict[str, Any] | None:
    """The recorded config of a folder, or None. Raises `HistoryError` if it cannot be read."""
    path = out / FILE
    if path.is_symlink():
        raise ForeignFileError(
            f"{path} is a symbolic link, which is never followed for writing; remove or rename it"
        )
    if not path.exists():
        return None
    try:
        values = read_json(path.read_text(encoding="utf-8"))
        schema = values["schema"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise HistoryError(
            f"{path}: damaged ({error}); restore it from a copy, or choose another out"
        ) from None
    if schema != SCHEMA:
        raise HistoryError(
            f"{path}: its format has number {schema}, this version reads {SCHEMA}; update this package"
        )
    return dict(values)


def identity(config: CompareConfig) -> dict[str, Any]:
    """The part of the config that must not change once runs exist."""
    return {
        "schema": SCHEMA,
        "initial": config.initial,
        "problems": {p.name: {**_shape(p), "budget": config.budget_of(p)} for p in config.problems},
        "algorithms": {a.label: {"name": a.name, **a.settings} for a in config.algorithms},
    }


def _shape(part: ProblemPart) -> dict[str, Any]:
    values = part.model_dump(mode="json", include=_SHAPES_RUNS)
    values["objectives"] = [o.model_dump(mode="json", include=_OF_OBJECTIVES) for o in part.objectives]
    executor = part.executor.model_dump(mode="json")
    values["executor"] = {"name": SPREAD} if part.executor.name == SPREAD else executor
    if part.share_costs:  # comparisons from before have no such key
        values["share_costs"] = True
    return values


def check_same(earlier: dict[str, Any], now: dict[str, Any], out: Path) -> None:
    """Raise `ConfigError` with the differences unless the runs of both configs can be compared."""
    changed = []
    if earlier["initial"] != now["initial"]:
        changed.append(f"initial: {earlier['initial']} then, {now['initial']} now")
    for kind in ("problems", "algorithms"):
        for name in now[kind].keys() & earlier[kind].keys():
            then, here = earlier[kind][name], now[kind][name]
            for key in sorted(then.keys() | here.keys()):
                if then.get(key) != here.get(key):
                    changed.append(
                        f"{kind[:-1]} {name}: {key}: {then.get(key)!r} then, {here.get(key)!r} now"
                    )
    if changed:
        raise ConfigError(
            f"{out} was started with another configuration ({'; '.join(sorted(changed))}): only problems, algorithms and "
            "seeds may be added. Undo the change, rename the changed part, or choose another out"
        )
