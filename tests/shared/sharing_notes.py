"""Notes on inherited errors, and the table of a search by them, without a search."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from engine_parts import Noting
from report_parts import ERROR, frame_of, source_of

from nas.core.objectives import Objective
from nas.core.records import Note, Trial
from nas.report import Source
from nas.runs.run_folder import RunTable, run_table
from nas.sharing.own_trainings import OwnTrainings
from nas.sharing.settings import FinalSettings, TrustSettings

EXACT = (ERROR, Objective("params", "parameters", cheap=True, best=0.0))
DECISION = "inherited errors of 6 networks against own trainings of 2 epochs: tau 0.50 (0.10 to 0.80). The search goes on with inherited errors."


def sharing_note(told: int, **changes: Any) -> Note:
    """A note by 6 networks, with the decision; `changes` are values."""
    values = {
        "networks": 6, "threshold": 0.2, "tau": 0.5, "tau_low": 0.1, "tau_high": 0.8, "partial": 0.4, "partial_low": -0.1,
        "partial_high": 0.75, "bias": 41.06, "bias_low": 28.5, "bias_high": 53.0, "loss_tau": 0.6, "loss_tau_low": 0.2, "loss_tau_high": 0.9,
        "loss_partial": math.nan, "loss_partial_low": math.nan, "loss_partial_high": math.nan, "trusted": True, "text": DECISION,
    }  # fmt: skip
    return Note(told, "sharing", values | changes)


def later_note(told: int, **changes: Any) -> Note:
    """A note after the decision, which has no sentence."""
    return sharing_note(told, **({"networks": 8, "tau": 0.3, "tau_low": 0.0, "text": ""} | changes))


class Sharing(Noting):
    """Random search with a decision after ten results, and a note on each later fifth."""

    def notes(self) -> list[Note]:
        told = [note.told for note in super().notes()]
        return [sharing_note(t) if t == 10 else later_note(t, trusted=False) for t in told if t >= 10]


def sharing_table(notes: list[Note] | None = None, *, shift: float = 30.0, madds: bool = False) -> RunTable:
    """A search of 20 results: 12 by inherited weights, then 6 networks are trained for the decision, and 2 at the end."""
    frame = frame_of(EXACT, 20)
    frame["inherited_error"] = frame["error"] + shift
    frame["budget"] = np.where(frame["told"] <= 12, 0.0, 2.0)
    frame.loc[12:, "architecture"] = frame["architecture"][:8].to_numpy()
    frame.loc[12:, "inherited_error"] = frame["inherited_error"][:8].to_numpy()
    frame.loc[:11, "error"] = frame["inherited_error"][:12]
    if madds:
        frame["madds"] = 10 * frame["params"]
    given = [sharing_note(18), later_note(19), later_note(20)] if notes is None else notes
    return run_table(frame, EXACT, [], 5, given)


def sharing_source(table: RunTable | None = None, folder: str = "runs/mine") -> Source:
    """A finished search by inherited weights."""
    return source_of(sharing_table() if table is None else table, folder)


def trained(table: RunTable) -> pd.DataFrame:
    """The rows with own trainings, in result order."""
    return table.told[table.told["budget"] > 0]


class Inherits:
    """An evaluator with the rule of own trainings: inherited errors are 30 points above own ones, and their order is nearly the same."""

    def __call__(self, trial: Trial) -> dict[str, float]:
        own = 20.0 + sum(trial.architecture.genes)
        inherited = own + 30.0 + trial.architecture.genes[0] / 7
        now = own if trial.budget else inherited
        return {
            "error": now, "loss": now / 10, "inherited_error": inherited, "inherited_loss": inherited / 10,
        }  # fmt: skip

    def notice(self, rule: Any) -> str:
        return ""

    def rule(self, evaluations: int | None, seconds: float | None) -> OwnTrainings:
        return OwnTrainings(
            5, FinalSettings(epochs=5), TrustSettings(), lambda a: (1.0 + a.genes[1],), evaluations
        )
