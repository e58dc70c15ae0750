"""Whether networks outside a search are better than its front, and the answer in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas.core.objectives import Objective
from nas.core.records import FloatArray, Status
from nas.core.text import exact
from nas.pareto.decision import minimised
from nas.runs.baselines import Baseline
from nas.runs.run_folder import RunTable

NAMED = 6  # networks that a sentence names
_NONE = "No network was trained: each violates a limit of the run, or does not fit its data. Name smaller ones, such as mobilenet_v3_small@0.1 or a function of yours."


@dataclass(frozen=True)
class Verdict:
    """How the front compares with one network, in the objectives for which it has values.

    `dominated_by` and `dominates` are numbers of the front's members. Where the front has expected values, `surely` and
    `possibly` are `dominated_by` with the worst and with the best ends of their 90% intervals; else they equal it.
    `outside` has the limits that the network violates, `judged` is false for one without values.
    """

    dominated_by: int = 0
    dominates: int = 0
    surely: int = 0
    possibly: int = 0
    outside: str = ""
    judged: bool = True

    @property
    def text(self) -> str:
        """The verdict in a few words."""
        if not self.judged:
            return ""
        if self.outside:
            return f"outside the limits: {self.outside}"
        if self.dominated_by:
            return f"dominated by {self.dominated_by:,} of the front"
        return "not dominated" + (f", dominates {self.dominates:,} of the front" if self.dominates else "")


def verdicts(table: RunTable, baselines: Sequence[Baseline]) -> list[Verdict]:
    """A verdict for each network."""
    return [_verdict(table, one) for one in baselines]


def _verdict(table: RunTable, one: Baseline) -> Verdict:
    known = [o for o in table.objectives if o.name in one.values]
    if not one.ok or not known:
        return Verdict(judged=False)
    own = np.array([o.sign * one.values[o.name] for o in known])
    front = minimised(table.front, known)
    low, high = (_ends(table, known, front, worst) for worst in (False, True))
    limits = [x for x in table.limits if x.objective in one.values and x.excess(one.values[x.objective]) > 0]
    outside = "; ".join(f"{limit} (it has {exact(one.values[limit.objective])})" for limit in limits)
    return Verdict(
        _dominating(front, own),
        _dominating(-front, -own),
        _dominating(high, own),
        _dominating(low, own),
        outside,
    )


def _dominating(front: FloatArray, own: FloatArray) -> int:
    """How many of the points (n, m) dominate one, all minimised."""
    return int((np.all(front <= own, axis=1) & np.any(front < own, axis=1)).sum())


def _ends(table: RunTable, known: Sequence[Objective], front: FloatArray, worst: bool) -> FloatArray:
    """The front's points with the worst or best ends of the intervals of noisy objectives."""
    found = front.copy()
    for k, item in enumerate(known):
        names = [f"{item.name}_low", f"{item.name}_high"]
        if set(names) <= set(table.front.columns):
            both = table.front[names].to_numpy(dtype=np.float64) * item.sign
            found[:, k] = both.max(axis=1) if worst else both.min(axis=1)
    return found


def answer(table: RunTable, baselines: Sequence[Baseline]) -> str:
    """What the comparison says, in a few sentences; "" without a network."""
    judged = [(b, v) for b, v in zip(baselines, verdicts(table, baselines), strict=True) if v.judged]
    if not judged:
        none = baselines and all(one.status == Status.INVALID.value for one in baselines)
        return _NONE if none else ""
    if table.front.empty:
        return "The run has no front yet, so there is nothing to compare with."
    inside = [(b, v) for b, v in judged if not v.outside]
    dominated = [(b, v) for b, v in inside if v.dominated_by]
    others = [(b, v) for b, v in inside if not v.dominated_by]
    sentences = [f"The front dominates {len(dominated):,} of {_baselines(len(inside))}."] if inside else []
    if others:
        sentences.append(f"Not dominated: {_listed([b.label for b, _ in others])}.")
        better = [b.label for b, v in others if v.dominates]
        if better:
            verb = "dominates" if len(better) == 1 else "dominate"
            sentences.append(
                f"{_listed(better)} {verb} members of the front: better than what the search found."
            )
    if len(judged) > len(inside):
        number = len(judged) - len(inside)
        sentences.append(f"{number:,} {'violates' if number == 1 else 'violate'} a limit of the run.")
    return " ".join([*sentences, _chance(table, dominated, others)])


def _baselines(number: int) -> str:
    return f"{number:,} baseline{'s' * (number != 1)}"


def _listed(names: Sequence[str]) -> str:
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
    return ", ".join(found[:NAMED]) + more


def _chance(
    table: RunTable, dominated: Sequence[tuple[Baseline, Verdict]], others: Sequence[tuple[Baseline, Verdict]]
) -> str:
    """What one training of each baseline means for the answer."""
    once = "Each baseline was trained once, so small differences are chance."
    if table.expected is None:
        return once
    ends, sentences = "ends of the front's 90% intervals", [once]
    if dominated:
        n, stay = len(dominated), sum(v.surely > 0 for _, v in dominated)
        if stay == 0:
            what = "This" if n == 1 else f"Each of these {n:,} verdicts"
            none = "it is not dominated" if n == 1 else "none of them is dominated"
            sentences.append(f"{what} may be chance: at the worse {ends}, {none}.")
        elif stay == n:
            sentences.append(
                f"{'It' if n == 1 else f'All {n:,}'} stay{'s' * (n == 1)} dominated at the worse {ends}, so this is hardly chance."
            )
        else:
            rest = "the other" if n - stay == 1 else f"the other {n - stay:,}"
            sentences.append(
                f"{stay:,} of the {n:,} stay{'s' * (stay == 1)} dominated at the worse {ends}; {rest} may be chance."
            )
    if others:
        n, would = len(others), sum(v.possibly > 0 for _, v in others)
        these = ends if len(sentences) == 1 else "ends"
        rest = "others" if dominated else "baselines"
        one = "dominates it" if would else "does not dominate it either"
        what = f"dominates {would:,} of the {n:,} {rest}" if n > 1 else one
        sentences.append(f"At the better {these}, the front {what}.")
    return " ".join(sentences)
