"""The outcome of a comparison in sentences: the first lines of its page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.compare.analysis import Study
from nas.compare.statistics import seeds_needed
from nas.core.text import counted, listed


def verdicts(studies: Sequence[Study]) -> list[str]:
    """A sentence for each study: the algorithm with the best mean rank, and which of the others it beats by the test."""
    return [f"{study.name}: {verdict(study)}" for study in studies if study.seeds and len(study.labels) > 1]


def verdict(study: Study) -> str:
    """The sentence of one study with at least two algorithms, on the seeds that all of them have completed."""
    ranking = study.ranking(study.budget)
    lead = int(np.argmin(ranking.ranks))
    best, ranks = ranking.names[lead], ranking.ranks
    how = f"by {study.measure.label} after {counted(study.budget, 'evaluation')} with {counted(len(study.seeds), 'seed')}"
    if np.ptp(ranks) == 0:
        return f"all algorithms have the same mean rank {how}."
    alpha, said = study.config.alpha, f"{best} has the best mean rank ({ranks[lead]:.2f}) {how}"
    own = [pair for pair in study.pairs(study.budget) if best in (pair.first, pair.second)]
    if all(pair.p_holm is None for pair in own):
        needed = seeds_needed(len(study.labels), alpha)
        return f"{said}; these are too few for the pairwise tests, which need at least {needed}."
    beaten = {
        pair.second if pair.first == best else pair.first
        for pair in own
        if pair.verdict(alpha) == ("better" if pair.first == best else "worse")
    }
    won = [name for name in ranking.names if name in beaten]
    others = [name for name in ranking.names if name != best and name not in beaten]
    if won:
        said += f" and is better than {listed(won)} (corrected p below {alpha:g})"
    return f"{said}; it is not shown to be better than {listed(others)}." if others else f"{said}."
