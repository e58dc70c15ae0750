"""Expected values of noisy objectives in a search."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from engine_parts import Grid

import nas
from nas.algorithms.expectation import Estimates, Expectation, estimates, noisy_objectives
from nas.algorithms.sa_moead import SAMOEAD, SAMOEADSettings
from nas.core.objectives import Objective
from nas.core.problem import Problem
from nas.core.records import Architecture, Observation, Result, Status, Trial
from nas.pareto.archive import non_dominated

LOSS = Objective("error", "%", best=0.0, companions=["loss"])
QUICK = SAMOEADSettings(initial=8, surrogate="rbf", whole_space=100, pool=100, growth=0.5)


def true(architecture: Architecture) -> float:
    return 20.0 + sum((5 - g) ** 2 for g in architecture.genes) / 3


def noisy(trial: Trial) -> Mapping[str, float]:
    """An error with a noise of 6, and a loss with half of the same luck."""
    luck, own = np.random.default_rng(trial.seed).normal(size=2)
    error = true(trial.architecture)
    return {"error": error + 6 * luck, "loss": (error + 3 * luck + 2 * own) / 40}


def told(problem: Problem, count: int = 60, **changes: Any) -> list[Observation]:
    rng = np.random.default_rng(0)
    seen = []
    for i in range(count):
        trial = Trial(i, problem.space.sample(rng), i)
        values = {**noisy(trial), **problem.cheap_values(trial.architecture)} | changes
        seen.append(problem.observe(Result(trial, Status.OK, values)))
    return seen


def found(objective: Objective, **changes: Any) -> tuple[Estimates, np.ndarray]:
    problem = Problem(Grid(), [objective, "params"], noisy)
    estimate = estimates(problem, told(problem, **changes))
    assert estimate is not None
    return estimate, np.array([true(a) for a in estimate.architectures])


def test_the_expected_value_is_nearer_to_the_truth_and_exact_objectives_stay():
    estimate, truth = found(LOSS)
    before = np.abs(estimate.measured[:, 0] - truth).mean()
    assert np.abs(estimate.mean[:, 0] - truth).mean() < 0.75 * before
    assert np.abs(estimate.index[:, 0] - truth).mean() < before
    for values in (estimate.mean, estimate.index, estimate.low, estimate.high):
        assert values[:, 1].tolist() == estimate.measured[:, 1].tolist()


def test_nine_of_ten_further_measurements_lie_within_the_interval():
    estimate, _ = found(LOSS)
    again = np.array([noisy(Trial(0, a, 900 + i))["error"] for i, a in enumerate(estimate.architectures)])
    inside = (estimate.low[:, 0] <= again) & (again <= estimate.high[:, 0])
    assert inside.mean() >= 0.8


def test_the_interval_is_wider_by_the_sampling_that_an_evaluation_reports():
    estimate, _ = found(LOSS, error_sampling=1.0)
    wider, _ = found(LOSS, error_sampling=10.0)
    assert wider.mean == pytest.approx(estimate.mean)  # only its differences count
    more = (wider.high - wider.low)[:, 0] / (estimate.high - estimate.low)[:, 0]
    assert (more > 1.2).all()


def test_noise_is_larger_where_an_evaluation_reports_a_larger_deviation():
    problem = Problem(Grid(), [LOSS, "params"], noisy)
    seen = told(problem)
    largest = int(np.argmax([o.objectives[0] for o in seen]))

    def moved(deviation: float) -> float:
        reported = [
            dataclasses.replace(
                o, companions={**o.companions, "error_sampling": deviation if i == largest else 2.0}
            )
            for i, o in enumerate(seen)
        ]
        estimate = estimates(problem, reported)
        assert estimate is not None
        row = estimate.architectures.index(seen[largest].architecture)
        return abs(float(estimate.mean[row, 0] - estimate.measured[row, 0]))

    assert moved(0.5) < 0.8 * moved(8.0)


def test_an_interval_ends_at_the_best_possible_value():
    estimate, _ = found(LOSS, error_sampling=100.0)
    assert (estimate.low[:, 0] == 0.0).all()


def test_values_to_maximise_are_estimated_as_well():
    gain = Objective("gain", maximize=True, companions=["loss"])
    problem = Problem(Grid(), [gain, "params"], lambda trial: {})
    known = [
        Observation(o.architecture, np.array([o.objectives[0] - 99.0, o.objectives[1]]), 0.0, True, o.companions)
        for o in told(Problem(Grid(), [LOSS, "params"], noisy))
    ]  # fmt: skip
    estimate = estimates(problem, known)
    assert estimate is not None
    truth = np.array([true(a) - 99.0 for a in estimate.architectures])
    assert np.abs(estimate.mean[:, 0] - truth).mean() < 0.8 * np.abs(estimate.measured[:, 0] - truth).mean()


@pytest.mark.parametrize("objective", [Objective("error"), Objective("error", noise=0, companions=["loss"])])
def test_an_exact_objective_needs_no_estimates(objective: Objective):
    problem = Problem(Grid(), [objective, "params"], noisy)
    seen = list({o.architecture: o for o in told(problem)}.values())
    assert not Expectation(problem).needed(seen)
    assert estimates(problem, seen) is None


def test_repeated_measurements_that_differ_make_an_objective_noisy_unless_it_is_declared_exact():
    for noise, expected in ((None, [0]), (0.0, [])):
        problem = Problem(Grid(), [Objective("error", noise=noise), "params"], noisy)
        first = told(problem, 3)
        again = dataclasses.replace(first[1], objectives=np.add(first[1].objectives, [1.0, 0.0]))
        assert noisy_objectives(problem, first) == []
        assert noisy_objectives(problem, [*first, first[1]]) == []
        assert noisy_objectives(problem, [*first, again]) == expected


def test_a_search_with_a_noise_of_zero_proposes_what_one_without_companions_does():
    def asked(objective: Objective) -> list[str]:
        history = nas.search(
            Grid(), [objective, "params"], noisy, algorithm="sa-moead", algorithm_settings=QUICK, budget=30, seed=2
        ).history  # fmt: skip
        return list(history["architecture"])

    plain = asked(Objective("error", "%", best=0.0))
    assert asked(Objective("error", "%", best=0.0, companions=["loss"], noise=0)) == plain
    assert asked(LOSS) != plain


def test_the_front_of_the_algorithm_is_that_of_expected_values():
    problem = Problem(Grid(), [LOSS, "params"], noisy)
    algorithm = SAMOEAD(problem, np.random.default_rng(0), QUICK)
    algorithm.tell(told(problem))
    algorithm.ask(1)
    _, _, _, members, points = algorithm._current(len(algorithm._known))
    estimate = estimates(problem, told(problem))
    assert estimate is not None
    rows = non_dominated(estimate.mean)
    assert set(members) == {estimate.architectures[i] for i in rows}
    assert sorted(points[:, 0]) == pytest.approx(sorted(estimate.mean[rows, 0]))
    assert set(members) != {estimate.architectures[i] for i in non_dominated(estimate.measured)}


def test_repeated_measurements_of_one_architecture_are_one_estimate():
    problem = Problem(Grid(), [LOSS, "params"], noisy)
    known = told(problem)
    estimate = estimates(problem, [*known, *known[:10]])
    assert estimate is not None
    assert len(estimate.architectures) == len({seen.architecture for seen in known})


def test_estimates_do_not_depend_on_what_was_learned_before():
    problem = Problem(Grid(), [LOSS, "params"], noisy)
    known = told(problem)
    once = Expectation(problem).fit(known).estimate(known)
    again = Expectation(problem).fit(known[:20]).fit(known).estimate(known)
    assert np.array_equal(once.mean, again.mean)


def test_equal_results_are_their_own_expected_values():
    objective = nas.Objective("error", companions=["loss"])
    for count in (1, 12):
        problem = Problem(Grid(), [objective, "params"], noisy)
        estimate = estimates(problem, told(problem, count, error=89.97))
        assert estimate is not None
        assert (estimate.mean[:, 0] == 89.97).all()
        assert (estimate.low[:, 0] == 89.97).all()
        assert (estimate.high[:, 0] == 89.97).all()
