"""Results of several budgets as results of the highest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_parts import Grid, Noting, interrupt_at, log_of

import nas
from nas.algorithms._pool import CandidateBatch
from nas.algorithms.expectation import Expectation
from nas.algorithms.fidelities import LEAST, Continuation, budgets_to_learn
from nas.algorithms.prediction import process_for
from nas.algorithms.sa_moead import SAMOEAD, SAMOEADSettings
from nas.compare.design import WithDesign
from nas.core.objectives import Objective
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation
from nas.training import Halving
from surrogates.quality import kendall_tau

pytestmark = pytest.mark.usefixtures("no_plots")
EXACT = Objective("error", "%", best=0.0)
NOISY = Objective("error", "%", best=0.0, companions=["loss"])
QUICK = SAMOEADSettings(initial=8, surrogate="rbf", whole_space=100, pool=100, growth=0.5)


def short(architecture: Architecture) -> float:
    """The error after a short training: half of it has nothing to do with that after a long one."""
    genes = architecture.genes
    return 60.0 + 2.0 * sum(genes[:3]) + 3.0 * sum(genes[3:])


def long(architecture: Architecture) -> float:
    genes = architecture.genes
    return 10.0 + 2.0 * sum(genes[:3]) + 0.2 * genes[5]


def measured(trial: nas.Trial) -> Mapping[str, float]:
    luck = 0.3 * np.random.default_rng(trial.seed).normal()
    value = (short if trial.budget == 1 else long)(trial.architecture) + luck
    return {"error": value, "loss": value / 40}


def problem_of(objective: Objective = EXACT) -> Problem:
    return Problem(Grid(), [objective, "params"], measured)


def seen_at(problem: Problem, architecture: Architecture, budget: float) -> Observation:
    value = (short if budget == 1 else long)(architecture)
    params = problem.cheap_values(architecture)["params"]
    return Observation(architecture, np.array([value, params]), 0.0, True, {"loss": value / 40}, budget)


def drawn(problem: Problem, count: int, seed: int = 0) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    return list(dict.fromkeys(problem.space.sample(rng) for _ in range(count)))


def told(problem: Problem, count: int = 90, high: int = 30) -> list[Observation]:
    """Everything at budget 1, and those with the best values there also at 3."""
    architectures = drawn(problem, count)
    best = sorted(architectures, key=short)[:high]
    return [seen_at(problem, a, 1.0) for a in architectures] + [seen_at(problem, a, 3.0) for a in best]


def believed(problem: Problem, known: list[Observation]) -> dict[Architecture, FloatArray]:
    found = Expectation(problem).fit(known).believed(known)
    return {seen.architecture: seen.objectives for seen in found.values}


def completed(
    problem: Problem, rungs: list[dict[Architecture, FloatArray]]
) -> dict[Architecture, FloatArray]:
    return Continuation.learn(problem, process_for(problem), rungs).complete(rungs)


@pytest.mark.parametrize("objective", [EXACT, NOISY])
def test_values_of_short_trainings_become_predictions_of_those_of_long_ones(objective: Objective):
    problem = problem_of(objective)
    found = believed(problem, told(problem))
    low = [a for a in found if a not in sorted(found, key=short)[:30]]
    predicted, truth = (np.array([f(a) for a in low]) for f in (lambda a: found[a][0], long))
    off = np.abs(predicted - truth)
    assert off.mean() < 5 < 50 < min(map(short, low))
    # the architecture tells what in a short training has nothing to do with a long one
    assert kendall_tau(predicted, truth) > kendall_tau(np.array([short(a) for a in low]), truth) + 0.1


def test_models_learn_the_first_budget_and_predict_the_highest():
    problem = problem_of()
    algorithm = SAMOEAD(problem, np.random.default_rng(0), QUICK)
    algorithm.tell(told(problem))
    assert algorithm.ask(1)
    models, learned, reached, _, _ = algorithm._current(len(algorithm._known))
    assert all(seen.objectives[0] == short(seen.architecture) for seen in learned)
    assert max(seen.objectives[0] for seen in reached) < min(seen.objectives[0] for seen in learned)
    unseen = [a for a in drawn(problem, 150, seed=1) if a not in algorithm._seen]
    batch = CandidateBatch.of(problem, unseen)
    forecast, truth = models.forecast(batch), np.array([long(a) for a in unseen])
    assert np.abs(forecast.middle[:, 0] - truth).mean() < 5
    assert np.abs(models.learnable(batch)[:, 0] - [short(a) for a in unseen]).mean() < 5
    assert (forecast.std >= 0).all()


def test_measured_values_at_the_highest_budget_stay_and_exact_objectives_too():
    problem = problem_of()
    known = told(problem)
    found = believed(problem, known)
    assert len(found) == len({seen.architecture for seen in known})
    for seen in known:
        assert found[seen.architecture][1] == seen.objectives[1]
        if seen.budget == 3:
            assert found[seen.architecture][0] == seen.objectives[0]


def test_a_budget_with_few_results_is_not_learned():
    problem = problem_of()
    few = told(problem, high=LEAST - 1)
    assert budgets_to_learn(few) == [1]
    assert budgets_to_learn(told(problem, high=LEAST)) == [1, 3]
    found = believed(problem, few)
    assert all(found[a][0] == short(a) for a in found)


def test_learning_begins_at_the_most_frequent_budget_unless_new_architectures_start_above_it():
    """Results of earlier runs may have any budgets; a search that starts at a higher one now has left the lower."""
    problem = problem_of()
    some, others = drawn(problem, 20), drawn(problem, 60, seed=1)[-10:]
    apart = [seen_at(problem, a, 1.0) for a in some] + [
        seen_at(problem, a, 3.0) for a in others if a not in some
    ]
    assert budgets_to_learn(apart) == [3]
    assert budgets_to_learn(apart[::-1]) == [1]
    longer = [seen_at(problem, a, 1.0) for a in some[:6]] + [seen_at(problem, a, 3.0) for a in some]
    assert budgets_to_learn(longer) == [3]
    for known in (apart, longer):
        algorithm = SAMOEAD(problem, np.random.default_rng(0), QUICK)
        algorithm.tell(known)
        assert len(algorithm.ask(3)) == 3


def test_predictions_pass_from_budget_to_budget():
    problem = problem_of()
    architectures = sorted(drawn(problem, 90), key=short)
    points = [np.array([[f(a), 1.0] for a in architectures]) for f in (short, long, lambda a: long(a) / 2)]
    rungs = [dict(zip(architectures[:k], p[:k], strict=True)) for k, p in zip((90, 60, 30), points, strict=True)]  # fmt: skip
    found = completed(problem, rungs)
    low = architectures[60:]
    assert np.abs([found[a][0] - long(a) / 2 for a in low]).mean() < 3
    assert [found[a][0] for a in architectures[:30]] == [long(a) / 2 for a in architectures[:30]]


def test_an_objective_that_no_budget_changes_is_predicted_as_measured():
    """Such as a latency."""
    problem = problem_of()
    architectures = drawn(problem, 60)
    point = {a: np.array([long(a), 1.0]) for a in architectures}
    found = completed(problem, [point, {a: point[a] for a in architectures[::2]}])
    off = [abs(found[a][0] - long(a)) for a in architectures[1::2]]
    assert np.mean(off) < 0.1 * np.std([long(a) for a in architectures])


def test_equal_values_and_one_budget_are_no_difficulty():
    problem = problem_of()
    architectures = drawn(problem, 20)
    same = {a: np.array([5.0, 1.0]) for a in architectures}
    rungs = [same, {a: same[a] for a in architectures[: LEAST + 1]}]
    assert all(p[0] == pytest.approx(5.0) for p in completed(problem, rungs).values())
    known = [seen_at(problem, a, 3.0) for a in architectures]
    assert not Expectation(problem).needed(known)
    assert Expectation(problem).needed([*known, seen_at(problem, architectures[0], 9.0)])


def test_a_network_that_was_bad_after_a_short_training_is_not_taken_for_the_best():
    """Nothing like it continues, so no result would ever refute that."""
    problem = problem_of()
    best = believed(problem, told(problem))
    worst = sorted(best, key=short)[-20:]
    assert np.median([best[a][0] for a in worst]) > np.median([p[0] for p in best.values()])


def test_the_front_of_the_algorithm_is_at_the_highest_budget():
    problem = problem_of()
    algorithm = SAMOEAD(problem, np.random.default_rng(0), QUICK)
    algorithm.tell(told(problem))
    assert algorithm.ask(1)
    _, known, _, members, points = algorithm._current(len(algorithm._known))
    assert points[:, 0].max() < 45 < min(map(short, members))
    assert len(known) == len({seen.architecture for seen in known})


def search(out: Path | None = None, objective: Objective = NOISY, **more: Any) -> nas.SearchResult:
    loop = nas.LoopSettings(evaluations=34, seed=4, halving=Halving(1, 3, 3))
    arguments: dict[str, Any] = {"algorithm": "sa-moead", "algorithm_settings": QUICK, **more}
    return nas.search(Grid(), [objective, "params"], measured, loop=loop, out=out, **arguments)


@pytest.mark.parametrize("objective", [EXACT, NOISY])
def test_a_search_with_several_budgets_resumes_exactly(tmp_path: Path, objective: Objective):
    search(tmp_path / "whole", objective)
    for stop in (27, None):
        search(tmp_path / "run", objective, resume=stop is None, callbacks=[interrupt_at(stop)])
    assert log_of(tmp_path / "run") == log_of(tmp_path / "whole")
    front = [(tmp_path / name / "front.csv").read_bytes() for name in ("run", "whole")]
    assert front[0] == front[1]


def test_an_algorithm_that_begins_with_a_shared_design_takes_the_same_budgets():
    problem, design = problem_of(), tuple(drawn(problem_of(), 5))
    made = WithDesign(SAMOEAD, "sa-moead", design)(problem, np.random.default_rng(0), QUICK)
    assert made.every_budget
    assert not WithDesign(Noting, "noting", design)(problem, np.random.default_rng(0)).every_budget


def test_results_of_higher_budgets_change_the_proposals():
    def first_budget_only(*arguments: Any) -> SAMOEAD:
        made = SAMOEAD(*arguments)
        made.every_budget = False
        return made

    first_budget_only.Settings = SAMOEADSettings  # type: ignore[attr-defined]
    ours = search(objective=EXACT).history["architecture"].tolist()
    theirs = search(objective=EXACT, algorithm=first_budget_only).history["architecture"].tolist()
    assert ours[:12] == theirs[:12]
    assert ours != theirs
