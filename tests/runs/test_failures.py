"""Common traits of failures are reported only when significant."""

from __future__ import annotations

import numpy as np
import pytest

from nas.core.records import Architecture, Result, Status, Trial
from nas.runs.failures import in_common


def result(
    genes: tuple[int, ...],
    ok: bool,
    *,
    budget: float | None = None,
    worker: str = "a:1",
    error: str = "E: no",
) -> Result:
    trial = Trial(0, Architecture("s", genes), 1, budget)
    return Result(trial, Status.OK if ok else Status.FAILED, {}, 0.0, "" if ok else error, worker)


def genes(n: int, seed: int, **fixed: int) -> list[tuple[int, ...]]:
    drawn = np.random.default_rng(seed).integers(0, 4, size=(n, 10))
    for place, value in fixed.items():
        drawn[:, int(place[1:])] = value
    return [tuple(row) for row in drawn.tolist()]


def test_a_machine_on_which_all_fail_is_named() -> None:
    bad = [result(g, False, worker=f"broken:{i}") for i, g in enumerate(genes(12, 0))]
    good = [result(g, True, worker=f"fine:{i}") for i, g in enumerate(genes(30, 1))]
    assert "; all of these 12 ran on broken, as none of 30 that worked" in in_common(bad, good)


def test_a_budget_at_which_all_fail_is_named() -> None:
    bad = [result(g, False, budget=81) for g in genes(12, 0)]
    good = [result(g, True, budget=float(3 ** (i % 3))) for i, g in enumerate(genes(30, 1))]
    assert "all of these 12 have budget 81" in in_common(bad, good)


def test_one_failure_of_another_kind_does_not_hide_the_gene() -> None:
    bad = [result(g, False) for g in genes(14, 0, g4=2)] + [result((0,) * 10, False, error="F: other")]
    good = [result(g, True) for g in genes(60, 1)]
    said = in_common(bad, [r for r in good if r.trial.architecture.genes[4] != 2])
    assert said.startswith("14 of them with: E: no; all of these 14 have gene 4 = 2, as none of ")


@pytest.mark.parametrize("seed", range(30))
def test_accidental_similarity_is_not_reported(seed: int) -> None:
    bad = [result(g, False) for g in genes(11, seed)]
    good = [result(g, True) for g in genes(9, seed + 1000)]
    assert in_common(bad, good) == "11 of them with: E: no"


def test_traits_shared_with_successes_are_not_named() -> None:
    bad = [result(g, False) for g in genes(11, 0, g2=1)]
    good = [result(g, True) for g in genes(40, 1, g2=1)]
    assert "gene 2" not in in_common(bad, good)
