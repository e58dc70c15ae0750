"""Bounded sampling: a space with almost no valid architecture is refused, one with few works."""

from __future__ import annotations

import time

import numpy as np
import pytest

import nas
from nas.algorithms import ALGORITHMS
from nas.algorithms.candidates import Candidates
from nas.core import bounds
from nas.core.bounds import (
    SamplingError,
    TimeUp,
    TriesUsedUp,
    attempts,
    check_time,
    time_limit,
    tries_at_most,
)
from nas.core.problem import Problem
from nas.core.records import Architecture, Trial
from nas.core.space import SearchSpace
from nas.testing import check_space

FEW = 3_000  # draws: a bound that keeps these tests short


class OneIn(SearchSpace):
    """Only architectures whose first genes are 7 are valid."""

    name = "one-in"

    def __init__(self, cardinalities: tuple[int, ...], fixed: int) -> None:
        self.cardinalities, self.fixed = cardinalities, fixed
        self.judged = 0

    def is_valid(self, architecture: Architecture) -> bool:
        self.judged += 1
        return super().is_valid(architecture) and architecture.genes[: self.fixed] == (7,) * self.fixed


def error_of(trial: Trial) -> dict[str, float]:
    return {"error": float(sum(trial.architecture.genes)), "size": float(trial.architecture.genes[-1])}


def problem_of(space: SearchSpace) -> Problem:
    return Problem(space, [nas.Objective("error"), nas.Objective("size")], error_of)


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "DRAWS", FEW)
    monkeypatch.setattr(Candidates, "DRAWS", 2 * FEW)


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.usefixtures("few_draws")
def test_every_algorithm_ends_with_an_error_that_names_sample_when_almost_nothing_is_valid(name: str) -> None:
    space = OneIn((10,) * 8, 6)
    algorithm = ALGORITHMS[name](problem_of(space), np.random.default_rng(0))
    with pytest.raises(SamplingError, match=r"'one-in': sample found no valid .* override sample"):
        algorithm.ask(1)
    assert space.judged <= 10 * FEW


@pytest.mark.usefixtures("few_draws")
def test_check_space_ends_with_an_error_that_names_sample() -> None:
    with pytest.raises(SamplingError, match="override sample"):
        check_space(OneIn((10,) * 8, 6))


def test_the_real_bound_refuses_one_in_a_million_in_seconds() -> None:
    space = OneIn((10,) * 8, 6)
    with pytest.raises(nas.NasError, match="sample"):
        space.sample(np.random.default_rng(0))
    assert space.judged <= bounds.DRAWS + 1000


@pytest.mark.parametrize(
    "name", ["random", "moead", "local-search", pytest.param("sa-moead", marks=pytest.mark.slow)]
)
def test_a_search_works_where_one_architecture_in_ten_thousand_is_valid(name: str) -> None:
    space = OneIn((10,) * 6, 4)
    found = nas.search(
        space,
        [nas.Objective("error"), nas.Objective("size")],
        error_of,
        algorithm=name,
        algorithm_settings=ALGORITHMS[name].default_settings(2, 24),
        budget=24,
    )
    assert len(found.history) == 24
    assert (found.history["status"] == "ok").all()


def test_a_space_small_enough_to_walk_through_gives_its_only_architecture(few_draws: None) -> None:
    space = OneIn((10,) * 5, 5)
    candidates = Candidates(problem_of(space), np.random.default_rng(0))
    assert candidates.random() == Architecture("one-in", (7,) * 5)
    assert candidates.random() is None


def test_drawing_in_blocks_leaves_the_generator_where_single_draws_do() -> None:
    space = OneIn((10,) * 8, 3)
    ours, theirs = np.random.default_rng(5), np.random.default_rng(5)
    for _ in range(3):
        drawn = space.sample(ours)
        while True:
            expected = Architecture(
                space.name, tuple(int(g) for g in theirs.integers(0, space.cardinalities))
            )
            if space.is_valid(expected):
                break
        assert drawn == expected
        assert ours.bit_generator.state == theirs.bit_generator.state


def test_tries_of_nested_blocks_count_in_the_outer_one() -> None:
    def use(n: int) -> None:
        for done in attempts(1000, RuntimeError):
            if done + 1 == n:
                return

    with tries_at_most(10):
        with tries_at_most(100), pytest.raises(TriesUsedUp):
            use(11)
        with pytest.raises(TriesUsedUp):
            use(1)
    use(11)


def test_the_time_limit_holds_in_its_block_alone() -> None:
    check_time()
    with time_limit(lambda: True), pytest.raises(TimeUp):
        check_time()
    check_time()


class Slow(SearchSpace):
    """Nothing is valid, and each check takes a while: an ask would never end."""

    name = "slow"
    cardinalities = (10,) * 8

    def is_valid(self, architecture: Architecture) -> bool:
        time.sleep(0.002)
        return False


@pytest.mark.parametrize("name", ["random", "sa-moead", "moead"])
def test_a_time_limit_ends_an_ask_that_is_under_way(name: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    result = nas.search(
        Slow(),
        [nas.Objective("error"), nas.Objective("size")],
        error_of,
        algorithm=name,
        loop=nas.LoopSettings(evaluations=100, seconds=0.2),
        out=tmp_path / "run",
    )
    assert result.state == "finished"
    assert len(result.history) == 0


def test_the_time_limit_holds_within_a_block_of_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """A space whose `is_valid` is slow takes long for a block of draws."""
    space, left = OneIn((8,) * 6, 6), iter([False] * 200)
    with time_limit(lambda: next(left, True)), pytest.raises(TimeUp):
        space.sample(np.random.default_rng(0))
    assert space.judged < 300
