"""The defining properties of each baseline."""

from __future__ import annotations

import numpy as np
import pytest

from nas.algorithms._pymoo_survival import RankAndCrowding, ReferenceDirections
from nas.algorithms.local_search import LocalSearch, LocalSearchSettings
from nas.algorithms.nsga2 import NSGA2, NSGA2Settings
from nas.algorithms.nsga3 import NSGA3, NSGA3Settings
from nas.algorithms.random_search import RandomSearch
from nas.algorithms.regularized_evolution import (
    RegularizedEvolution,
    RegularizedEvolutionSettings,
    ScalarizedEvolution,
    ScalarizedEvolutionSettings,
)
from nas.core.algorithm import Algorithm
from nas.core.errors import ConfigError
from nas.core.records import Architecture, Observation
from nas.pareto.archive import non_dominated
from nas.pareto.directions import das_dennis
from nas.testing import ToySpace, answer, toy_problem
from search_spaces.nasbench101 import NASBench101

WIDE = ToySpace((5,) * 12)  # large enough that a mutant is hardly ever a duplicate


def ok(architecture: Architecture, *objectives: float, violation: float = 0.0) -> Observation:
    return Observation(architecture, np.array(objectives), violation, ok=True)


def distance(a: Architecture, b: Architecture) -> int:
    return sum(x != y for x, y in zip(a.genes, b.genes, strict=True))


def parent_of(child: Architecture, among: list[Architecture]) -> int:
    """The nearest; random members of the wide space differ in ten genes, a mutant in one or two."""
    return min(range(len(among)), key=lambda i: distance(child, among[i]))


# -- regularized evolution ---------------------------------------------------------------------------------------


def evolution(population: int, sample: int, m: int = 2) -> tuple[RegularizedEvolution, list[Architecture]]:
    settings = RegularizedEvolutionSettings(population, sample)
    algorithm = RegularizedEvolution(toy_problem(m, space=WIDE), np.random.default_rng(0), settings)
    return algorithm, algorithm.ask(population)


def test_a_tournament_over_the_whole_population_breeds_from_the_best_of_the_first_objective() -> None:
    algorithm, first = evolution(10, 200)
    algorithm.tell([ok(a, float(abs(i - 4)), -float(i)) for i, a in enumerate(first)])
    assert all(parent_of(child, first) == 4 for child in algorithm.ask(20))


def test_another_objective_can_be_chosen_by_name() -> None:
    settings = RegularizedEvolutionSettings(10, 200, objective="params")
    algorithm = RegularizedEvolution(toy_problem(2, space=WIDE), np.random.default_rng(0), settings)
    first = algorithm.ask(10)
    algorithm.tell([ok(a, float(i), -float(i)) for i, a in enumerate(first)])
    assert all(parent_of(child, first) == 9 for child in algorithm.ask(20))


def test_an_unknown_objective_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'latency' is not an objective.*error, params"):
        RegularizedEvolution(
            toy_problem(2), np.random.default_rng(0), RegularizedEvolutionSettings(objective="latency")
        )


def test_the_oldest_member_dies_even_if_it_is_the_best() -> None:
    algorithm, first = evolution(10, 200)
    algorithm.tell([ok(a, float(i), 0.0) for i, a in enumerate(first)])
    newcomers = algorithm.ask(1)
    algorithm.tell([ok(newcomers[0], 100.0, 0.0)])  # pushes out first[0], the best
    alive = [*first[1:], *newcomers]
    assert {parent_of(child, [first[0], *alive]) for child in algorithm.ask(20)} <= {0, 1}
    assert first[0] not in [seen.architecture for seen in algorithm._members]


def test_age_counts_from_tell_not_from_ask() -> None:
    algorithm, first = evolution(10, 5)
    late, rest = first[0], first[1:]
    algorithm.tell([ok(a, 1.0, 1.0) for a in rest])
    algorithm.tell([ok(late, 1.0, 1.0)])
    algorithm.tell([ok(algorithm.ask(1)[0], 1.0, 1.0)])
    alive = [seen.architecture for seen in algorithm._members]
    assert late in alive
    assert rest[0] not in alive


def test_failures_never_enter_the_population() -> None:
    algorithm, first = evolution(10, 5)
    problem = toy_problem(2, space=WIDE)
    algorithm.tell([answer(problem, a, ok=i % 2 == 0) for i, a in enumerate(first)])
    assert [seen.architecture for seen in algorithm._members] == first[::2]


@pytest.mark.parametrize("cls", [RegularizedEvolution, ScalarizedEvolution])
def test_feasible_members_win_tournaments_then_the_smallest_violation(cls: type[Algorithm]) -> None:
    algorithm = cls(
        toy_problem(2, ["error <= 0.5"], WIDE),
        np.random.default_rng(0),
        cls.Settings(population=10, sample=200),
    )
    first = algorithm.ask(10)
    algorithm.tell([ok(a, float(i), float(i), violation=10.0 - i) for i, a in enumerate(first)])
    assert all(parent_of(child, first) == 9 for child in algorithm.ask(10))
    (newcomer,) = algorithm.ask(1)
    algorithm.tell([ok(newcomer, 99.0, 99.0)])
    near = [distance(child, newcomer) for child in algorithm.ask(10)]
    assert max(near) <= 6


def test_scalarised_tournaments_breed_from_every_part_of_the_front_and_not_from_the_rest() -> None:
    settings = ScalarizedEvolutionSettings(12, 200)
    algorithm = ScalarizedEvolution(toy_problem(2, space=WIDE), np.random.default_rng(0), settings)
    first = algorithm.ask(12)
    front = [ok(a, float(i), 1e8 * (5 - i)) for i, a in enumerate(first[:6])]
    dominated = [ok(a, 6.0 + i, 6e8) for i, a in enumerate(first[6:])]
    algorithm.tell(front + dominated)
    parents = [parent_of(child, first) for child in algorithm.ask(120)]
    assert set(parents) == set(range(6))


# -- NSGA-II and NSGA-III ------------------------------------------------------------------------------------------


def slow_ranks(points: np.ndarray) -> np.ndarray:
    """Front of each point by peeling, compared all with all."""
    ranks, left, front = np.full(len(points), -1), set(range(len(points))), 0
    while left:
        now = [
            i
            for i in left
            if not any((points[j] <= points[i]).all() and (points[j] < points[i]).any() for j in left)
        ]
        ranks[now] = front
        left -= set(now)
        front += 1
    return ranks


@pytest.mark.parametrize("m", [1, 2, 3])
def test_survival_keeps_whole_fronts_in_order(m: int) -> None:
    points = np.random.default_rng(m).integers(0, 6, (40, m)).astype(np.float64)
    ranks = slow_ranks(points)
    directions = das_dennis(m, 15) if m > 1 else np.ones((1, 1))
    for survive in (RankAndCrowding(), ReferenceDirections(directions)):
        survivors = survive(points, 15, np.random.default_rng(0))
        assert len(set(survivors.indices.tolist())) == 15
        assert (survivors.ranks == ranks[survivors.indices]).all()
        assert sorted(ranks[survivors.indices].tolist()) == sorted(ranks.tolist())[:15]


@pytest.mark.parametrize("make", [RankAndCrowding, lambda: ReferenceDirections(das_dennis(3, 15))])
def test_survival_depends_only_on_the_points_and_our_generator(make: type[RankAndCrowding]) -> None:
    points = np.random.default_rng(0).integers(0, 4, (60, 3)).astype(np.float64)
    kept = []
    for noise in (1, 2):
        np.random.seed(noise)  # noqa: NPY002 (it must not matter)
        kept.append(make()(points, 15, np.random.default_rng(7)).indices.tolist())
    assert kept[0] == kept[1]


def test_survival_of_fewer_than_wanted_keeps_all() -> None:
    points = np.eye(3)
    assert sorted(RankAndCrowding()(points, 10, np.random.default_rng(0)).indices.tolist()) == [0, 1, 2]


def test_niches_do_not_depend_on_units() -> None:
    points = np.random.default_rng(0).random((60, 3))
    kept = []
    for scale in ([1.0, 1.0, 1.0], [2.0**-30, 1.0, 2.0**30]):
        survive = ReferenceDirections(das_dennis(3, 15))
        kept.append(survive(points * scale, 15, np.random.default_rng(0)).indices.tolist())
    assert kept[0] == kept[1]


@pytest.mark.parametrize(("cls", "settings"), [(NSGA2, NSGA2Settings(12)), (NSGA3, NSGA3Settings(12))])
class TestGenerations:
    """The properties common to both."""

    def made(self, cls: type[Algorithm], settings: object, *limits: str) -> Algorithm:
        return cls(toy_problem(2, limits, WIDE), np.random.default_rng(0), settings)

    def test_asking_is_never_blocked_by_results_that_are_late(
        self, cls: type[Algorithm], settings: object
    ) -> None:
        assert len(self.made(cls, settings).ask(100)) == 100

    def test_the_population_changes_after_a_complete_generation(
        self, cls: type[Algorithm], settings: object
    ) -> None:
        algorithm = self.made(cls, settings)
        first = algorithm.ask(12)
        algorithm.tell([ok(a, 1.0, 1.0) for a in first[:11]])
        assert algorithm._members == []
        algorithm.tell([ok(first[11], 1.0, 1.0)])
        assert {s.architecture for s in algorithm._members} == set(first)
        children = algorithm.ask(12)
        algorithm.tell([ok(a, 0.0, 0.0) for a in children[:11]])
        assert {s.architecture for s in algorithm._members} == set(first)
        algorithm.tell([ok(children[11], 0.0, 0.0)])
        assert {s.architecture for s in algorithm._members} == set(children)

    def test_failures_do_not_count_towards_a_generation(self, cls: type[Algorithm], settings: object) -> None:
        algorithm = self.made(cls, settings)
        problem = toy_problem(2, space=WIDE)
        algorithm.tell([answer(problem, a, ok=False) for a in algorithm.ask(100)])
        assert algorithm._members == []

    def test_feasible_members_survive_then_the_smallest_violation(
        self, cls: type[Algorithm], settings: object
    ) -> None:
        algorithm = self.made(cls, settings, "error <= 0.5")
        told = algorithm.ask(12)
        algorithm.tell([ok(a, 0.0, 0.0, violation=1.0 + i) for i, a in enumerate(told)])
        later = algorithm.ask(12)
        algorithm.tell(
            [ok(a, 9.0, 9.0, violation=0.0 if i < 4 else 0.01 * (i - 3)) for i, a in enumerate(later)]
        )
        members = algorithm._members
        assert [s.violation for s in members] == pytest.approx([0.0] * 4 + [0.01 * i for i in range(1, 9)])


def test_parents_of_the_better_front_win_tournaments() -> None:
    algorithm = NSGA2(toy_problem(2, space=WIDE), np.random.default_rng(0), NSGA2Settings(10, crossover=0.0))
    first = algorithm.ask(10)
    good = [ok(a, float(i), 4.0 - i) for i, a in enumerate(first[:5])]
    bad = [ok(a, 10.0 + i, 14.0 - i) for i, a in enumerate(first[5:])]
    algorithm.tell(good + bad)
    parents = [parent_of(child, first) for child in algorithm.ask(400)]
    share = sum(p < 5 for p in parents) / 400
    assert 0.68 < share < 0.82  # a binary tournament: 1 - (1/2)^2


# -- local search ----------------------------------------------------------------------------------------------------


def test_local_search_asks_for_all_one_gene_neighbours_of_a_member_before_anything_else() -> None:
    space = ToySpace((3, 4, 5))
    algorithm = LocalSearch(
        toy_problem(2, space=space), np.random.default_rng(0), LocalSearchSettings(starts=1)
    )
    (centre,) = algorithm.ask(1)
    algorithm.tell([ok(centre, 0.0, 0.0)])
    expected = {
        space.canonical(a)
        for i, c in enumerate(space.cardinalities)
        for g in range(c)
        if space.is_valid(a := Architecture("toy", (*centre.genes[:i], g, *centre.genes[i + 1 :])))
    } - {centre}
    asked = algorithm.ask(len(expected))
    assert set(asked) == expected
    for seen in asked:
        algorithm.tell([ok(seen, 1.0, 1.0)])
    (restart,) = algorithm.ask(1)
    assert distance(restart, centre) > 1


def test_local_search_moves_to_a_dominating_member_at_once() -> None:
    algorithm = LocalSearch(
        toy_problem(2, space=WIDE), np.random.default_rng(0), LocalSearchSettings(starts=1)
    )
    (centre,) = algorithm.ask(1)
    algorithm.tell([ok(centre, 5.0, 5.0)])
    for step in range(8):  # each neighbour is better than what came before
        (better,) = algorithm.ask(1)
        assert distance(better, centre) <= 2  # one gene, and the last when it loses its meaning
        algorithm.tell([ok(better, 4.0 - step, 4.0 - step)])
        centre = better


def test_local_search_explores_every_member_of_the_front() -> None:
    problem = toy_problem(2, space=ToySpace((3, 3, 3, 3)))
    algorithm = LocalSearch(problem, np.random.default_rng(0), LocalSearchSettings(starts=5))
    told = []
    while found := algorithm.ask(1):  # to the end of the space
        told += [answer(problem, a) for a in found]
        algorithm.tell(told[-1:])
    front = non_dominated(np.array([s.objectives for s in told]))
    assert len(front) > 1
    assert {told[i].architecture for i in front.tolist()} <= algorithm._explored


def test_local_search_uses_the_mutation_of_the_space() -> None:
    space = NASBench101.digits()
    algorithm = LocalSearch(
        toy_problem(2, space=space), np.random.default_rng(0), LocalSearchSettings(1, mutants=30)
    )
    (centre,) = algorithm.ask(1)
    algorithm.tell([ok(centre, 0.0, 0.0)])
    rng = np.random.default_rng(1)
    mutants = {space.canonical(space.mutate(centre, rng)) for _ in range(5000)}
    asked = algorithm.ask(5)
    assert set(asked) <= mutants


def test_local_search_follows_the_smaller_violation_until_something_meets_the_limits() -> None:
    problem = toy_problem(2, ["error <= 0.5"], WIDE)
    algorithm = LocalSearch(problem, np.random.default_rng(0), LocalSearchSettings(starts=2))
    first, second = algorithm.ask(2)
    algorithm.tell([ok(first, 1.0, 1.0, violation=5.0), ok(second, 9.0, 9.0, violation=1.0)])
    assert [distance(a, second) for a in algorithm.ask(5)] == [1] * 5
    (closer,) = algorithm.ask(1)
    algorithm.tell([ok(closer, 20.0, 20.0)])
    assert [distance(a, closer) for a in algorithm.ask(5)] == [1] * 5


# -- random search -----------------------------------------------------------------------------------------------------


def test_random_search_learns_nothing_from_results() -> None:
    asked = []
    for ok_too in (True, False):
        problem = toy_problem(3)
        algorithm = RandomSearch(problem, np.random.default_rng(0))
        mine = []
        for _ in range(50):
            (found,) = algorithm.ask(1)
            algorithm.tell([answer(problem, found, ok=ok_too)])
            mine.append(found)
        asked.append(mine)
    assert asked[0] == asked[1]


def test_random_search_is_as_uniform_as_the_space_samples() -> None:
    space = ToySpace((2, 4))
    counts: dict[Architecture, int] = {}
    for seed in range(1500):
        (found,) = RandomSearch(toy_problem(1, space=space), np.random.default_rng(seed)).ask(1)
        counts[found] = counts.get(found, 0) + 1
    expected = {space.canonical(space.sample(np.random.default_rng(s))) for s in range(500)}
    assert set(counts) == expected
    assert max(counts.values()) < 5 * min(counts.values())
