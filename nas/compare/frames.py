"""The numbers of a comparison as tables, one per file in results/."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from nas.compare.analysis import Study, overall
from nas.compare.config import CompareConfig
from nas.compare.measures import Curve, evaluation_grid, quartiles, time_grid
from nas.compare.statistics import Ranking
from nas.core.records import FloatArray
from nas.pareto.indicators import attainment_difference, attainment_surfaces

PERCENTILES = (25.0, 50.0, 75.0)
_QUARTILES = ["lower_quartile", "median", "upper_quartile"]
ACROSS = "(over problems)"  # instead of a problem's name


def frames(studies: Sequence[Study], config: CompareConfig) -> dict[str, pd.DataFrame]:
    """Every table by the name of its file."""
    return {
        "runs": pd.DataFrame(_runs(studies)),
        "quality": pd.DataFrame(_quality(studies)),
        "summary": summary(studies),
        "curves": _joined(_curves(studies)),
        "curves_time": _joined(_curves_time(studies)),
        "targets": targets(studies),
        "reached": pd.DataFrame(_reached(studies)),
        "ranks": pd.DataFrame(_ranks(studies, config)),
        "pairs": pd.DataFrame(_pairs(studies)),
        "reference": pd.DataFrame(_reference(studies)),
        "reference_fronts": _joined(_fronts(studies)),
        "attainment": _joined(_attainment(studies)),
        "attainment_difference": _joined(_differences(studies)),
        "evaluations": _joined(_evaluations(studies)),
    }


def _joined(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    kept = [part for part in parts if len(part)]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()


def _where(study: Study) -> dict[str, Any]:
    return {"problem": study.part.name, "values": study.kind}


def _first_views(studies: Sequence[Study]) -> list[Study]:
    """One study per problem."""
    return list({s.part.name: s for s in reversed(studies)}.values())[::-1]


def _runs(studies: Sequence[Study]) -> Iterator[dict[str, Any]]:
    """One row per run: its outcome and final quality."""
    by_problem: dict[str, list[Study]] = {}
    for study in studies:
        by_problem.setdefault(study.part.name, []).append(study)
    for name, views in by_problem.items():
        for run in views[0].runs:
            clock = run.rows["clock"]
            row = {
                "problem": name,
                "algorithm": run.key.algorithm,
                "seed": run.key.seed,
                "state": run.summary["state"],
                "evaluations": len(run.rows),
                "architectures": run.rows["architecture"].nunique(),
                "failed": int((run.rows["status"] != "ok").sum()),
                "seconds": float(clock.iloc[-1]) if len(clock) else 0.0,
                "front_size": run.summary["front_size"],
            }
            for study in views:
                for measure in study.measures:
                    curve = study.curves[measure.name][run.key]
                    row[f"{study.kind}_{measure.name}"] = curve.at([study.budget])[0]
            yield row


def _quality(studies: Sequence[Study]) -> Iterator[dict[str, Any]]:
    """One row per run, checkpoint and measure."""
    for study in studies:
        for measure in study.measures:
            for key, curve in study.curves[measure.name].items():
                for n in study.config.checkpoints_of(study.part):
                    yield {
                        **_where(study),
                        "measure": measure.name,
                        "algorithm": key.algorithm,
                        "seed": key.seed,
                        "evaluations": n,
                        "value": curve.at([n])[0],
                    }


def summary(studies: Sequence[Study]) -> pd.DataFrame:
    """Median and quartiles at the checkpoints: one row per view, measure, checkpoint and algorithm."""
    rows = []
    for study in studies:
        for measure in study.measures:
            for n in study.config.checkpoints_of(study.part):
                for label, curves in study.of(measure.name).items():
                    three = quartiles(np.array([c.at([n]) for c in curves]))[:, 0]
                    where = {**_where(study), "measure": measure.name, "evaluations": n, "algorithm": label}
                    rows.append({**where, **dict(zip(_QUARTILES, three, strict=True)), "runs": len(curves)})
    return pd.DataFrame(rows)


def _curves(studies: Sequence[Study]) -> Iterator[pd.DataFrame]:
    for study in studies:
        grid = evaluation_grid(study.budget)
        for measure in study.measures:
            for label, curves in study.of(measure.name).items():
                values = np.array([c.at(grid) for c in curves])
                yield _along(study, measure.name, label, "evaluations", grid, values)


def _curves_time(studies: Sequence[Study]) -> Iterator[pd.DataFrame]:
    for study in studies:
        for measure in study.measures:
            grid = time_grid(list(study.curves[measure.name].values()))
            for label, curves in study.of(measure.name).items() if len(grid) else ():
                values = np.array([c.at_time(grid) for c in curves])
                yield _along(study, measure.name, label, "seconds", grid, values)


def _along(
    study: Study, measure: str, label: str, axis: str, grid: np.ndarray, values: FloatArray
) -> pd.DataFrame:
    columns = {**_where(study), "measure": measure, "algorithm": label, axis: grid}
    return pd.DataFrame(
        {**columns, **dict(zip(_QUARTILES, quartiles(values), strict=True)), "runs": len(values)}
    )


def threshold(study: Study, target: float) -> float:
    """The measure's value of a target: a share of the reference front's, or the target itself."""
    return target if study.reference is None else target * study.reference.hypervolume


def _needed(study: Study, label: str, target: float) -> FloatArray:
    """Evaluations and seconds of each run to the target, (n, 2); infinite if not reached."""
    curves: list[Curve] = study.of(study.measure.name)[label]
    return np.array([curve.reaches(threshold(study, target)) for curve in curves])


def targets(studies: Sequence[Study]) -> pd.DataFrame:
    """Evaluations and seconds to each target over all runs; infinite if too few runs reached it."""
    rows = []
    for study in studies:
        for target in study.config.targets_of(study.part):
            for label in study.labels:
                needed = _needed(study, label, target)
                low, median, high = np.quantile(needed[:, 0], (0.25, 0.5, 0.75), method="higher")
                reached = int(np.isfinite(needed[:, 0]).sum())
                row = {
                    **_where(study),
                    "target": target,
                    "value": threshold(study, target),
                    "algorithm": label,
                }
                row |= {"lower_quartile": low, "median": median, "upper_quartile": high}
                row |= {"median_seconds": np.quantile(needed[:, 1], 0.5, method="higher")}
                rows.append({**row, "reached": reached, "runs": len(needed), "budget": study.budget})
    return pd.DataFrame(rows)


def _reached(studies: Sequence[Study]) -> Iterator[dict[str, Any]]:
    """One row per run and target; evaluations and seconds are empty if not reached."""
    for study in studies:
        for target in study.config.targets_of(study.part):
            for key, curve in study.curves[study.measure.name].items():
                evaluations, seconds = curve.reaches(threshold(study, target))
                yield {
                    **_where(study),
                    "target": target,
                    "algorithm": key.algorithm,
                    "seed": key.seed,
                    "evaluations": evaluations if np.isfinite(evaluations) else np.nan,
                    "seconds": seconds if np.isfinite(seconds) else np.nan,
                }


def _ranks(studies: Sequence[Study], config: CompareConfig) -> Iterator[dict[str, Any]]:
    """Mean ranks with Friedman's test: per view over seeds at each checkpoint, and over problems."""
    for study in studies:
        for n in config.checkpoints_of(study.part):
            yield from _ranking({**_where(study), "evaluations": n, "blocks": "seeds"}, study.ranking(n))
    for kind, found in overall(studies, config).items():
        yield from _ranking(
            {"problem": ACROSS, "values": kind, "evaluations": None, "blocks": "problems"}, found
        )


def _ranking(where: dict[str, Any], found: Ranking) -> Iterator[dict[str, Any]]:
    for label, rank in zip(found.names, found.ranks.tolist(), strict=True):
        yield {
            **where,
            "n": found.blocks,
            "algorithm": label,
            "mean_rank": rank,
            "p_friedman": found.p,
            "critical_difference": found.critical,
            "note": found.note,
        }


def _pairs(studies: Sequence[Study]) -> Iterator[dict[str, Any]]:
    for study in studies:
        for n in study.config.checkpoints_of(study.part):
            for pair in study.pairs(n):
                yield {
                    **_where(study),
                    "measure": study.measure.name,
                    "evaluations": n,
                    "first": pair.first,
                    "second": pair.second,
                    "seeds": pair.pairs,
                    "median_difference": study.measure.sign * pair.difference,
                    "vargha_delaney": pair.effect,
                    "magnitude": pair.magnitude,
                    "p_wilcoxon": pair.p,
                    "p_holm": pair.p_holm,
                    "note": pair.note,
                }


def _reference(studies: Sequence[Study]) -> Iterator[dict[str, Any]]:
    """One row per objective: the box of the hypervolume, in the objective's unit."""
    for study in studies:
        if study.reference is None:
            continue
        box = study.reference.box
        for i, column in enumerate(study.view.columns):
            item = study.view.objectives[i]
            yield {
                **_where(study),
                "objective": item.name,
                "read": column,
                "unit": item.unit,
                "maximize": item.maximize,
                "ideal": item.sign * box.ideal[i],
                "reference_point": item.sign * box.reference[i],
                "front": study.reference.source,
                "front_size": len(study.reference.front),
                "front_hypervolume": study.reference.hypervolume,
            }


def _fronts(studies: Sequence[Study]) -> Iterator[pd.DataFrame]:
    for study in studies:
        if study.reference is not None:
            own = study.reference.front * study.view.signs
            named = dict(zip([o.name for o in study.view.objectives], own.T, strict=True))
            yield pd.DataFrame({**_where(study), **named})


def pairs_of_objectives(study: Study) -> list[tuple[int, int]]:
    """The pairs of objectives for attainment."""
    return list(combinations(range(len(study.view.objectives)), 2))


def _attainment(studies: Sequence[Study]) -> Iterator[pd.DataFrame]:
    """Corners of the attainment surfaces of each pair of objectives, in their units."""
    for study in studies:
        for i, j in pairs_of_objectives(study):
            signs = study.view.signs[[i, j]]
            for label in study.labels:
                surfaces = attainment_surfaces([f[:, [i, j]] for f in study.fronts(label)], PERCENTILES)
                for percent, corners in surfaces.items():
                    x, y = (corners * signs).T
                    axes = {"objective_x": study.view.columns[i], "objective_y": study.view.columns[j]}
                    columns = {
                        **_where(study),
                        "algorithm": label,
                        **axes,
                        "percent": percent,
                        "x": x,
                        "y": y,
                    }
                    yield pd.DataFrame(columns)


def difference(study: Study, i: int, j: int) -> FloatArray | None:
    """Rectangles of the attainment difference of the two chosen algorithms, or None without a common seed."""
    pair = study.paired_fronts(*study.config.pair)
    first, second = ([front[:, [i, j]] for front in fronts] for fronts in pair)
    return attainment_difference(first, second) if first else None


def _differences(studies: Sequence[Study]) -> Iterator[pd.DataFrame]:
    for study in studies:
        first, second = study.config.pair
        for i, j in pairs_of_objectives(study):
            found = difference(study, i, j)
            if found is None:
                continue
            signs = study.view.signs[[i, j, i, j]]
            corners = dict(zip(["x_from", "y_from", "x_to", "y_to"], (found[:, :4] * signs).T, strict=True))
            axes = {"objective_x": study.view.columns[i], "objective_y": study.view.columns[j]}
            named = {**_where(study), "first": first, "second": second, **axes}
            yield pd.DataFrame({**named, **corners, "difference": found[:, 4]})


def _evaluations(studies: Sequence[Study]) -> Iterator[pd.DataFrame]:
    """Every evaluation of every run."""
    for study in _first_views(studies):
        for run in study.runs:
            rows = run.rows
            values = [c for c in rows.columns if c not in _LEFT_OUT and rows[c].dtype.kind == "f"]
            named = {"problem": run.key.problem, "algorithm": run.key.algorithm, "seed": run.key.seed}
            kept = rows[["evaluation", "clock", "architecture", "status", *values]]
            front = pd.DataFrame(named, index=kept.index)
            yield pd.concat([front, kept], axis=1)


_LEFT_OUT = {"clock", "budget", "asked_at", "started", "finished", "told", "told_seconds", "seconds"}
