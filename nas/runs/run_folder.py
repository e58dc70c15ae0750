"""The output files of a run: front.csv, history.parquet, summary.json, config.json, plots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nas.core.errors import HistoryError
from nas.core.objectives import Limit, Objective
from nas.core.records import FloatArray, Note
from nas.core.tables import csv_text
from nas.pareto.decision import decisive
from nas.pareto.indicators import CURVE_STEPS, Box, beyond_best, hypervolume, igd_plus, is_approximate, places
from nas.runs.expected import ExpectedValues
from nas.runs.files import HISTORY_CSV, run_files
from nas.runs.fold import NOTHING, Fold, fold_rows
from nas.runs.parameters import Parameters, as_written
from nas.runs.sharing_quality import sharing_summary

INHERITED = "These are inherited errors: no network was trained itself. The error of a network's own training is usually lower."


@dataclass(frozen=True, eq=False)  # compared by identity: == of tables is not a bool
class RunTable:
    """A run read from its folder: one row per trial (see `read_history`), evaluated by its objectives.

    `points` (n, m) are minimised, in the order of telling, NaN for failed and infeasible trials; `told` has the same rows of
    the table. `box` is the box of the hypervolume. `front` has the feasible non-dominated architectures: `architecture` and
    one column per objective, best first, and the `budget` if budgets differ. `notes` are the algorithm's notes, oldest first.
    With noisy objectives the front is that by `expected` values, with the columns `NAME_expected`, `NAME_low`,
    `NAME_high` of each, and so are `points`, `fronts`, `box` and the hypervolume: an architecture counts with its newest expected value
    from its result on. Results without one are not on the front: those of lower budgets, and the last few of a search that has
    not ended. For an architecture measured repeatedly at a budget, `told`, `points` and `front` have the mean so far. `imported` are the
    results of a warm start (see `nas.runs.brought.imported_table`), `before` (k, m) their points: they come first in the box
    and the curve, and may be on the front, which then has the column `origin`. Of all k + n results, `latest` is false for
    failures and where the architecture has a later result; only the latest results form the front, and of these only the `compared` ones: of several budgets those of the front's, see `nas.runs.fold.Fold`. `fronts` has the fronts
    along the run: the number of the result after which each was there, and those of its members. `beyond_best` has a sentence
    for each objective with a value better than its `best`. `parameters` are those of the space, by name: further columns
    of `frame`, `told`, `front` and `imported` (see `nas.runs.parameters`). `limits` are those of the front. `inherited`: no network was
    trained itself, in a search by inherited weights; such values do not depend on chance, so none is expected.
    """

    objectives: tuple[Objective, ...]
    frame: pd.DataFrame
    told: pd.DataFrame
    points: FloatArray
    box: Box | None
    front: pd.DataFrame
    latest: NDArray[np.bool_]
    notes: tuple[Note, ...]
    imported: pd.DataFrame
    before: FloatArray
    fronts: list[tuple[int, list[int]]]
    beyond_best: dict[str, str] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    compared: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool))
    expected: ExpectedValues | None = None
    limits: tuple[Limit, ...] = ()
    inherited: bool = False

    def decisive(self, rows: pd.DataFrame, end: str = "expected") -> FloatArray:
        """The values (n, m) of `told`, or of other rows with these columns, that decide: expected ones of noisy objectives, else measured.

        In the objectives' own units; with another `end`, the `low` or `high` of the interval. Measured where a row has no expected value.
        """
        measured = rows.reindex(columns=[o.name for o in self.objectives]).to_numpy(dtype=np.float64)
        if self.expected is None:
            return measured
        signs, texts = np.array([o.sign for o in self.objectives]), rows["architecture"].tolist()
        found = signs * self.expected.replaced(signs * measured, texts, self.objectives, end)
        return np.where(self.expected.has(texts, _budgets(rows))[:, None], found, measured)

    def along(
        self,
        measure: Callable[[FloatArray], float],
        start: float,
        steps: int = CURVE_STEPS,
        columns: Sequence[int] | None = None,
    ) -> FloatArray:
        """`measure` of the front's points, minimised, after each of the k + n results; measured at up to `steps` places.

        `start` is its value before; `columns` selects objectives.
        """
        points = np.concatenate([self.before, self.points])
        seen = points if columns is None else points[:, columns]
        at = places(len(points), steps)
        known = np.searchsorted([row for row, _ in self.fronts], at, side="right")
        new = np.diff(known, prepend=0) > 0
        values = [start, *(measure(seen[self.fronts[number - 1][1]]) for number in known[new])]
        return np.repeat(values, np.diff([0, *at[new], len(points)]))

    @property
    def final(self) -> FloatArray:
        """The points of the front, shape (k, m), minimised."""
        return np.concatenate([self.before, self.points])[self.fronts[-1][1] if self.fronts else []]

    def distance(self, steps: int = CURVE_STEPS) -> FloatArray:
        """IGD+ to the final front after each tell, shape (n,); infinite before the first result, or without such a front."""
        box, final = self.box, self.final
        if box is None or len(final) == 0:
            return np.full(len(self.points), np.inf)
        return self.along(lambda front: igd_plus(front, final, box), np.inf, steps)[len(self.before) :]

    @cached_property
    def _shares(self) -> FloatArray:
        box = self.box
        return self.along(lambda front: 0.0 if box is None else hypervolume(front, box), 0.0)

    @property
    def curve(self) -> FloatArray:
        """The hypervolume after each tell, shape (n,)."""
        return self._shares[len(self.before) :]

    @property
    def hypervolume(self) -> float:
        """The final value of the curve; before the first result that of the warm start, or 0."""
        return float(self._shares[-1]) if len(self._shares) else 0.0


def run_table(
    frame: pd.DataFrame,
    objectives: Sequence[Objective],
    limits: Sequence[Limit],
    initial: int,
    notes: Sequence[Note] = (),
    imported: pd.DataFrame | None = None,
    steps: int | None = CURVE_STEPS,
    parameters: Parameters | None = None,
    expected: ExpectedValues | None = None,
) -> RunTable:
    """Order a run's rows by telling and fold them; `initial` results set the hypervolume's box.

    The table has the fronts at up to `steps` places; at every row if None. With `expected` values of noisy objectives, these
    decide which architectures are on the front and in which order, also along the run.
    """
    objectives = tuple(objectives)
    own = frame[frame["told"].notna()].sort_values("told", ignore_index=True)
    imported = frame.iloc[:0] if imported is None else imported
    first = len(imported)
    names = [o.name for o in objectives]
    rows = own if first == 0 else pd.concat([imported, own.assign(origin="")], ignore_index=True)
    signs = np.array([o.sign for o in objectives])
    points = rows.reindex(columns=names).to_numpy(dtype=np.float64) * signs
    keys = _keys(rows, points)
    budgets = _budgets(rows)
    fold: Fold[int] = Fold(objectives, limits, initial)
    folded = fold_rows(fold, keys, budgets, points, steps or len(rows))
    beyond = beyond_best(objectives, fold.best_seen)
    rows, again = rows.assign(measurements=folded.measurements), folded.measurements > 1
    if again.any():
        for name, mean in zip(names, (folded.means * signs).T, strict=True):
            rows[name] = rows[name].where(~again, mean)
    order = pd.Series(keys, dtype=object)
    latest = (order.notna() & ~order.duplicated(keep="last")).to_numpy(dtype=bool)
    points = np.where(folded.feasible[:, None], folded.means, np.nan)
    inherited = _inherited(rows)
    if inherited:
        expected = None
    compared = np.array([fold.budget in (budget or 0.0, NOTHING) for budget in budgets], dtype=bool)
    if expected is not None:
        compared = expected.has(keys, budgets)
        counted = [key if there else None for key, there in zip(keys, compared, strict=True)]
        seen = np.where(compared[:, None], expected.replaced(folded.means, keys, objectives), np.nan)
        fold = Fold(objectives, limits, initial)
        folded = fold_rows(fold, counted, budgets, seen, steps or len(rows))
        points = np.where(compared[:, None], np.where(folded.feasible[:, None], seen, np.nan), points)
    front = _front(objectives, rows.iloc[sorted(fold.front.items)], _extra_columns(rows, first > 0), expected)
    told = rows.iloc[first:].reset_index(drop=True)
    named = parameters or Parameters()
    return RunTable(
        objectives, named.added(frame), named.added(told), points[first:], fold.box, named.added(front), latest,
        tuple(notes), named.added(imported), points[:first], folded.fronts, beyond, named.names, compared, expected,
        tuple(limits), inherited,
    )  # fmt: skip


def _budgets(rows: pd.DataFrame) -> list[float | None]:
    return [None if pd.isna(b) else b for b in rows.reindex(columns=["budget"])["budget"].tolist()]


def _inherited(rows: pd.DataFrame) -> bool:
    """Whether every result is that of a network with inherited weights."""
    if "inherited_error" not in rows:
        return False
    ok = rows[rows["status"] == "ok"]
    own = ok["inherited_error"].isna() | (ok.reindex(columns=["budget"])["budget"].fillna(0) > 0)
    return len(ok) > 0 and not bool(own.any())


def _extra_columns(rows: pd.DataFrame, warm: bool) -> list[str]:
    """Columns of front.csv besides the objectives, if informative."""
    wanted = {
        "budget": "budget" in rows and rows["budget"].nunique() > 1,
        "measurements": (rows["measurements"] > 1).any(),
        "origin": warm,
    }
    return [name for name, said in wanted.items() if said]


def _keys(rows: pd.DataFrame, points: FloatArray) -> list[str | None]:
    """The architecture of each row; None for failures."""
    ok = (rows["status"] == "ok").to_numpy(dtype=bool) & np.isfinite(points).all(axis=1)
    return [key if fine else None for key, fine in zip(rows["architecture"], ok.tolist(), strict=True)]


def _front(
    objectives: Sequence[Objective],
    rows: pd.DataFrame,
    further: Sequence[str],
    expected: ExpectedValues | None,
) -> pd.DataFrame:
    """The front's rows, sorted by the values that decide, with columns of the expected values."""
    names = [o.name for o in objectives]
    table = rows.reindex(columns=["architecture", *names])
    if expected is not None:
        table = expected.added(table)
        names = [f"{name}_expected" if name in expected.names else name for name in names]
    ascending = [*(not o.maximize for o in objectives), True]
    table = table.assign(**{name: rows[name] for name in further})
    return table.sort_values([*names, "architecture"], ascending=ascending, ignore_index=True)


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
        **sharing_summary(table.notes),
        **extra,
    }  # fmt: skip


def _spent(ran: pd.DataFrame) -> float | None:
    """Total budget (epochs) of the trials, with continuations counted once; None without budgets."""
    if ran["budget"].isna().all():
        return None
    return float(ran.groupby("architecture")["budget"].max().sum())


def _best(table: RunTable, item: Objective) -> float | None:
    column = decisive(table.front, item.name)
    return None if column.empty else float(column.max() if item.maximize else column.min())


def curves(table: RunTable) -> pd.DataFrame:
    """Quality over evaluations and time: `told`, `seconds`, `hypervolume`, `igd_plus` (to the run's own final front)."""
    columns = {"told": table.told["told"].to_numpy(), "seconds": table.told["told_seconds"].to_numpy()}
    return pd.DataFrame({**columns, "hypervolume": table.curve, "igd_plus": table.distance()})


def write_history_csv(folder: Path, table: RunTable) -> Path:
    """Write history.csv, one row per trial as in history.parquet, for a finished or running run."""
    files = run_files(folder)
    try:
        files.write_text(HISTORY_CSV, csv_text(as_written(table.frame, table.parameters)))
    except OSError as error:
        raise HistoryError(f"{folder / HISTORY_CSV}: cannot be written: {error}") from error
    return folder / HISTORY_CSV


__all__ = ["HISTORY_CSV", "RunTable", "curves", "run_table", "summarise", "write_history_csv"]
