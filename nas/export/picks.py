"""Which networks of a run are meant: the knee, an architecture's text, an objective, limits and an objective."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.core.objectives import Objective
from nas.pareto.decision import knee, minimised, pick
from nas.pareto.preference_text import terms
from nas.pareto.preferences import Preference
from nas.runs.run_folder import RunTable

KNEE = "knee"
FORM = (
    "expected knee, an architecture (or how it begins), an objective (the best in it), limits and an objective "
    "('madds<=300e6:error'), or a preference ('error=5%,params<1M')"
)
_RELATION = re.compile(r"[<>=]")
_NAMED = "the one that was asked for"
_READABLE = 24  # characters of an architecture's text in a folder's name


@dataclass(frozen=True)
class Pick:
    """A network that was picked: its text form, why, and its row of the front (or of the history)."""

    architecture: str
    reason: str
    row: pd.Series[float]

    @property
    def name(self) -> str:
        """A name for files: the beginning of the text, and a hash of all of it."""
        readable = re.sub(r"[^A-Za-z0-9.]+", "-", self.architecture)[:_READABLE].strip("-.")
        return f"{readable}-{hashlib.blake2b(self.architecture.encode(), digest_size=4).hexdigest()}"


def choose(table: RunTable, wanted: Sequence[str]) -> list[Pick]:
    """The networks that each of the texts means, every network once. Raises `ConfigError` for a text that means none."""
    if table.front.empty:
        raise ConfigError("the front is empty: nothing was measured yet that meets the limits of the search")
    chosen: dict[str, Pick] = {}
    for text in wanted:
        found = _choose(table, text.strip())
        earlier = chosen.get(found.architecture)
        reason = found.reason if earlier is None else f"{earlier.reason}; {found.reason}"
        chosen[found.architecture] = Pick(found.architecture, reason, found.row)
    return list(chosen.values())


def _choose(table: RunTable, text: str) -> Pick:
    front, objectives = table.front, table.objectives
    exact = np.flatnonzero(front["architecture"] == text)
    if len(exact):
        return _pick(front, int(exact[0]), _NAMED)
    if text == KNEE:
        bend = knee(minimised(front, objectives))
        return _pick(
            front, bend.index, "the knee of the front" if bend.bends else "the most balanced of the front"
        )
    best_in = next((o for o in objectives if o.name == text), None)
    if best_in is not None:
        return _best(front, best_in, objectives, "")
    if _RELATION.search(text):
        return _by_preference(front, objectives, text)
    return _by_text(table, text)


def _pick(rows: pd.DataFrame, index: int, reason: str) -> Pick:
    row = rows.iloc[index]
    return Pick(str(row["architecture"]), reason, row)


def _best(rows: pd.DataFrame, item: Objective, objectives: Sequence[Objective], under: str) -> Pick:
    """The best row in one objective; the others, in order, decide between equals."""
    ordered = [item, *(o for o in objectives if o.name != item.name)]
    points = minimised(rows, ordered)
    index = int(np.lexsort(points.T[::-1])[0])
    return _pick(rows, index, f"the {'highest' if item.maximize else 'lowest'} {item.name}{under}")


def _by_preference(front: pd.DataFrame, objectives: Sequence[Objective], text: str) -> Pick:
    limits, colon, last = text.rpartition(":")
    item = next((o for o in objectives if o.name == last.strip()), None) if colon else None
    preference = Preference.parse(terms(text if item is None else limits), objectives)
    ranked = pick(front, preference)
    if ranked.ranked.empty:
        nearest = ranked.nearest.iloc[0]
        said = ", ".join(f"{o.name} {nearest[o.name]:g}" for o in objectives)
        raise ConfigError(
            f"--pick {text!r}: none of the {len(front)} networks of the front meets the limits; the nearest has {said}"
        )
    if item is None:
        return _pick(ranked.ranked, 0, f"the best by the preference {preference}")
    if any(level is not None for level in preference.aspirations) or len(set(preference.weights)) > 1:
        raise ConfigError(f"--pick {text!r}: before ':{item.name}' stand limits alone (<, <=, >, >=)")
    under = " and ".join(str(limit) for limit in preference.limits)
    return _best(ranked.ranked, item, objectives, f" with {under}")


def _by_text(table: RunTable, text: str) -> Pick:
    """By how an architecture's text begins, on the front; or by the whole text of one that was evaluated."""
    front = table.front
    texts = front["architecture"].astype(str)
    found = np.flatnonzero(texts.str.startswith(text).to_numpy() & bool(text))
    if len(found) == 1:
        return _pick(front, int(found[0]), _NAMED)
    if len(found) > 1:
        raise ConfigError(
            f"--pick {text!r}: {len(found)} networks of the front begin so ({', '.join(texts.iloc[found[:3]])}, ...); "
            f"give more of it"
        )
    told = table.told[(table.told["status"] == "ok") & (table.told["architecture"] == text)]
    if len(told):
        return _pick(told, len(told) - 1, f"{_NAMED} (it is not on the front)")
    names = [KNEE, *(o.name for o in table.objectives), *texts]
    raise ConfigError(f"--pick {text!r}: no such network{did_you_mean(text, names)}; {FORM}")
