"""The surrogate-assisted search: proposals, recall, and notes on its models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import nas
from nas.algorithms._outlook import Models, Target
from nas.algorithms._pool import CandidateBatch, InnerSearch, whole_space
from nas.algorithms.candidates import Candidates
from nas.algorithms.initial_design import initial_design
from nas.algorithms.prediction import Remembered, in_chunks, make_predictors
from nas.algorithms.sa_moead import SAMOEAD, SAMOEADSettings
from nas.core.algorithm import HasNotes, HasRecall
from nas.core.errors import ConfigError
from nas.core.problem import Problem
from nas.core.records import Observation, Trial
from nas.pareto.indicators import Box, hypervolume
from nas.pareto.preferences import Preference
from nas.testing import ToySpace, answer, toy_error, toy_problem

QUICK = SAMOEADSettings(initial=8, surrogate="rbf", whole_space=100, pool=100, growth=0.2)
LARGE = ToySpace((6,) * 10)  # too many to walk through


def told(problem: Problem, architecture: nas.Architecture) -> Observation:
    values = problem.cheap_values(architecture) | toy_error(Trial(0, architecture, 0))
    return Observation(architecture, np.array([values[n] for n in problem.names]), 0.0, ok=True)


def run(problem: Problem, n: int, settings: SAMOEADSettings = QUICK, seed: int = 0) -> list[Observation]:
    algorithm, seen = SAMOEAD(problem, np.random.default_rng(seed), settings), []
    for _ in range(n):
        seen.append(told(problem, algorithm.ask(1)[0]))
        algorithm.tell(seen[-1:])
    return seen


def test_the_initial_design_has_the_cheapest_and_the_most_expensive_architectures():
    problem = toy_problem(3, space=LARGE)
    rng = np.random.default_rng(0)
    design = initial_design(problem, Candidates(problem, rng), rng, 10)
    sums = [sum(a.genes) for a in design]
    assert len(set(design)) == 10
    assert min(sums) <= 4
    assert max(sums) >= 46


def test_the_initial_design_covers_the_range_of_costs():
    problem = toy_problem(3, space=LARGE)
    rng = np.random.default_rng(1)
    params = sorted(
        problem.cheap_values(a)["params"] for a in initial_design(problem, Candidates(problem, rng), rng, 10)
    )
    assert np.diff(params).max() < 0.4 * (params[-1] - params[0])


def test_without_cheap_objectives_the_initial_design_differs_in_genes():
    problem = toy_problem(1, space=LARGE)
    rng = np.random.default_rng(0)
    design = np.array([a.genes for a in initial_design(problem, Candidates(problem, rng), rng, 6)])
    apart = (design[:, None] != design[None]).sum(axis=2)[~np.eye(6, dtype=bool)]
    assert apart.min() >= 6  # of ten genes: the nearest two of six random ones differ in about 5


def test_the_initial_design_meets_cheap_limits():
    problem = toy_problem(3, ["params <= 25"], space=LARGE)
    rng = np.random.default_rng(0)
    design = initial_design(problem, Candidates(problem, rng), rng, 8)
    assert len(design) == 8
    assert all(problem.cheap_values(a)["params"] <= 25 for a in design)


@pytest.mark.slow
@pytest.mark.parametrize("space", [ToySpace(), LARGE], ids=["enumerated", "inner search"])
def test_it_dominates_more_than_random_search_does(space):
    problem = toy_problem(3, space=space)
    box = Box(np.zeros(3), np.array([100.0, 70.0, 70.0]))

    def volume(points: list[Observation]) -> float:
        return hypervolume(np.array([p.objectives for p in points]), box)

    for seed in range(3):
        candidates = Candidates(problem, np.random.default_rng(seed))
        random = [told(problem, a) for _ in range(60) if (a := candidates.random())]
        assert volume(run(problem, 60, seed=seed)) > volume(random)


def test_recalling_earlier_asks_leads_to_the_same_later_ones():
    problem = toy_problem(3)
    first = SAMOEAD(problem, np.random.default_rng(3), QUICK)
    second = SAMOEAD(problem, np.random.default_rng(3), QUICK)
    assert isinstance(first, HasRecall)
    assert isinstance(first, HasNotes)
    for i in range(26):
        (architecture,) = first.ask(1)
        if i < 20:
            second.recall(architecture)
        else:
            assert second.ask(1) == [architecture]
        if i % 3:  # a third is still under way
            for each in (first, second):
                each.tell([told(problem, architecture)])


def test_candidates_under_way_count_as_known():
    """Six asks without a result do not repeat the gain of the first proposal six times."""

    def volume(architectures: list[nas.Architecture]) -> float:
        points = np.array([told(problem, a).objectives for a in architectures])
        return hypervolume(points, Box(np.zeros(3), np.array([100.0, 70.0, 70.0])))

    problem = toy_problem(3)
    algorithm = SAMOEAD(problem, np.random.default_rng(0), QUICK)
    for _ in range(12):
        algorithm.tell([told(problem, algorithm.ask(1)[0])])
    batch = algorithm.ask(6)
    assert len(set(batch)) == 6
    gains = [volume(batch) - volume([a for a in batch if a != b]) for b in batch]
    assert sum(g > 0 for g in gains) >= 4


def test_it_notes_the_quality_of_its_model_at_each_fit():
    problem = toy_problem(2)
    algorithm = SAMOEAD(problem, np.random.default_rng(0), SAMOEADSettings(initial=8, growth=0.3))
    notes = []
    for _ in range(25):
        algorithm.tell([told(problem, algorithm.ask(1)[0])])
        notes += algorithm.notes()
    assert len(notes) >= 3
    assert [n.told for n in notes] == sorted({n.told for n in notes})
    assert notes[-1].values["objective"] == "error"
    assert -1 <= notes[-1].values["tau_low"] <= notes[-1].values["tau"] <= notes[-1].values["tau_high"] <= 1
    assert -1 <= notes[-1].values["tau_half"] <= 1
    assert 0 <= notes[-1].values["precision_tenth"] <= 1


def test_two_expensive_objectives_have_a_model_each():
    space = ToySpace()
    slow = nas.Objective("latency", "ms", function=lambda a: 1.0 + sum(a.genes[:3]))
    problem = Problem(space, ["error", slow, "params"], toy_error)
    algorithm = SAMOEAD(problem, np.random.default_rng(0), QUICK)
    notes = []
    for _ in range(20):
        (a,) = algorithm.ask(1)
        values = problem.cheap_values(a) | toy_error(Trial(0, a, 0)) | {"latency": 1.0 + sum(a.genes[:3])}
        algorithm.tell([Observation(a, np.array([values[n] for n in problem.names]), 0.0, ok=True)])
        notes += algorithm.notes()
    assert {n.values["objective"] for n in notes} == {"error", "latency"}


def test_a_limit_on_an_expensive_objective_draws_the_search_within_it():
    def feasible(limits: list[str]) -> int:
        problem = toy_problem(3, limits)
        algorithm = SAMOEAD(problem, np.random.default_rng(0), QUICK)
        inside = 0
        for _ in range(40):
            seen = told(problem, algorithm.ask(1)[0])
            inside += seen.objectives[0] <= 4
            violation = problem.violation(seen.objectives)
            algorithm.tell([Observation(seen.architecture, seen.objectives, violation, ok=True)])
        return inside

    assert feasible(["error <= 4"]) > 1.3 * feasible([])


def test_a_preference_concentrates_the_search_on_the_preferred_region():
    def dear(prefer: str) -> int:
        settings = replace(QUICK, prefer=prefer)
        seen = run(toy_problem(3), 35, settings)[8:]
        return sum(p.objectives[1] > 18 for p in seen)

    assert dear("params<=18") < 0.2 * dear("")


def test_an_aspiration_draws_candidates_towards_it():
    problem = toy_problem(3)
    preference = Preference.parse("error=2%, params=20, madds=20", problem.objectives)

    def distance(prefer: str) -> float:
        settings = replace(QUICK, prefer=prefer)
        points = np.array([p.objectives for p in run(problem, 30, settings)[8:]])
        return float(
            np.median(preference.scores(points, np.array([0.0, 10.0, 5.0]), np.array([100.0, 60.0, 60.0])))
        )

    assert distance(str(preference)) < 0.8 * distance("")


@pytest.mark.parametrize(("floor", "far_is_better"), [(np.full(3, -np.inf), True), (np.full(3, 25.0), False)])
def test_values_below_the_floor_of_a_target_count_as_the_floor(
    floor: np.ndarray, far_is_better: bool
) -> None:
    """Two candidates, both predicted an error of 20: one is a little cheaper than the floor, the other very much."""
    problem = toy_problem(3)
    predictors = make_predictors(problem, "constant")
    known = [
        answer(problem, nas.Architecture("toy", genes)) for genes in ((0,) * 6, (3,) * 6, (2, 1, 0, 3, 1, 2))
    ]
    known = [replace(seen, objectives=np.array([20.0, 50.0, 50.0])) for seen in known]
    models = Models(problem, predictors)
    models.fit(0, known)
    candidates = CandidateBatch(
        [known[0].architecture] * 2,
        [[known[0].architecture] * 2],
        np.array([[np.nan, 24.0, 24], [np.nan, 2, 2]]),
    )
    target = Target(np.zeros(3), np.full(3, 100.0), np.array([0.4, 0.4, 0.4]), floor)
    near, far = models.improvement(models.forecast(candidates), np.empty((0, 3)), target)
    assert near > 0
    assert far > 1.5 * near if far_is_better else near == far == pytest.approx(0.15**3)


def test_an_invalid_preference_is_refused_before_any_ask():
    with pytest.raises(ConfigError, match="parms"):
        SAMOEAD(toy_problem(3), np.random.default_rng(0), SAMOEADSettings(prefer="parms<5"))


def test_an_unknown_surrogate_is_named():
    with pytest.raises(ConfigError, match="surrogate"):
        SAMOEAD(toy_problem(3), np.random.default_rng(0), SAMOEADSettings(surrogate="oracle"))


def test_a_model_without_order_is_not_relied_on():
    """Errors independent of the genes: half of the candidates are chosen for variety."""
    rng = np.random.default_rng(0)
    problem = toy_problem(2)
    algorithm = SAMOEAD(problem, np.random.default_rng(0), QUICK)
    notes = []
    for _ in range(30):
        (a,) = algorithm.ask(1)
        params = problem.cheap_values(a)["params"]
        algorithm.tell([Observation(a, np.array([rng.random(), params]), 0.0, ok=True)])
        notes += algorithm.notes()
    doubtful = [n for n in notes if not n.values["reliable"]]
    assert doubtful
    assert "variety" in doubtful[-1].values["text"]


def test_a_small_space_is_listed_whole_and_a_large_one_is_not():
    whole = whole_space(toy_problem(3, ["params <= 20"]), 3000)
    assert whole is not None
    assert all(sum(a.genes) <= 10 for a in whole)
    assert len(set(whole)) == len(whole) > 100
    assert whole_space(toy_problem(3, space=LARGE), 3000) is None


def test_the_inner_search_finds_the_predicted_front():
    problem = toy_problem(3, space=LARGE)

    def hope(architectures):
        return np.array([told(problem, a).objectives for a in architectures])

    rng = np.random.default_rng(0)
    candidates = Candidates(problem, rng)
    start = [told(problem, candidates.random()) for _ in range(20)]
    pool = InnerSearch(size=1000)(problem, hope, start, rng, problem.violation)
    assert len(pool) == 1000
    assert not set(pool) & {s.architecture for s in start}
    drawn = hope([candidates.random() for _ in range(1000)])
    box = Box(np.zeros(3), drawn.max(axis=0))
    assert hypervolume(hope(pool), box) > 1.1 * hypervolume(drawn, box)


def test_all_failing_leaves_random_candidates():
    problem = toy_problem(3)
    algorithm = SAMOEAD(problem, np.random.default_rng(0), QUICK)
    for _ in range(30):
        found = algorithm.ask(1)
        algorithm.tell([answer(problem, found[0], ok=False)])
        assert len(found) == 1


def test_predictions_have_the_units_and_direction_of_the_objective():
    """An accuracy is learned as its distance from 100%, minimised, and never predicted to be above."""
    problem = Problem(ToySpace(), ["accuracy", "params"], lambda trial: {})
    (predictor,) = make_predictors(problem, "gaussian-process")
    candidates = Candidates(problem, np.random.default_rng(0))
    known = [candidates.random() for _ in range(40)]
    y = np.array([-100.0 + 100.0 / (1.0 + sum(a.genes)) for a in known])  # minus the accuracy
    predictor.fit(known, y)
    assert predictor.values(predictor.scores(y)) == pytest.approx(y)
    mean, std = predictor.predict(in_chunks(known))
    assert np.abs(predictor.values(mean) - y).mean() < 0.5 * y.std()
    assert (predictor.values(mean - 50.0 * std) >= -100.5).all()


def test_features_are_computed_once_for_a_whole_space_and_for_late_architectures():
    calls = []

    def encoding(architectures):
        calls.append(len(architectures))
        return np.array([a.genes for a in architectures], dtype=float)

    remembered = Remembered(encoding)
    space, rng = ToySpace(), np.random.default_rng(0)
    whole = tuple(space.sample(rng) for _ in range(30))
    assert (remembered(whole) == remembered(whole)).all()
    late = list(whole[:10])
    first = remembered(late)
    assert (remembered([*late, whole[20]])[:10] == first).all()
    assert calls == [30, 10, 1]


def test_with_several_measured_objectives_improvement_counts_up_to_the_predicted_front() -> None:
    space = ToySpace()
    objectives = [nas.Objective("error"), nas.Objective("size")]

    def measure(trial: Trial) -> dict[str, float]:
        genes = np.array(trial.architecture.genes, dtype=float)
        return {"error": 10.0 - genes.sum(), "size": 1.0 + genes.sum() ** 2}

    problem = Problem(space, objectives, measure)
    algorithm = SAMOEAD(problem, np.random.default_rng(0), QUICK)
    seen = []
    for _ in range(14):
        (asked,) = algorithm.ask(1)
        values = measure(Trial(0, asked, 0))
        seen.append(problem.observe(nas.Result(Trial(0, asked, 0), nas.Status.OK, values)))
        algorithm.tell(seen[-1:])
    front = np.array([o.objectives for o in seen])
    ideal, nadir = front.min(axis=0), front.max(axis=0)
    for farther, reference in ((0.0, 1.1), (0.5, 1.6), (9.0, 2.0)):
        algorithm._nadir = nadir + farther * (nadir - ideal)
        assert algorithm._targets(front, seen)[0].reference == pytest.approx([reference] * 2)
