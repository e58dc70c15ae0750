"""Build the description of a report from runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nas.core.errors import ConfigError
from nas.core.objectives import exclusions_text
from nas.core.text import command
from nas.core.versions import versions
from nas.core.yaml_text import dump_yaml
from nas.pareto.decision import knee
from nas.report.baselines import baseline_values, baselines_on_page
from nas.report.commands import pick_commands, run_commands
from nas.report.evaluated import Evaluated, evaluated
from nas.report.importance import on_page, run_importances
from nas.report.networks import MOST_DRAWN, networks, rows_to_draw
from nas.report.quality import own_curve, shared_curves, surrogates
from nas.report.records import Curve, Failure, Measure, Number, Report, Run
from nas.report.result import result
from nas.report.rows import measures, rows, share_of_rows
from nas.report.sharing import on_page as sharing_on_page
from nas.report.sources import UNDER_WAY, Source
from nas.report.timeline import timeline
from nas.runs.failures import first_line, kind_of
from nas.runs.original import difference_text, original_values
from nas.runs.repeated import read_repeated

MOST_RUNS = 28  # with distinct colours and lines
_MOST_REASONS = 50  # of failures
_FINE = ("ok", "running", "invalid")


def describe(sources: Sequence[Source]) -> Report:
    """The page of one run, or of several compared by their common objectives.

    Raises `ConfigError` for more than 28 runs, or runs without a common objective of equal unit and direction.
    """
    _check(sources)
    tables = [source.table for source in sources]
    runs = [evaluated(table, imported=True) for table in tables]
    limits, folders = [text for source in sources for text in source.limits], [s.folder for s in sources]
    shared = measures(tables, runs, limits, lambda name: baseline_values(folders, name))
    names = [measure.name for measure in shared]
    kept = share_of_rows(runs, max(len(table.parameters) for table in tables))
    curves = [own_curve(tables[0])] if len(sources) == 1 else shared_curves(tables, names)
    room = MOST_DRAWN // len(sources)
    shown = [
        _Shown(name, _only(run, source, names), at, curve, room, len(sources) == 1)
        for source, name, run, at, curve in zip(sources, _names(sources), runs, kept, curves, strict=True)
    ]
    described = [_run(source, part, shared) for source, part in zip(sources, shown, strict=True)]
    return Report(
        _title(sources),
        result(sources, described, shared),
        f"{time.strftime('%Y-%m-%d %H:%M %Z')}, by version {versions()['multiobjective-nas']}",
        shared,
        described,
        _notes(sources, shared, described),
    )


def _check(sources: Sequence[Source]) -> None:
    if not 1 <= len(sources) <= MOST_RUNS:
        raise ConfigError(f"runs: expected 1 to {MOST_RUNS}, got {len(sources)}")
    first = {o.name: (o.unit, o.maximize) for o in sources[0].table.objectives}
    shared = set(first)
    for source in sources[1:]:
        own = {o.name: (o.unit, o.maximize) for o in source.table.objectives}
        shared &= set(own)
        for name in shared:
            if own[name] != first[name]:
                raise ConfigError(
                    f"{source.folder}: objective {name!r} is {_described(own[name])} here and {_described(first[name])} in "
                    f"{sources[0].folder}; such runs cannot be compared"
                )
    if not shared:
        raise ConfigError(
            "these runs have no common objective and cannot be compared; write a page for each: "
            + ", ".join(command("nas", "report", source.folder) for source in sources)
        )


def _described(measure: tuple[str, bool]) -> str:
    unit, maximize = measure
    return f"{'maximised' if maximize else 'minimised'} in {unit or 'no unit'}"


def _title(sources: Sequence[Source]) -> str:
    if len(sources) == 1:
        return f"Search report: {sources[0].folder}"
    return f"Comparison of {len(sources)} searches"


def _names(sources: Sequence[Source]) -> list[str]:
    """The folders as named, without their common part."""
    if len(sources) == 1:
        return [str(sources[0].folder)]
    parents = [source.folder.parent.parts for source in sources]
    shared = 0
    while all(len(p) > shared for p in parents) and len({p[shared] for p in parents}) == 1:
        shared += 1
    return [str(Path(*source.folder.parts[shared:])) for source in sources]


def _only(run: Evaluated, source: Source, names: Sequence[str]) -> Evaluated:
    """The run with only the values of these objectives."""
    places = [[o.name for o in source.table.objectives].index(name) for name in names]
    return run.only(places)


@dataclass(frozen=True)
class _Shown:
    """The part of a run on the page: the rows `kept`, its curve, at most `room` drawn networks; `alone`: of the only run."""

    name: str
    run: Evaluated
    kept: NDArray[np.int64]
    curve: Curve | None
    room: int
    alone: bool


def _run(source: Source, shown: _Shown, shared: Sequence[Measure]) -> Run:
    """The description of one run."""
    table, config = source.table, source.config
    run, kept = shown.run, shown.kept
    executor = (source.search or {}).get("executor") or {}
    bend = _knee(source, run, kept, shared)
    drawn = rows_to_draw(run, kept, shown.room, bend)
    return Run(
        name=shown.name,
        state=source.state,
        facts=_facts(source, shown.curve),
        seconds=float(source.summary["seconds"]),
        rows=rows(run, kept, table.parameters, _against(source, run, kept)),
        knee=bend,
        networks=networks(
            run, kept, drawn, source.space, [*table.parameters, *(o.name for o in table.objectives)]
        ),
        curve=shown.curve,
        surrogates=surrogates(table.notes),
        sharing=sharing_on_page(table),
        repeated=read_repeated(source.folder),
        baselines=baselines_on_page(source.folder, table, shared),
        importances=[on_page(found) for found in run_importances(table, source.space or source.declared)]
        if shown.alone
        else [],
        timeline=timeline(table.frame, executor.get("name") == "simulated"),
        failures=failures(table.frame),
        commands=run_commands(source),
        picks=pick_commands(source),
        config=_config_text(config),
        versions={str(name): str(version) for name, version in config.get("versions", {}).items()},
    )


def _knee(source: Source, run: Evaluated, kept: NDArray[np.int64], shared: Sequence[Measure]) -> int | None:
    """The row of the knee point (or most balanced point) of the front in the page's objectives; None without a front."""
    front = np.flatnonzero(run.front[kept])
    if not len(front):
        return None
    signs = np.array([-1.0 if measure.maximize else 1.0 for measure in shared])
    values = run.values[kept][front]
    return int(front[knee(values * signs).index])


def _of_planned(done: int, planned: int | None) -> str:
    return f"{done:,}" if planned is None else f"{done:,} of {planned:,} planned"


def _facts(source: Source, curve: Curve | None) -> list[tuple[str, str]]:
    """The setup and the results of the search, with units."""
    config, numbers = source.config, source.summary
    loop = config.get("loop", {})
    volume = curve.hypervolume[-1] if curve is not None and curve.hypervolume else 0.0
    facts = [
        ("State", f"{source.state} ({source.stopped_by})" if source.stopped_by else source.state),
        ("Space", str(config.get("space", ""))),
        ("Algorithm", str(config.get("algorithm", ""))),
        ("Evaluations", _of_planned(numbers["evaluations"], loop.get("evaluations", 0))),
        ("Failed", f"{numbers['failed']:,} evaluations"),
        ("On the front", f"{numbers['front_size']:,} architectures"),
        (
            "Hypervolume",
            f"{volume:.4f} of the box" + (", approximately" if numbers["hypervolume_approximate"] else ""),
        ),
        ("Seed", str(loop.get("seed", ""))),
        (
            "Trials in flight",
            str(loop.get("concurrency", "")) if loop.get("ordered", True) else "one a worker",
        ),
    ]
    if original := original_values(config):
        facts.append(("Original network", _values_of(original, source)))
    facts += [("Beyond the best", sentence) for sentence in numbers["beyond_best"].values()]
    if numbers["imported"]:
        facts.append(("Known before", f"{numbers['imported']:,} results of an earlier run"))
    if numbers["budgets"]:
        text = ", ".join(f"{n:,} at {budget} epochs" for budget, n in numbers["budgets"].items())
        facts.append(("Budgets", text))
    if source.limits:
        units = {o.name: o.unit for o in source.table.objectives}
        facts.append(
            (
                "Limits",
                ", ".join(f"{text} {units.get(text.split(' ')[0], '')}".strip() for text in source.limits),
            )
        )
    excluded = dict(source.excluded)
    checked = excluded.pop("checked", 0)
    if excluded:
        by_reason = exclusions_text(excluded)
        facts.append(("Excluded before training", f"of {checked:,} checked architectures: {by_reason}"))
    return facts


def _values_of(original: Mapping[str, float], source: Source) -> str:
    """The values of the original network in the objectives."""
    units = {o.name: o.unit for o in source.table.objectives}
    return ", ".join(
        f"{name} {original[name]:,.6g} {unit}".strip() for name, unit in units.items() if name in original
    )


def _against(source: Source, run: Evaluated, kept: NDArray[np.int64]) -> dict[str, list[Number | str]]:
    """A column with the differences from the original network of a shrink run; none for other runs."""
    original = original_values(source.config)
    if not original:
        return {}
    found = run.frame.iloc[kept]
    texts = [difference_text(dict(row), original, source.table.objectives) for _, row in found.iterrows()]
    return {"against the original": [*texts]}


def _config_text(config: Any) -> str:
    """The resolved config in YAML, without the versions, which are shown separately."""
    shown = {key: value for key, value in config.items() if key != "versions"}
    record = shown.pop("config", None)
    if record:
        shown = _without_none(record["search"])
    return dump_yaml(shown)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list) else value


def _notes(sources: Sequence[Source], shared: Sequence[Measure], runs: Sequence[Run]) -> list[str]:
    """Caveats of the charts."""
    notes = [
        f"{source.folder} is {UNDER_WAY}: this page shows its state when the page was written."
        for source in sources
        if source.state == UNDER_WAY
    ]
    left_out = sum(run.rows.left_out for run in runs)
    if left_out:
        shown = sum(len(run.rows.trial) for run in runs)
        of_front = sum(run.rows.front_left_out for run in runs)
        front = f"{of_front:,} of them on the front" if of_front else "none of them on the front"
        notes.append(
            f"To keep this page small, {left_out:,} evaluations are omitted from its charts and table, evenly over the "
            f"search and {front}. history.parquet has all {left_out + shown:,}."
        )
    for source in sources:
        missing = [o.name for o in source.table.objectives if o.name not in [m.name for m in shared]]
        if missing:
            notes.append(
                f"{source.folder} also has {', '.join(missing)}, which not all of these runs have: omitted here. Its "
                "front considers all its objectives."
            )
    if len(sources) > 1:
        notes.append(
            "Hypervolume and IGD+ are measured in one box and against the joint front of all runs, so they "
            "differ from those on the page of each run."
        )
    return notes


def failures(frame: pd.DataFrame) -> list[Failure]:
    """The reasons of failed evaluations in a run's table, most frequent first."""
    bad = frame[~frame["status"].isin(_FINE)]
    if bad.empty:
        return []
    reasons = bad["reason"].fillna("").astype(str)
    kinds = [kind_of(status, reason) for status, reason in zip(bad["status"], reasons, strict=True)]
    found = []
    for _, group in bad.groupby(pd.Series(kinds, index=bad.index, dtype=object), sort=False):
        example = group.iloc[0]
        found.append(
            Failure(
                str(example["status"]),
                len(group),
                first_line(str(example["status"]), reasons[group.index[0]]),
                int(example["trial"]),
                str(example["architecture"]),
                reasons[group.index[0]],
            )
        )
    return sorted(found, key=lambda failure: -failure.count)[:_MOST_REASONS]
