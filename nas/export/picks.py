"""Resolve picks of networks: the knee point, an architecture, an objective, limits and an objective."""

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
from nas.pareto.decision import decisive, knee, minimised, pick
from nas.pareto.preference_text import terms
from nas.pareto.preferences import Preference
from nas.runs.empty_front import why_empty
from nas.runs.run_folder import RunTable

KNEE = "knee"
FORM = (
    "expected knee, an architecture (or its first characters), an objective (its best), limits and an objective "
    "('madds<=300e6:error'), or a preference ('error=5%,params<1M')"
)
_RELATION = re.compile(r"[<>=]")
_NAMED = "the requested one"
_READABLE = 24  # characters of an architecture's text in a folder's name


@dataclass(frozen=True)
class Pick:
    """A picked network: its text form, the reason, and its row of the front (or history)."""

    architecture: str
    reason: str
    row: pd.Series[float]

    @property
    def name(self) -> str:
        """A file name: the beginning of the text and a hash of the full text."""
        readable = re.sub(r"[^A-Za-z0-9.]+", "-", self.architecture)[:_READABLE].strip("-.")
        return f"{readable}-{hashlib.blake2b(self.architecture.encode(), digest_size=4).hexdigest()}"


def choose(table: RunTable, wanted: Sequence[str]) -> list[Pick]:
    """The networks of the picks, without duplicates. Raises `ConfigError` for a pick without a match."""
    if table.front.empty:
        raise ConfigError(why_empty(table))
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
    told = table.told[(table.told["status"] == "ok") & (table.told["architecture"] == text)]
    if len(told):
        return _pick(told, len(told) - 1, f"{_NAMED} (it is not on the front)")
    if _RELATION.search(text) and not _begins_with_parameter(table, text):
        return _by_preference(front, objectives, text)
    return _by_text(table, text)


def _begins_with_parameter(table: RunTable, text: str) -> bool:
    """Whether a text is (part of) an architecture's in a declared space, `name=value/...`: it begins with a parameter that is not an objective."""
    name, equals, _ = text.partition("=")
    return bool(equals) and name in table.parameters and name not in [o.name for o in table.objectives]


def _pick(rows: pd.DataFrame, index: int, reason: str) -> Pick:
    row = rows.iloc[index]
    return Pick(str(row["architecture"]), reason, row)


def _best(rows: pd.DataFrame, item: Objective, objectives: Sequence[Objective], under: str) -> Pick:
    """The best row in one objective; the others break ties, in order."""
    ordered = [item, *(o for o in objectives if o.name != item.name)]
    points = minimised(rows, ordered)
    index = int(np.lexsort(points.T[::-1])[0])
    expected = "expected " if f"{item.name}_expected" in rows else ""
    return _pick(rows, index, f"the {'highest' if item.maximize else 'lowest'} {expected}{item.name}{under}")


def _by_preference(front: pd.DataFrame, objectives: Sequence[Objective], text: str) -> Pick:
    limits, colon, last = text.rpartition(":")
    item = next((o for o in objectives if o.name == last.strip()), None) if colon else None
    preference = Preference.parse(terms(text if item is None else limits), objectives)
    ranked = pick(front, preference)
    if ranked.ranked.empty:
        said = ", ".join(f"{o.name} {decisive(ranked.nearest, o.name).iloc[0]:g}" for o in objectives)
        raise ConfigError(
            f"--pick {text!r}: none of the {len(front)} networks of the front meets the limits; the nearest has {said}"
        )
    if item is None:
        return _pick(ranked.ranked, 0, f"the best by the preference {preference}")
    if any(level is not None for level in preference.aspirations) or len(set(preference.weights)) > 1:
        raise ConfigError(f"--pick {text!r}: expected only limits (<, <=, >, >=) before ':{item.name}'")
    under = " and ".join(str(limit) for limit in preference.limits)
    return _best(ranked.ranked, item, objectives, f" with {under}")


def _by_text(table: RunTable, text: str) -> Pick:
    """Pick by the first characters of an architecture on the front."""
    front = table.front
    texts = front["architecture"].astype(str)
    found = np.flatnonzero(texts.str.startswith(text).to_numpy() & bool(text))
    if len(found) == 1:
        return _pick(front, int(found[0]), _NAMED)
    if len(found) > 1:
        raise ConfigError(
            f"--pick {text!r}: {len(found)} networks of the front begin with it ({', '.join(texts.iloc[found[:3]])}, ...); "
            f"use more characters"
        )
    if (table.told["architecture"] == text).any():
        raise ConfigError(
            f"--pick {text!r}: its evaluation failed; pick a network that has values (nas front)"
        )
    names = [KNEE, *(o.name for o in table.objectives), *texts]
    raise ConfigError(f"--pick {text!r}: no such network{did_you_mean(text, names)}; {FORM}")
