"""The origin of an exported network: the text at the top of its files and a section of the card."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nas.core.space import for_task, has_cost, parsed
from nas.core.task_spec import TaskSpec
from nas.core.text import markdown_code, markdown_text, printable
from nas.export.making import Made, Run, without_folders
from nas.export.picks import Pick
from nas.runs.expected import ENDS


@dataclass(frozen=True)
class Origin:
    """The history of a network in an export.

    `network` is its text form and `name` a name for titles. `lead` is a sentence before the text form, `about` the top
    of network.py. `costs` are exact (`params`, `madds`), `drawing` an SVG or None. `section` is a part of the card, or
    empty. `index` goes to export.json; `versions` are those of `maker`, the search or training.
    """

    name: str
    network: str
    lead: str
    about: str
    maker: str
    costs: Mapping[str, float] = field(default_factory=dict)
    drawing: str | None = None
    section: str = ""
    index: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def of_search(run: Run, chosen: Pick, made: Made) -> Origin:
    """The origin of a network found by a search."""
    config = run.meta.get("config", {})
    channels, *sides = made.images.shape
    task = TaskSpec(channels, len(made.images.class_names), (sides[0], sides[1]))
    space = for_task(run.space, task)
    architecture = parsed(space, chosen.architecture)
    costs = dict(space.cost(architecture)) if has_cost(space) else {}
    draw = getattr(space, "to_svg", None)
    return Origin(
        chosen.name,
        chosen.architecture,
        f"A network of the space {markdown_code(space.name)}, found by a multi-objective search and picked as "
        f"{markdown_text(chosen.reason)}",
        f"A network found by a search: {chosen.architecture}\n\nSpace {space.name}, algorithm "
        f"{config.get('algorithm', 'unknown')}, seed {config.get('seed', 'unknown')}; picked as {chosen.reason}.\n{made.story}",
        "search",
        costs,
        None if draw is None else str(draw(architecture)),
        _search(run, chosen, config, costs, task),
        {"architecture": chosen.architecture, "picked": chosen.reason, "network": _identity(chosen, config)},
        config.get("versions", {}),
    )


def _identity(chosen: Pick, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The network in the terms of `nas train`: spec, settings of the space, task, head; None for a run from Python."""
    search = (config.get("config") or {}).get("search")
    if not search:
        return None
    space, task, head = dict(search["space"]), "classification", {}
    if space.get("name") == "segmentation":
        task, head = "segmentation", _named(space.get("head", "c1"))
        head.pop("auxiliary", None)  # dropped in exports
        space = _named(space.get("backbone", "muxnet-imagenet"))
    name = space.pop("name")
    return {"network": f"{name}:{chosen.architecture}", "space": space, "task": task, "head": head}


def _named(part: Any) -> dict[str, Any]:
    """A component as a mapping."""
    return {"name": part} if isinstance(part, str) else dict(part)


def _search(
    run: Run, chosen: Pick, config: Mapping[str, Any], costs: Mapping[str, float], task: TaskSpec
) -> str:
    """The values and settings of the search, without exact costs of a network other than this card's."""
    other = [
        item.name
        for item in run.table.objectives
        if item.cheap and item.name in costs and not math.isclose(chosen.row[item.name], costs[item.name])
    ]
    rows = [
        (
            item.name,
            f"{chosen.row[item.name]:,.6g}",
            markdown_text(item.unit),
            "maximised" if item.maximize else "minimised",
        )
        for item in run.table.objectives
        if item.name not in other
    ]
    rows += [
        (
            f"{item.name}, expected",
            "{:,.6g} ({:,.6g} to {:,.6g})".format(*(chosen.row[f"{item.name}_{end}"] for end in ENDS)),
            markdown_text(item.unit),
            "90% interval of a further measurement",
        )
        for item in run.table.objectives
        if f"{item.name}_{ENDS[0]}" in chosen.row
    ]
    limits = ", ".join(markdown_text(str(limit)) for limit in run.meta.get("limits", [])) or "none"
    results = len(run.table.told)
    return (
        f"## Search\n\nValues of this network in the search. They steered the search; do not report them:\n\n"
        f"{table(('objective', 'value', 'unit', ''), rows)}\n\nAlgorithm {markdown_code(str(config.get('algorithm', 'unknown')))}, "
        f"seed {markdown_text(str(config.get('seed', 'unknown')))}, {results:,} results, a front of {len(run.table.front):,}; limits: {limits}.{_counted_otherwise(run, other, task)}\n\n"
        f"<details><summary>Configuration of the search</summary>\n\n```json\n{_configuration(config)}\n```\n\n</details>"
    )


def _counted_otherwise(run: Run, names: Sequence[str], task: TaskSpec) -> str:
    """The reason for omitting costs that steered the search."""
    if not names:
        return ""
    what = " and ".join(names)
    if run.task is not None and run.task != task:
        return (
            f" The search counted {what} for its data ({run.task}); this network is for other data ({task})."
        )
    return (
        f" The search counted {what} for another task than that of its data, as earlier versions did; the numbers "
        "above are those of this network."
    )


def _configuration(config: Mapping[str, Any]) -> str:
    """The recorded config without empty defaults and folders of the machine."""
    inner = config.get("config") or {}
    search = {k: v for k, v in (inner.get("search") or config).items() if k not in ("out", "versions")}
    text = json.dumps(without_folders(search), indent=2)
    return text.replace("`", "\\u0060").replace("<", "\\u003c")  # so that nothing ends the code block


def one_line(text: str) -> str:
    """A text on one line that cannot end a code block or a table row."""
    return " ".join(printable(text).split()).replace("`", "'").replace("|", "/").replace("<", "(")


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """In Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
