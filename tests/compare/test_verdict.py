"""The outcome of a comparison in sentences."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from nas.compare.analysis import Study
from nas.compare.statistics import Pair, Ranking, pairwise, ranking
from nas.compare.verdict import verdict, verdicts


@dataclass
class Made:
    """As much of a study as a verdict reads: values (seeds, algorithms), larger is better."""

    values: Any
    labels: tuple[str, ...] = ("a", "b", "c")
    name: str = "digits"
    budget: int = 100
    measure: Any = field(default_factory=lambda: SimpleNamespace(label="hypervolume"))
    config: Any = field(default_factory=lambda: SimpleNamespace(alpha=0.05))

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(range(len(self.values)))

    def pairs(self, evaluations: int) -> list[Pair]:
        return pairwise(self.labels, self.values)

    def ranking(self, evaluations: int) -> Ranking:
        return ranking(self.labels, self.values, "seeds")


def said(values: Any, **changes: Any) -> str:
    return verdict(cast(Study, Made(np.asarray(values, dtype=np.float64), **changes)))


NOISE = np.random.default_rng(0).normal(0.0, 0.01, (12, 3))
START = "has the best mean rank (1.00) by hypervolume after 100 evaluations with 12 seeds"


def test_the_best_of_all_is_named_with_those_it_beats() -> None:
    assert (
        said(np.add(NOISE, [0.5, 0.9, 0.4]))
        == f"b {START} and is better than a and c (corrected p below 0.05)."
    )


def test_those_it_is_not_shown_to_beat_are_named_too() -> None:
    text = said(np.add(NOISE, [0.5, 0.5, 0.1]))
    assert " and is better than c (corrected p below 0.05); it is not shown to be better than " in text


def test_without_any_difference_no_algorithm_is_called_better() -> None:
    assert "and is better" not in said(NOISE)
    assert "; it is not shown to be better than " in said(NOISE)
    assert said(np.ones((9, 3))) == (
        "all algorithms have the same mean rank by hypervolume after 100 evaluations with 9 seeds."
    )


def test_with_too_few_seeds_nothing_is_claimed() -> None:
    assert said(np.add(NOISE[:3], [0.5, 0.9, 0.4])).endswith(
        "with 3 seeds; these are too few for the pairwise tests, which need at least 7."
    )


def test_six_seeds_of_three_algorithms_are_too_few_for_pairs_alone() -> None:
    made = Made(np.add(NOISE[:6], [0.5, 0.9, 0.4]))
    assert verdict(cast(Study, made)).endswith("too few for the pairwise tests, which need at least 7.")
    assert made.ranking(100).p is not None


def test_two_algorithms_have_a_verdict() -> None:
    text = said(np.add(NOISE[:, :2], [0.5, 0.9]), labels=("a", "b"))
    assert text.endswith(" and is better than a (corrected p below 0.05).")


def test_a_study_without_a_common_seed_has_none() -> None:
    empty = cast(Study, Made(np.empty((0, 3))))
    alone = cast(Study, Made(np.ones((3, 1)), labels=("a",)))
    assert verdicts([empty, alone]) == []
    assert verdicts([cast(Study, Made(np.add(NOISE, [0, 1, 0])))])[0].startswith(
        "digits: b has the best mean rank"
    )
