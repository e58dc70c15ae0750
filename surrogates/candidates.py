"""The pairs of encoding and model to try on a space, independent of any data.

Encodings come from the space, by name; 'a+b' puts the columns of b after those of a. Added are "genes", the gene vector
(for models of categories), and "cost", the logarithms of the exact costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from nas.core.checks import check_known
from nas.core.records import Architecture, FloatArray
from nas.core.space import SearchSpace, has_cost
from nas.core.surrogate import Surrogate
from surrogates import SURROGATES
from surrogates.counts import Counts

Encoding = Callable[[Sequence[Architecture]], FloatArray]

_LESS_SURE = 0.05  # of Kendall's tau
_DECLARED = (
    0.5  # distance of a random pair: numbers whose order is declared change the target little by little
)
_LIGHT_WORK = 700  # one-hot columns times objectives up to which a light model has full size
_LIGHT_MODELS = 4
_MANY_LEVELS = 1000  # of all genes, at most _LEVELS each: more are too slow to compare as categories
_LEVELS = 100
_FEWEST_ROWS = 40


@dataclass(frozen=True)
class Candidate:
    """An encoding by name ('a+b' joins two) and a function that makes a new model for it.

    `handicap` is subtracted from its Kendall's tau when candidates are compared.
    """

    encoding: str
    make: Callable[[], Surrogate]
    handicap: float = 0.0


def encodings_of(
    space: SearchSpace, cost: Callable[[Architecture], Mapping[str, float]] | None = None
) -> dict[str, Encoding]:
    """The space's encodings by name, with "genes" and, where costs are known without building, "cost": their logarithms.

    `cost` computes the costs, by default the space.

    Where the space offers no structural "summary" or "counts", "counts" are those of its genes, if any are alike.
    """
    found: dict[str, Encoding] = {"genes": _genes, **space.encodings}
    counts = Counts(space.cardinalities)
    if counts and not {"summary", "counts"} & found.keys():
        found["counts"] = counts
    if has_cost(space):
        found["cost"] = partial(_log_cost, cost or space.cost)
    return found


def _genes(architectures: Sequence[Architecture]) -> FloatArray:
    return np.array([a.genes for a in architectures], dtype=np.float64)


def _log_cost(
    cost: Callable[[Architecture], Mapping[str, float]], architectures: Sequence[Architecture]
) -> FloatArray:
    rows = [list(cost(a).values()) for a in architectures]
    return np.log1p(np.maximum(np.array(rows, dtype=np.float64), 0.0))


def encode(encodings: Mapping[str, Encoding], name: str, architectures: Sequence[Architecture]) -> FloatArray:
    """Columns of each part of 'a+b+c', in that order, shape (n, d). Raises `ConfigError` for an unknown part."""
    parts = name.split("+")
    for part in parts:
        check_known("encoding", part, encodings)
    return np.concatenate([encodings[part](architectures) for part in parts], axis=1)


class Columns:
    """Encoded architectures, each part of a joined name computed once."""

    def __init__(self, encodings: Mapping[str, Encoding], architectures: Sequence[Architecture]) -> None:
        self._encodings, self._architectures = encodings, architectures
        self._known: dict[str, FloatArray] = {}

    def __getitem__(self, name: str) -> FloatArray:
        parts = name.split("+")
        for part in parts:
            if part not in self._known:
                self._known[part] = encode(self._encodings, part, self._architectures)
        return np.concatenate([self._known[part] for part in parts], axis=1)


def default_candidates(
    space: SearchSpace, encodings: Mapping[str, Encoding] | None = None
) -> dict[str, Candidate]:
    """The pairs that `Selector` tries on a space: few, cheap to fit, different from each other.

    Gaussian processes on genes (as categories, unless an ordered space has very many; and as the space describes them by
    order, category and absence, else as numbers) and on a structural summary where the space offers one as "summary";
    cubic functions, ridge and trees on its "structure", else its default.
    `encodings` defaults to `encodings_of(space)`.
    """
    offered, genes = encodings or encodings_of(space), len(space.cardinalities)
    cost = "+cost" if "cost" in offered else ""
    wide = ("structure" if "structure" in offered else "default") + cost
    process = SURROGATES["gaussian-process"]
    after_genes, all_columns = slice(genes, None), slice(None)
    candidates = {}
    if space.first_numeric is not None:
        ordered = slice(space.first_numeric, None)
        declared = partial(process, numeric=ordered, distance=_DECLARED)
        candidates["gp-declared"] = Candidate("mixed" + cost, declared)
    if space.first_numeric is None or sum(min(c, _LEVELS) for c in space.cardinalities) <= _MANY_LEVELS:
        candidates["gp-genes"] = Candidate("genes" + cost, partial(process, numeric=after_genes))
    if "summary" in offered:
        candidates["gp-summary"] = Candidate("summary" + cost, partial(process, numeric=all_columns))
        candidates["gp-genes-summary"] = Candidate(
            "genes+summary" + cost, partial(process, numeric=after_genes)
        )
    if "counts" in offered and space.first_numeric is None:
        candidates["gp-counts"] = Candidate("genes+counts" + cost, partial(process, numeric=after_genes))
    elif "counts" in offered:
        candidates["gp-counts"] = Candidate("mixed+counts" + cost, declared)
    if "summary" not in offered and space.first_numeric is None and max(space.cardinalities) > 2:
        candidates["gp-ordered-genes"] = Candidate("genes" + cost, partial(process, numeric=all_columns))
    candidates["rbf"] = Candidate(wide, SURROGATES["rbf"])
    candidates["ridge"] = Candidate(wide, SURROGATES["pairwise-ridge"])
    candidates["trees"] = Candidate(wide, partial(SURROGATES["extra-trees"], trees=80))
    candidates["boosting"] = Candidate(wide, partial(SURROGATES["gradient-boosting"], members=3, trees=50))
    return candidates


def candidates_for_search(space: SearchSpace, encodings: Mapping[str, Encoding]) -> dict[str, Candidate]:
    """`default_candidates` without the trees, with a handicap on all but Gaussian processes on the best description.

    A search depends on the uncertainty of a model as much as on its ranking, and that of a Gaussian process follows the
    data: with equal tau it leads to the better front. So another model must rank much better.
    """
    found = default_candidates(space, encodings)
    summaries = {name for name in found if name.startswith("gp-") and name.endswith("summary")}
    surest = summaries or {name for name in found if name.startswith("gp-")}
    for slow in ("trees", "boosting"):  # the slowest to cross-validate, and seldom chosen
        del found[slow]
    return {k: c if k in surest else replace(c, handicap=_LESS_SURE) for k, c in found.items()}


def lightest(candidates: Mapping[str, Candidate], work: float, models: int) -> dict[str, Candidate]:
    """The first Gaussian process alone, smaller the more `work` (one-hot columns times objectives) and models there are."""
    name = next(k for k in candidates if k.startswith("gp-"))
    chosen = candidates[name]
    scale = max((work / _LIGHT_WORK) ** 0.5, (models / _LIGHT_MODELS) ** 0.5)
    size = {
        "tune_points": max(_FEWEST_ROWS, int(120 / scale)),
        "max_points": max(3 * _FEWEST_ROWS, int(400 / scale)),
        "max_iterations": max(5, int(20 / scale)),
    }
    return {name: replace(chosen, make=partial(chosen.make, **size), handicap=0.0)}
