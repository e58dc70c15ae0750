"""Commands to copy for a run and for one of its architectures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nas.core.space import can_build
from nas.core.text import program, shell_quoted
from nas.report.records import Command
from nas.report.sources import UNDER_WAY, Source
from nas.runs.next_steps import continue_command
from nas.runs.original import command_of

_DATA = "digits"  # default data of a search


def run_commands(source: Source) -> list[Command]:
    """Commands for the run."""
    nas, folder = program(), shell_quoted(source.folder)
    found = []
    if len(source.table.front):
        found.append(Command("Print the front with its knee point", f"{nas} front {folder} --knee"))
        preference = shell_quoted(_preference(source))
        found.append(Command("Rank the front by a preference", f"{nas} front {folder} --prefer {preference}"))
        found.append(Command("Export the network at the knee point", f"{nas} export {folder} --pick knee"))
        found.append(
            Command(
                "Export the best within a limit",
                f"{nas} export {folder} --pick {shell_quoted(_pick(source))}",
            )
        )
    if len(source.table.front) and _trains(source):
        found.append(
            Command("Compare the front with MobileNets, or your network", f"{nas} baseline {folder}")
        )
    if source.search is not None:
        loop, summary = source.config["loop"], source.summary
        go_on = continue_command(
            source.folder, state=source.state, evaluations=int(summary["evaluations"]),
            planned=int(loop["evaluations"]), seconds=loop["seconds"], spent=float(summary["seconds"]),
            stopped_by=source.stopped_by, by=command_of(source.config),
        )  # fmt: skip
        if go_on is not None:
            found.append(Command("Continue the search", go_on))
    if source.state == UNDER_WAY:
        found.append(Command("Watch the search", f"{nas} watch {folder}"))
    found.append(Command("Update this page", f"{nas} report {folder}"))
    return found


def _trains(source: Source) -> bool:
    """Whether the candidates were trained, so that other networks can be trained like them."""
    evaluator = (source.search or {}).get("evaluator")
    return isinstance(evaluator, Mapping) and evaluator.get("name") in ("training", "shared")


def _levels(source: Source) -> list[str]:
    """A level per objective that part of the front reaches; the front has a member."""
    return [f"{source.table.front[o.name].median():.3g}" for o in source.table.objectives]


def _preference(source: Source) -> str:
    objectives, levels = source.table.objectives, _levels(source)
    terms = [f"{objectives[0].name}={levels[0]}"]
    terms += [
        f"{o.name}{'>' if o.maximize else '<'}{level}"
        for o, level in zip(objectives[1:], levels[1:], strict=True)
    ]
    return ",".join(terms)


def _pick(source: Source) -> str:
    """The pick of the best first objective within a limit on the last one."""
    first, last = source.table.objectives[0], source.table.objectives[-1]
    return f"{last.name}{'>=' if last.maximize else '<='}{_levels(source)[-1]}:{first.name}"


def pick_commands(source: Source) -> list[Command]:
    """Commands for one architecture; `{}` marks the place of its text."""
    nas, folder = program(), shell_quoted(source.folder)
    found = [Command("Export it", f"{nas} export {folder} --pick ", "{}")]
    search = source.search
    if search is None:
        return found
    space = search["space"]
    settings = "".join(f" --set {_setting(key, value)}" for key, value in _settings(space).items())
    name = str(space["name"])
    found.insert(0, Command("Show it", f"{nas} show {shell_quoted(name)} ", "{}", settings))
    if source.space is not None and not can_build(source.space):
        return found
    train = _training(search)
    if train is not None:
        inner = "".join(
            f" --set {_setting(f'space.{key}', value)}" for key, value in _settings(space).items()
        )
        found.append(Command("Train it fully", f"{nas} train ", f"{name}:{{}}", train + inner))
    return found


def _training(search: Mapping[str, Any]) -> str | None:
    """The flags of `nas train` for the search's data; None for a custom evaluator."""
    evaluator = search.get("evaluator") or {}
    if evaluator.get("name") != "training":
        return f" --data {_DATA}" if str(evaluator.get("name", "")).endswith("-table") else None
    data = evaluator.get("data", _DATA)
    described = {"name": data} if isinstance(data, str) else dict(data)
    flags = f" --data {shell_quoted(str(described.pop('name', _DATA)))}"
    path = described.pop("path", None)
    if path is not None:
        flags += f" --path {shell_quoted(str(path))}"
    return flags + "".join(f" --set {_setting(f'data.{key}', value)}" for key, value in described.items())


def _settings(part: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key != "name"}


def _setting(key: str, value: Any) -> str:
    """`key=value` as `--set` reads it, quoted for a shell."""
    text = value if isinstance(value, str) else json.dumps(value)
    return shell_quoted(f"{key}={text}")
