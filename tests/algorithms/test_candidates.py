"""Candidates are new, valid, canonical and within limits, until there are none."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from nas.algorithms.candidates import Candidates, IntegerVariation
from nas.core.errors import InfeasibleError
from nas.core.problem import Problem
from nas.core.records import Architecture
from nas.testing import ToySpace, toy_error, toy_problem


def everything(problem: Problem) -> set[Architecture]:
    space = problem.space
    all_genes = itertools.product(*map(range, space.cardinalities))
    valid = (a for genes in all_genes if space.is_valid(a := Architecture(space.name, genes)))
    return {c for a in valid if problem.cheap_violation(c := space.canonical(a)) == 0}


def drain(candidates: Candidates) -> list[Architecture]:
    found = []
    while (one := candidates.random()) is not None:
        found.append(one)
    return found


@pytest.mark.parametrize("limits", [[], ["params <= 14"], ["params >= 17", "madds <= 12"]], ids=str)
def test_random_gives_every_feasible_architecture_once_and_then_none(limits: list[str]) -> None:
    problem = toy_problem(3, limits, ToySpace((3, 3, 4, 3)))
    found = drain(Candidates(problem, np.random.default_rng(0)))
    assert len(found) == len(set(found))
    assert set(found) == everything(problem)


def test_offspring_and_mutants_never_repeat_and_end_with_the_space() -> None:
    problem = toy_problem(2, space=ToySpace((2, 3, 3)))
    candidates = Candidates(problem, np.random.default_rng(0))
    first, second = candidates.random(), candidates.random()
    assert first is not None
    assert second is not None
    found = [first, second]
    for i in range(1000):
        child = candidates.mutant(first) if i % 2 else candidates.offspring(first, second)
        if child is None:
            break
        found.append(child)
    assert len(found) == len(set(found)) == len(everything(problem))


def test_an_exhausted_space_keeps_answering_none() -> None:
    candidates = Candidates(toy_problem(2, space=ToySpace((2, 2))), np.random.default_rng(0))
    drain(candidates)
    assert candidates.random() is None
    assert candidates.mutant(Architecture("toy", (1, 0))) is None


def test_accept_refuses_invalid_known_and_infeasible_candidates() -> None:
    candidates = Candidates(toy_problem(2, ["params <= 12"]), np.random.default_rng(0))
    assert candidates.accept(Architecture("toy", (1, 1, 1, 1, 1, 1))) is None
    assert candidates.accept(Architecture("toy", (2, 3, 4, 0, 0, 0))) is None
    good = Architecture("toy", (1, 0, 1, 0, 0, 0))
    assert candidates.accept(good) == good
    assert candidates.accept(good) is None


def test_accept_takes_an_isomorph_for_known() -> None:
    candidates = Candidates(toy_problem(2), np.random.default_rng(0))
    assert candidates.accept(Architecture("toy", (0, 1, 0, 0, 0, 3))) == Architecture(
        "toy", (0, 1, 0, 0, 0, 0)
    )
    assert candidates.accept(Architecture("toy", (0, 1, 0, 0, 0, 1))) is None


def test_a_tight_limit_is_met_by_descent() -> None:
    space = ToySpace((4,) * 16)  # four billion combinations, seventeen of them within the limit
    candidates = Candidates(toy_problem(2, ["params <= 11"], space), np.random.default_rng(0))
    found = candidates.random()
    assert found is not None
    assert sum(found.genes) <= 1


def test_a_limit_that_nothing_meets_is_an_error_that_shows_the_nearest() -> None:
    candidates = Candidates(toy_problem(2, ["params <= 10.5"]), np.random.default_rng(0))
    with pytest.raises(InfeasibleError, match=r"params <= 10\.5.*nearest had params = 11"):
        candidates.random()


def test_limits_on_measured_objectives_do_not_stop_candidates() -> None:
    candidates = Candidates(toy_problem(2, ["error <= 0.001"]), np.random.default_rng(0))
    assert candidates.random() is not None


def test_mutation_changes_at_least_one_gene_and_each_about_equally_often() -> None:
    variation = IntegerVariation("toy", (3,) * 8)
    rng = np.random.default_rng(0)
    parent = Architecture("toy", (1,) * 8)
    changed = np.zeros(8)
    values = np.zeros(3)
    for _ in range(4000):
        child = variation.mutate(parent, rng)
        different = [i for i in range(8) if child.genes[i] != 1]
        assert different
        changed[different] += 1
        values += np.bincount([child.genes[i] for i in different], minlength=3)
    assert values[1] == 0
    assert abs(values[0] / values[2] - 1) < 0.1
    assert changed.max() / changed.min() < 1.2
    assert 1.2 < changed.sum() / 4000 < 1.5  # 1 + (7/8)^8 = 1.34 genes on average


def test_mutation_leaves_genes_without_a_choice_alone() -> None:
    variation = IntegerVariation("toy", (1, 5, 1))
    rng = np.random.default_rng(0)
    children = {variation.mutate(Architecture("toy", (0, 2, 0)), rng).genes for _ in range(200)}
    assert children == {(0, g, 0) for g in (0, 1, 3, 4)}


def test_crossover_takes_each_gene_from_either_parent() -> None:
    variation = IntegerVariation("toy", (2,) * 10)
    rng = np.random.default_rng(0)
    zeros, ones = Architecture("toy", (0,) * 10), Architecture("toy", (1,) * 10)
    children = np.array([variation.crossover(zeros, ones, rng).genes for _ in range(2000)])
    assert (abs(children.mean(axis=0) - 0.5) < 0.05).all()


def test_the_variation_of_the_space_is_used() -> None:
    class Own(ToySpace):
        def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
            return Architecture("toy", (2, 3, 4, 3, 2, 3))

        def crossover(
            self, first: Architecture, second: Architecture, rng: np.random.Generator
        ) -> Architecture:
            return first

    problem = Problem(Own(), ["error"], toy_error)
    parent = Architecture("toy", (1, 0, 0, 0, 0, 0))
    assert Candidates(problem, np.random.default_rng(0)).mutant(parent) == Architecture(
        "toy", (2, 3, 4, 3, 2, 3)
    )


def test_a_space_too_large_to_walk_through_is_never_walked_through() -> None:
    problem = toy_problem(1, space=ToySpace((4,) * 30))
    candidates = Candidates(problem, np.random.default_rng(0))
    assert math.prod(problem.space.cardinalities) > 10**15
    assert len({candidates.random() for _ in range(500)} - {None}) == 500
