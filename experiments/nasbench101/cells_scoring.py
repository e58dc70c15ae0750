"""Quality of a run's result: non-dominated in the searched objectives, scored in the reported ones."""

from __future__ import annotations

from collections.abc import Sequence

import moocore
import numpy as np
import pandas as pd
from cells_runs import Row
from cells_tasks import Task

from nas.algorithms._pymoo_survival import RankAndCrowding
from nas.core.records import FloatArray
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import hypervolume, igd_plus

POPULATION = 100  # cells that the competition's protocol scores


def found(task: Task, told: pd.DataFrame) -> pd.DataFrame:
    """The rows on the search's front: non-dominated in the searched objectives."""
    searched = told[task.names].to_numpy(dtype=np.float64)
    return told.iloc[non_dominated(searched)]


def reported(task: Task, told: pd.DataFrame) -> FloatArray:
    """Their reported objectives, (k, m), minimised."""
    return found(task, told)[task.columns].to_numpy(dtype=np.float64)


def quality_row(task: Task, told: pd.DataFrame, checkpoints: Sequence[int], budget: int) -> Row:
    """Hypervolume, as a share of the true front's, after each number of evaluations, and IGD+ and the front at the end.

    A run that found nothing more before its budget keeps the quality it had.
    """
    best = hypervolume(task.truth, task.box)
    row: Row = {"budget": budget, "unique": told["architecture"].nunique()}
    for n in checkpoints:
        if n <= budget:
            row[f"hv_{n}"] = round(hypervolume(reported(task, told[:n]), task.box) / best, 5)
    row["igd_plus"] = round(igd_plus(reported(task, told), task.truth, task.box), 5)
    shown = min(budget, 150)  # what every method has
    row["front"] = " ".join(found(task, told[:shown])["architecture"])
    return row


def population(task: Task, told: pd.DataFrame) -> FloatArray:
    """Reported objectives, (k, m), of the best 100 cells in the searched ones: by rank of dominance, then by crowding.

    The competition scores a final population of about this size. With noisy measurements it is more informative
    than the non-dominated set alone, of which many were only lucky.
    """
    searched = told[task.names].to_numpy(dtype=np.float64)
    kept = RankAndCrowding()(searched, POPULATION, np.random.default_rng(0)).indices
    return told.iloc[kept][task.columns].to_numpy(dtype=np.float64)


def competition_row(task: Task, told: pd.DataFrame, checkpoints: Sequence[int], budget: int) -> Row:
    """Hypervolume and IGD on EvoXBench's own scale, the reference point at the nadir, after each number of evaluations."""
    row: Row = {"budget": budget}
    for n in checkpoints:
        if n <= budget:
            points = population(task, told[:n])
            row[f"hv_{n}"] = round(hypervolume(points, task.box), 5)
            row[f"front_hv_{n}"] = round(hypervolume(reported(task, told[:n]), task.box), 5)
            row[f"igd_{n}"] = round(
                float(moocore.igd(task.box.scale(points), ref=task.box.scale(task.truth))), 5
            )
    return row
