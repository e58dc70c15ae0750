"""Invariants of MOEA/D."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nas.algorithms.moead import MOEAD, MOEADSettings, neighbourhoods
from nas.core.errors import ConfigError
from nas.core.problem import Problem
from nas.core.records import Architecture, Observation
from nas.pareto.directions import das_dennis
from nas.testing import ToySpace, answer, toy_problem


def started(problem: Problem, seed: int = 0, **settings: object) -> tuple[MOEAD, list[Architecture]]:
    """A search whose initial design is asked, not told."""
    algorithm = MOEAD(problem, np.random.default_rng(seed), MOEADSettings(**{"population": 15, **settings}))  # type: ignore[arg-type]
    return algorithm, algorithm.ask(algorithm.initial)


def searched(problem: Problem, n: int, seed: int = 0, **settings: object) -> MOEAD:
    algorithm, first = started(problem, seed, **settings)
    algorithm.tell([answer(problem, a) for a in first])
    for _ in range(n):
        algorithm.tell([answer(problem, a) for a in algorithm.ask(1)])
    return algorithm


def members(algorithm: MOEAD) -> list[Architecture | None]:
    return list(algorithm._members)


@pytest.mark.parametrize("replacements", [1, 2, 5])
def test_one_newcomer_replaces_a_bounded_number_of_members(replacements: int) -> None:
    problem = toy_problem(3)
    algorithm = searched(problem, 20, replacements=replacements)
    most = 0
    for _ in range(40):
        before = members(algorithm)
        (child,) = algorithm.ask(1)
        algorithm.tell([Observation(child, algorithm._ideal - 1.0, 0.0, ok=True)])  # better than everything
        changed = sum(a != b for a, b in zip(before, members(algorithm), strict=True))
        most = max(most, changed)
    assert most == replacements


def test_a_newcomer_from_a_neighbourhood_settles_only_there() -> None:
    problem = toy_problem(2)
    algorithm = searched(problem, 20, mate_nearby=1.0, neighbours=3)
    for _ in range(40):
        (child,) = algorithm.ask(1)
        allowed = set(algorithm._scopes[child].tolist())
        assert len(allowed) == 3
        before = members(algorithm)
        algorithm.tell([Observation(child, algorithm._ideal - 1.0, 0.0, ok=True)])
        changed = {i for i, (a, b) in enumerate(zip(before, members(algorithm), strict=True)) if a != b}
        assert changed
        assert changed <= allowed


def test_failures_replace_nothing_and_reach_neither_archive_nor_scale() -> None:
    problem = toy_problem(3)
    algorithm = searched(problem, 20)
    before = (members(algorithm), list(algorithm._archive.items), algorithm._ideal.copy())
    for _ in range(30):
        algorithm.tell([answer(problem, a, ok=False) for a in algorithm.ask(2)])
    assert (members(algorithm), list(algorithm._archive.items)) == before[:2]
    assert (algorithm._ideal == before[2]).all()


def test_nan_is_never_in_the_archive_nor_among_the_members() -> None:
    problem = toy_problem(3, ["error <= 0.5"])
    algorithm, first = started(problem)
    rng = np.random.default_rng(0)
    pending = first
    for _ in range(100):
        algorithm.tell([answer(problem, a, ok=rng.random() > 0.5) for a in pending])
        pending = algorithm.ask(2)
    assert np.isfinite(algorithm._archive.points).all()
    filled = algorithm._violations < math.inf
    assert np.isfinite(algorithm._points[filled]).all()
    assert np.isfinite(algorithm._values[filled]).all()


def test_a_failed_subproblem_is_not_blocked() -> None:
    problem = toy_problem(2)
    algorithm, first = started(problem)
    algorithm.tell([answer(problem, a, ok=False) for a in first])
    later = algorithm.ask(60)
    assert len(later) == 60
    algorithm.tell([answer(problem, a) for a in later])
    assert None not in members(algorithm)


def test_feasible_members_come_first_then_the_smaller_violation() -> None:
    problem = toy_problem(2, ["error <= 0.5"])
    algorithm, first = started(problem, neighbours=15, replacements=15)
    size = len(members(algorithm))

    def tell(architecture: Architecture, objectives: list[float], violation: float) -> None:
        algorithm.tell([Observation(architecture, np.array(objectives), violation, ok=True)])

    tell(first[0], [0.1, 1.0], 3.0)
    tell(first[1], [9.0, 90.0], 2.0)  # worse in both, nearer to the limits
    assert members(algorithm) == [first[1]] * size
    tell(first[2], [50.0, 99.0], 0.0)  # worse still, within them
    assert members(algorithm) == [first[2]] * size
    tell(first[3], [0.1, 1.0], 0.1)
    assert members(algorithm) == [first[2]] * size
    assert list(algorithm._archive.items) == [first[2]]


def test_the_archive_is_the_front_of_all_results() -> None:
    problem = toy_problem(2)
    algorithm, pending = started(problem)
    told = []
    for _ in range(60):
        seen = [answer(problem, a) for a in pending]
        told += seen
        algorithm.tell(seen)
        pending = algorithm.ask(2)
    points = np.array([s.objectives for s in told])
    front = [
        s.architecture
        for s, p in zip(told, points, strict=True)
        if not ((points <= p).all(axis=1) & (points < p).any(axis=1)).any()
    ]
    assert set(algorithm._archive.items) <= set(front)
    assert len({tuple(p) for p in algorithm._archive.points.tolist()}) == len(
        {tuple(s.objectives.tolist()) for s in told if s.architecture in front}
    )


def test_units_do_not_matter() -> None:
    """Objectives a hundred million times larger give the same search (powers of two: exact in floats)."""
    problem = toy_problem(3)
    asked = []
    for scale in (1.0, 2.0**27):
        algorithm, pending = started(problem)
        mine = []
        for _ in range(80):
            seen = [answer(problem, a) for a in pending]
            told = [Observation(s.architecture, s.objectives * [1.0, scale, 1.0], 0.0, ok=True) for s in seen]
            algorithm.tell(told)
            pending = algorithm.ask(2)
            mine += pending
        asked.append(mine)
    assert asked[0] == asked[1]


def test_each_member_holds_the_best_result_for_its_direction_when_replacement_is_unlimited() -> None:
    algorithm, first = started(toy_problem(2), replacements=10**6)
    corners = [[0.0, 1.0], [1.0, 0.0]]  # ideal and nadir from the start: the scale stays 1
    points = np.vstack([corners, np.random.default_rng(0).random((len(first) - 2, 2))])
    algorithm.tell([Observation(a, p, 0.0, ok=True) for a, p in zip(first, points, strict=True)])
    for home, direction in enumerate(algorithm._directions):
        along = points @ direction
        away = np.linalg.norm(points - along[:, None] * direction, axis=1)
        values = along + 0.1 * away  # theta is 0.1 by default
        assert algorithm._values[home] == pytest.approx(values.min())
        assert members(algorithm)[home] == first[int(values.argmin())]


def test_neighbourhoods_begin_with_the_direction_itself_and_are_its_nearest() -> None:
    weights = das_dennis(3, 45)
    near = neighbourhoods(weights, 7)
    assert near.shape == (45, 7)
    assert (near[:, 0] == np.arange(45)).all()
    for home in range(45):
        distances = np.linalg.norm(weights - weights[home], axis=1)
        assert distances[near[home]].max() <= np.sort(distances)[6] + 1e-12


def test_more_neighbours_than_directions_are_all_of_them() -> None:
    assert neighbourhoods(das_dennis(2, 5), 100).shape == (5, 5)


@pytest.mark.slow
@pytest.mark.parametrize("directions", ["das-dennis", "riesz"])
def test_either_kind_of_directions_searches(directions: str) -> None:
    algorithm = searched(toy_problem(3), 30, population=7, directions=directions)
    assert len(algorithm._archive) > 0


def test_the_default_population_grows_with_the_budget_within_bounds() -> None:
    sizes = [MOEAD.default_settings(3, n).population for n in (20, 500, 2000, 10**6)]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (10, 91)


@pytest.mark.parametrize(
    "settings",
    [
        {"population": 0},
        {"neighbours": -1},
        {"theta": -0.1},
        {"mate_nearby": 1.5},
        {"archive_parents": -0.1},
        {"guided": 1.1},
        {"crossover": 2},
        {"replacements": 0},
        {"directions": "rieszz"},
        {"decomposition": "sum"},
    ],
    ids=lambda s: next(iter(s)),
)
def test_a_setting_out_of_range_is_an_error_that_names_it(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        MOEADSettings(**settings)  # type: ignore[arg-type]


def test_a_space_smaller_than_the_population_is_searched_whole() -> None:
    problem = toy_problem(2, space=ToySpace((2, 2)))
    algorithm = MOEAD(problem, np.random.default_rng(0), MOEADSettings(population=20))
    assert len(algorithm.ask(20)) == 2
    assert algorithm.ask(1) == []


def test_parents_are_the_best_of_the_archive_along_the_direction_until_they_have_many_children() -> None:
    algorithm, first = started(toy_problem(2))
    n = len(first)
    front = np.column_stack([np.linspace(0, 1, n), np.linspace(1, 0, n) ** 2])
    algorithm.tell([Observation(a, p, 0.0, ok=True) for a, p in zip(first, front, strict=True)])
    home = int(np.argmax(algorithm._directions[:, 0]))  # the weight of the first objective is the largest
    bred = [algorithm._from_archive(home) for _ in range(2 * int(algorithm._most_children))]
    assert bred[0] == first[0]
    assert bred.count(first[0]) == np.ceil(algorithm._most_children)
    assert set(bred) > {first[0]}


def test_decompositions_search_differently_and_chebyshev_ignores_theta() -> None:
    def asked(**settings: object) -> list[Architecture]:
        problem = toy_problem(2)
        algorithm = MOEAD(problem, np.random.default_rng(1), MOEADSettings(8, **settings))  # type: ignore[arg-type]
        found: list[Architecture] = []
        while len(found) < 60 and (new := algorithm.ask(1)):
            found += new
            algorithm.tell([answer(problem, new[0])])
        return found

    chebyshev = asked(decomposition="chebyshev")
    assert chebyshev == asked(decomposition="chebyshev", theta=5.0)
    assert len({tuple(chebyshev), tuple(asked(theta=0.0)), tuple(asked(theta=5.0))}) == 3
