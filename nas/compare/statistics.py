"""Tests and effect sizes: pure functions of numbers, larger is better unless stated otherwise.

Demsar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 2006 (Friedman, Nemenyi, critical
differences); Holm, Scandinavian Journal of Statistics 6(2), 1979; Vargha and Delaney, Journal of Educational and
Behavioral Statistics 25(2), 2000.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import chi2, friedmanchisquare, rankdata, studentized_range, t

from nas.core.records import FloatArray
from nas.core.text import counted

LEAST_BLOCKS = 5  # the chi-squared approximation of Friedman's test is invalid below
MAGNITUDES = ((0.21, "large"), (0.14, "medium"), (0.06, "small"))  # of |A - 0.5|; Vargha and Delaney, table 1


@dataclass(frozen=True)
class Pair:
    """Two algorithms compared: Wilcoxon's signed-rank test and the Vargha-Delaney effect size.

    `effect` is the probability that a run of the first is better than one of the second, ties counting half. With too
    few pairs for significance the p-values are None and `note` gives the reason.
    """

    first: str
    second: str
    pairs: int
    difference: float  # median of the first minus median of the second
    effect: float
    p: float | None = None
    p_holm: float | None = None
    note: str = ""

    @property
    def magnitude(self) -> str:
        """The effect as a word."""
        size = abs(self.effect - 0.5) + 1e-12
        return next((word for least, word in MAGNITUDES if size >= least), "negligible")

    def verdict(self, alpha: float = 0.05) -> str:
        """The outcome of the test for the first."""
        if self.p_holm is None:
            return "not tested"
        if self.p_holm >= alpha:
            return "no difference shown"
        return "better" if self.effect > 0.5 else "worse" if self.effect < 0.5 else "different"


@dataclass(frozen=True)
class Ranking:
    """Mean ranks (1 is best) over blocks, Friedman's test of their equality, and Nemenyi's critical difference.

    With too few blocks `p` and `critical` are None and `note` gives the reason.
    """

    names: tuple[str, ...]
    ranks: FloatArray  # (k,)
    blocks: int
    p: float | None = None
    critical: float | None = None
    note: str = ""

    @property
    def groups(self) -> list[tuple[int, ...]]:
        """The largest sets of algorithms, best first, whose mean ranks lie within the critical difference."""
        if self.critical is None:
            return []
        order = np.argsort(self.ranks, kind="stable").tolist()
        found: list[tuple[int, ...]] = []
        for i, start in enumerate(order):
            near = [j for j in order[i:] if self.ranks[j] - self.ranks[start] <= self.critical]
            if len(near) > 1 and not any(set(near) <= set(other) for other in found):
                found.append(tuple(near))
        return found


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given."""
    adjusted, largest = [1.0] * len(p_values), 0.0
    for rank, i in enumerate(np.argsort(p_values, kind="stable").tolist()):
        largest = max(largest, min(1.0, p_values[i] * (len(p_values) - rank)))
        adjusted[i] = largest
    return adjusted


def vargha_delaney(first: FloatArray, second: FloatArray) -> float:
    """The probability that a value of the first (n,) is larger than one of the second (k,), ties counting half."""
    ranks = rankdata(np.concatenate([first, second]))
    n, k = len(first), len(second)
    return float((ranks[:n].sum() / n - (n + 1) / 2) / k)


def signed_rank(first: FloatArray, second: FloatArray) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test on pairs, each side (n,); equal pairs are omitted.

    Exact even with tied differences: enumerates all sign patterns.
    """
    with np.errstate(invalid="ignore"):
        differences = np.where(first == second, 0.0, first - second)  # equal infinities are equal
    differences = differences[differences != 0.0]
    ranks = np.rint(2.0 * rankdata(np.abs(differences))).astype(np.int64)  # shared ranks are halves
    ways = np.ones(1)  # share of the sign patterns per sum of positive ranks
    for rank in ranks.tolist():
        ways = (np.pad(ways, (0, rank)) + np.pad(ways, (rank, 0))) / 2.0
    positive = int(ranks[differences > 0].sum())
    return min(1.0, 2.0 * float(min(ways[: positive + 1].sum(), ways[positive:].sum())))


def pairwise(names: Sequence[str], values: FloatArray, alpha: float = 0.05) -> list[Pair]:
    """Pairwise comparison of k algorithms on n paired runs, values (n, k), with Holm's correction over all pairs."""
    chosen = combinations(range(len(names)), 2)
    return _compared([(names[i], names[j], values[:, i], values[:, j]) for i, j in chosen], alpha)


def against(
    values: Mapping[str, Mapping[int, float]], reference: str, alpha: float = 0.05
) -> dict[str, Pair]:
    """Comparison of each algorithm with the reference on common seeds, with Holm's correction; values by seed."""
    second, sides = values[reference], []
    for name, first in values.items():
        if name != reference:
            seeds = [seed for seed in first if seed in second]
            one, other = (np.array([side[seed] for seed in seeds]) for side in (first, second))
            sides.append((name, reference, one, other))
    return {pair.first: pair for pair in _compared(sides, alpha)}


def _compared(sides: Sequence[tuple[str, str, FloatArray, FloatArray]], alpha: float) -> list[Pair]:
    """Test pairs of (name, name, values (n,), values (n,)); Holm's correction covers those with enough values."""
    enough = [len(first) >= pairs_needed(len(sides), alpha) for _, _, first, _ in sides]
    raw = [signed_rank(side[2], side[3]) for side, tested in zip(sides, enough, strict=True) if tested]
    p_values = iter(zip(raw, holm(raw), strict=True))
    found = []
    for (name, other, first, second), tested in zip(sides, enough, strict=True):
        n = len(first)
        p, p_holm = next(p_values) if tested else (None, None)
        note = "" if tested else too_few_pairs(n, len(sides), alpha)
        effect = vargha_delaney(first, second) if n else 0.5
        found.append(Pair(name, other, n, _median_gap(first, second), effect, p, p_holm, note))
    return found


def _median_gap(first: FloatArray, second: FloatArray) -> float:
    if len(first) == 0:
        return float("nan")
    one, other = float(np.median(first)), float(np.median(second))
    return 0.0 if one == other else one - other


def pairs_needed(comparisons: int, alpha: float) -> int:
    """The fewest pairs with which one of the `comparisons` can be significant after Holm's correction."""
    n = 1
    while 2.0 ** (1 - n) * comparisons >= alpha:
        n += 1
    return n


def seeds_needed(algorithms: int, alpha: float = 0.05) -> int:
    """The fewest seeds for pairwise tests of all `algorithms` (two at least)."""
    return pairs_needed(algorithms * (algorithms - 1) // 2, alpha)


def too_few_pairs(n: int, comparisons: int, alpha: float) -> str:
    """The reason for no test, and the number of seeds needed."""
    least = min(1.0, 2.0 ** (1 - n) * comparisons) if n else 1.0
    return (
        f"too few seeds for a test: {n} in common; their smallest possible p-value, corrected for "
        f"{counted(comparisons, 'comparison')}, is {least:.2g}; {pairs_needed(comparisons, alpha)} seeds are needed"
    )


def mean_interval(values: FloatArray, level: float = 0.95) -> tuple[float, float]:
    """The mean of n values, and half the width of its t-interval (NaN for fewer than two values)."""
    n = len(values)
    half = t.ppf(0.5 + level / 2.0, n - 1) * np.std(values, ddof=1) / np.sqrt(n) if n > 1 else np.nan
    return float(np.mean(values)), float(half)


def ranks_of(values: FloatArray) -> FloatArray:
    """The rank of each of k algorithms in each of n blocks, values and ranks (n, k); 1 is best, ties share."""
    return np.asarray(rankdata(-values, axis=1), dtype=np.float64).reshape(values.shape)


def critical_difference(k: int, blocks: int, alpha: float = 0.05) -> float:
    """Critical difference of the mean ranks of k algorithms over n blocks (Nemenyi; Demsar, section 3.2.2)."""
    q = float(studentized_range.ppf(1.0 - alpha, k, np.inf)) / np.sqrt(2.0)
    return float(q * np.sqrt(k * (k + 1) / (6.0 * blocks)))


def ranking(names: Sequence[str], values: FloatArray, what: str, alpha: float = 0.05) -> Ranking:
    """Friedman's test on values (n, k) of k algorithms in n blocks (`what`: seeds or problems)."""
    n, k = len(values), len(names)
    ranks = ranks_of(values).mean(axis=0) if n else np.full(k, np.nan)
    if k < 3:
        return Ranking(tuple(names), ranks, n, note="two algorithms: see the pairwise test")
    if n < LEAST_BLOCKS or chi2.sf(n * (k - 1), k - 1) >= alpha:
        note = f"too few {what} for Friedman's test: {n}; at least {LEAST_BLOCKS} are needed"
        return Ranking(tuple(names), ranks, n, note=note)
    differ = np.ptp(ranks_of(values), axis=1).any()
    p = float(friedmanchisquare(*ranks_of(values).T).pvalue) if differ else 1.0
    return Ranking(tuple(names), ranks, n, p, critical_difference(k, n, alpha))
