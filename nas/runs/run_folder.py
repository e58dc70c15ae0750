"""The output files of a run: front.csv, history.parquet, summary.json, config.json, plots."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nas.algorithms.noise import running_means
from nas.core.errors import HistoryError
from nas.core.objectives import Limit, Objective
from nas.core.records import FloatArray, Note
from nas.core.tables import csv_text
from nas.pareto.indicators import (
    CURVE_STEPS,
    Box,
    beyond_best,
    front_and_curve,
    hypervolume,
    igd_plus_curve,
    is_approximate,
    reference_box,
)
from nas.runs.files import HISTORY_CSV, run_files


@dataclass(frozen=True, eq=False)  # compared by identity: == of tables is not a bool
class RunTable:
    """A run read from its folder: one row a trial (see `read_history`), evaluated by its objectives.

    `points` (n, m) are minimised, in the order of telling, NaN for failed and infeasible trials; `told` has the same rows of
    the table. `latest` (n,) is false for failures and where the architecture has a later result at a higher budget; only the
    latest results form the front. `box` is the box of the hypervolume, `curve` (n,) its value after each tell. `front` has
    the feasible non-dominated architectures: `architecture` and one column an objective, best first, and the `budget` if
    budgets differ. `notes` are the algorithm's notes, oldest first. For an architecture measured repeatedly at a budget,
    `told`, `points` and `front` have the mean so far. `imported` are the results of a warm start (see
    `nas.runs.brought.imported_table`), `before` (k, m) their points: they come first in the box and the curve, and may be on
    the front, which then has the column `origin`. `beyond_best` has a sentence for each objective with a value better than
    its `best`. `keys` (k + n) is the key of each imported, then each told result, None if it failed: see `front_and_curve`.
    """

    objectives: tuple[Objective, ...]
    frame: pd.DataFrame
    told: pd.DataFrame
    points: FloatArray
    box: Box | None
    curve: FloatArray
    front: pd.DataFrame
    latest: NDArray[np.bool_]
    notes: tuple[Note, ...]
    imported: pd.DataFrame
    before: FloatArray
    keys: list[Hashable]
    beyond_best: dict[str, str] = field(default_factory=dict)

    @property
    def hypervolume(self) -> float:
        """The final value of the curve; before the first result that of the warm start, or 0."""
        if len(self.curve) or self.box is None:
            return float(self.curve[-1]) if len(self.curve) else 0.0
        return hypervolume(self.before[np.isfinite(self.before).all(axis=1)], self.box)


def run_table(
    frame: pd.DataFrame,
    objectives: Sequence[Objective],
    limits: Sequence[Limit],
    initial: int,
    notes: Sequence[Note] = (),
    imported: pd.DataFrame | None = None,
) -> RunTable:
    """Order a run's rows by telling and measure them; `initial` results set the hypervolume's box."""
    objectives = tuple(objectives)
    own = frame[frame["told"].notna()].sort_values("told", ignore_index=True)
    imported = frame.iloc[:0] if imported is None else imported
    first = len(imported)
    names = [o.name for o in objectives]
    rows = own if first == 0 else pd.concat([imported, own.assign(origin="")], ignore_index=True)
    rows = running_means(rows, names)
    values = rows.reindex(columns=names).to_numpy(dtype=np.float64)
    points = values * np.array([o.sign for o in objectives])
    points[(rows["status"] != "ok").to_numpy()] = np.nan
    design = points[np.isfinite(points).all(axis=1)][: max(initial, 2)]
    every = points[np.isfinite(points).all(axis=1)]
    best_seen = every.min(axis=0) if len(every) else None
    box = reference_box(objectives, design, best_seen)
    beyond = {} if best_seen is None else beyond_best(objectives, best_seen)
    for limit in limits:
        if limit.objective in rows.columns:
            points[rows[limit.objective].map(limit.excess).to_numpy() > 0] = np.nan
    keys = _keys(rows)
    chosen, curve = front_and_curve(
        points, CURVE_STEPS, 0.0, lambda f: 0.0 if box is None else hypervolume(f, box), keys
    )
    front = _front(objectives, rows.iloc[chosen], _extra_columns(rows, first > 0))
    order = pd.Series(keys, dtype=object)
    latest = (order.notna() & ~order.duplicated(keep="last")).to_numpy(dtype=bool)[first:]
    told = rows.iloc[first:].reset_index(drop=True)
    return RunTable(
        objectives, frame, told, points[first:], box, curve[first:], front, latest, tuple(notes),
        imported, points[:first], keys, beyond,
    )  # fmt: skip


def _extra_columns(rows: pd.DataFrame, warm: bool) -> list[str]:
    """Columns of front.csv besides the objectives, if informative."""
    wanted = {"budget": _several(rows), "measurements": _repeated(rows), "origin": warm}
    return [name for name, said in wanted.items() if said]


def _repeated(rows: pd.DataFrame) -> bool:
    """Whether an architecture was measured repeatedly at a budget."""
    return bool((rows["measurements"] > 1).any())


def _several(told: pd.DataFrame) -> bool:
    """Whether trials had different budgets."""
    return "budget" in told and told["budget"].nunique() > 1


def _keys(told: pd.DataFrame) -> list[Hashable]:
    """The architecture of each row if some were measured repeatedly, else its number; None for failures."""
    keys = told["architecture"] if _several(told) or _repeated(told) else told.index
    ok = told["status"] == "ok"
    return [key if fine else None for key, fine in zip(keys, ok, strict=True)]


def _front(objectives: Sequence[Objective], rows: pd.DataFrame, further: Sequence[str]) -> pd.DataFrame:
    names = [o.name for o in objectives]
    ascending = [not o.maximize for o in objectives]
    table = rows.reindex(columns=["architecture", *names, *further])
    return table.sort_values([*names, "architecture"], ascending=[*ascending, True], ignore_index=True)


def summarise(table: RunTable, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of summary.json; `extra` are the caller's (state, algorithm, seed)."""
    counts = table.frame["status"].value_counts()
    ok, invalid, running = (int(counts.get(s, 0)) for s in ("ok", "invalid", "running"))
    evaluations = len(table.frame) - invalid - running
    ran = table.frame[~table.frame["status"].isin(["invalid", "running"])]
    best = {o.name: _best(table, o) for o in table.objectives}
    box = table.box
    signs = [o.sign for o in table.objectives]
    seconds = table.told["told_seconds"].max() if len(table.told) else 0.0
    return {
        "evaluations": evaluations,
        "ok": ok,
        "failed": evaluations - ok,
        "architectures": int(ran["architecture"].nunique()),
        "budgets": {f"{budget:g}": int(n) for budget, n in ran["budget"].value_counts().sort_index().items()},
        "budget_spent": _spent(ran),
        "imported": len(table.imported),
        "seconds": round(float(seconds), 3),
        "hypervolume": table.hypervolume,
        "front_size": len(table.front),
        "best": best,
        "statuses": {str(name): int(n) for name, n in counts.items()},
        "hypervolume_reference": None if box is None else dict(zip(best, (box.reference * signs).tolist(), strict=True)),
        "hypervolume_ideal": None if box is None else dict(zip(best, (box.ideal * signs).tolist(), strict=True)),
        "hypervolume_approximate": is_approximate(len(table.objectives)),
        "beyond_best": table.beyond_best,
        **extra,
    }  # fmt: skip


def _spent(ran: pd.DataFrame) -> float | None:
    """Total budget (epochs) of the trials, with continuations counted once; None without budgets."""
    if ran["budget"].isna().all():
        return None
    return float(ran.groupby("architecture")["budget"].max().sum())


def _best(table: RunTable, item: Objective) -> float | None:
    column = table.front[item.name]
    return None if column.empty else float(column.max() if item.maximize else column.min())


def curves(table: RunTable) -> pd.DataFrame:
    """Quality over evaluations and time: `told`, `seconds`, `hypervolume`, `igd_plus` (to the run's own final front)."""
    final = table.front[[o.name for o in table.objectives]].to_numpy(dtype=np.float64)
    final = final * np.array([o.sign for o in table.objectives])
    distance = np.full(len(table.points), np.inf)
    if table.box is not None and len(final):
        points = np.concatenate([table.before, table.points])
        distance = igd_plus_curve(points, final, table.box, keys=table.keys)[len(table.before) :]
    columns = {"told": table.told["told"].to_numpy(), "seconds": table.told["told_seconds"].to_numpy()}
    return pd.DataFrame({**columns, "hypervolume": table.curve, "igd_plus": distance})


def write_history_csv(folder: Path, table: RunTable) -> Path:
    """Write history.csv, one row a trial as in history.parquet, for a finished or running run."""
    files = run_files(folder)
    try:
        files.write_text(HISTORY_CSV, csv_text(table.frame))
    except OSError as error:
        raise HistoryError(f"{folder / HISTORY_CSV}: cannot be written: {error}") from error
    return folder / HISTORY_CSV


__all__ = ["HISTORY_CSV", "RunTable", "curves", "run_table", "summarise", "write_history_csv"]
