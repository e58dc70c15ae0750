"""Other people's optimisers behave as algorithms: valid, canonical, nothing twice, the same for the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nas
from nas.algorithms import ALGORITHMS
from nas.algorithms.peers import PEERS, outside
from nas.algorithms.peers.optuna_search import OptunaGP
from nas.algorithms.peers.pymoo_search import PymooNSGA2, PymooSettings, repaired
from nas.compare.design import WithDesign, draw_design
from nas.core.errors import ConfigError
from nas.core.records import Observation, Trial
from nas.engine.loop import LoopSettings
from nas.testing.toy import ToySpace, answer, toy_error, toy_problem

PACKAGES = {"optuna": "optuna", "syne": "syne_tune", "pymoo": "pymoo"}
SLOW = {"optuna-gp": 12, "optuna-tpe": 14}  # evaluations, others 40


@pytest.fixture(
    params=[pytest.param(name, marks=[pytest.mark.slow] if name == "optuna-gp" else []) for name in PEERS]
)
def name(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(PACKAGES[request.param.split("-")[0]], reason="the extra peers is not installed")
    return str(request.param)


def evaluations(name: str) -> int:
    return SLOW.get(name, 40)


def asked(name: str, seed: int, n: int, objectives: int = 2) -> list[nas.Architecture]:
    problem = toy_problem(objectives)
    algorithm = PEERS[name](problem, np.random.default_rng(seed), PEERS[name].default_settings(objectives, n))
    found: list[nas.Architecture] = []
    while len(found) < n and (new := algorithm.ask(1)):
        found += new
        algorithm.tell([answer(problem, new[0])])
    return found


def test_a_peer_asks_for_valid_canonical_architectures_and_none_twice(name: str) -> None:
    found, space = asked(name, 1, evaluations(name)), ToySpace()
    assert len(found) == evaluations(name)
    assert len(set(found)) == len(found)
    assert all(space.is_valid(a) and space.canonical(a) == a for a in found)


def test_a_peer_does_the_same_with_the_same_seed_and_another_thing_with_another(name: str) -> None:
    n = evaluations(name)
    assert asked(name, 1, n) == asked(name, 1, n)
    assert asked(name, 1, n) != asked(name, 2, n)


def test_a_peer_searches_a_problem_with_failures_to_its_budget(name: str) -> None:
    def now_and_then(trial: Trial) -> dict[str, float]:
        if trial.id % 7 == 5:
            raise ValueError("on purpose")
        return dict(toy_error(trial))

    n = evaluations(name)
    found = nas.search(ToySpace(), ["error", "params"], now_and_then, algorithm=PEERS[name], budget=n, seed=3)
    assert found.summary["evaluations"] == n
    assert found.summary["failed"] == sum(i % 7 == 5 for i in range(n))


def test_a_peer_begins_with_the_results_before_its_first_ask(name: str) -> None:
    problem, n = toy_problem(2), evaluations(name)
    design = draw_design(problem, 6, seed=5)
    make = WithDesign(PEERS[name], name, design)
    algorithm: Any = make(problem, np.random.default_rng(0), PEERS[name].default_settings(2, n))
    first = algorithm.ask(6)
    assert tuple(first) == design
    algorithm.tell([answer(problem, a) for a in first])
    assert not set(algorithm.ask(4)) & set(design)


def test_limits_on_measured_objectives_are_refused(name: str) -> None:
    problem = toy_problem(2, limits=["error <= 5"])
    with pytest.raises(ConfigError, match=r"limits on measured objectives \(error <= 5\)"):
        PEERS[name](problem, np.random.default_rng(0))


def test_cheap_limits_are_kept(name: str) -> None:
    problem = toy_problem(2, limits=["params <= 18"])
    algorithm = PEERS[name](problem, np.random.default_rng(0))
    for _ in range(10):
        for architecture in algorithm.ask(1):
            assert problem.cheap_violation(architecture) == 0
            algorithm.tell([answer(problem, architecture)])


def test_several_trials_under_way_change_nothing_about_the_count(name: str) -> None:
    n = evaluations(name)
    loop = LoopSettings(evaluations=n, seed=1, concurrency=5)
    found = nas.search(ToySpace(), ["error", "params"], toy_error, algorithm=PEERS[name], loop=loop)
    assert found.summary["evaluations"] == found.summary["architectures"] == n


def test_no_peer_has_the_name_of_an_algorithm_of_ours() -> None:
    assert not PEERS.keys() & ALGORITHMS.keys()


def test_a_package_that_is_missing_is_named_with_what_installs_it() -> None:
    with pytest.raises(ConfigError, match=r"needs the package no_such_package.*pip install it"):
        outside.package("no_such_package.inner", "pip install it")


def test_a_peer_that_brings_nothing_new_is_stuck_after_its_patience() -> None:
    class Same:
        proposals = 0

        def ask(self) -> Any:
            self.proposals += 1
            return None, (1, 0, 0, 0, 0, 0)

        def tell(self, token: Any, objectives: Any) -> None:
            pass

    same = Same()

    class AlwaysSame(outside.OutsideAlgorithm):
        def make(self, task: outside.Task) -> Any:
            return same

    problem = toy_problem(2)
    algorithm = AlwaysSame(problem, np.random.default_rng(0), outside.OutsideSettings(patience=7))
    first = algorithm.ask(1)
    algorithm.tell([answer(problem, first[0])])
    assert algorithm.ask(1) == []
    assert same.proposals == 1 + 7


@pytest.mark.slow
def test_optunas_gp_learns_from_failed_trials() -> None:
    """It draws nothing: with only failed trials, it would propose the same candidate forever."""
    pytest.importorskip("optuna", reason="the extra peers is not installed")
    space = ToySpace()
    study = OptunaGP(toy_problem(2), np.random.default_rng(0)).make(outside.Task(space, 2, 3, ()))
    proposals = []
    for number in range(18):
        token, genes = study.ask()
        proposals.append(genes)
        study.tell(token, np.array([sum(genes), -sum(genes)], dtype=float) if number < 10 else None)
    assert len(set(proposals[10:])) == 8  # after those that it draws to begin with


def test_objectives_are_divided_by_the_range_of_the_initial_results() -> None:
    told: list[Any] = []

    class Listens:
        def __init__(self) -> None:
            self.genes = iter([(1, 0, 0, 0, 0, 0), (1, 1, 0, 0, 0, 0), (1, 2, 0, 0, 0, 0)])

        def ask(self) -> Any:
            return None, next(self.genes)

        def tell(self, token: Any, objectives: Any) -> None:
            told.append(objectives)

    class Listening(outside.OutsideAlgorithm):
        def make(self, task: outside.Task) -> Any:
            return Listens()

    space, algorithm = ToySpace(), Listening(toy_problem(2), np.random.default_rng(0))
    points = [np.array([10.0, 4.0]), np.array([30.0, 5.0])]
    genes = [(1, 0, 0, 0, 0, 0), (1, 1, 0, 0, 0, 0)]
    known = [
        Observation(nas.Architecture(space.name, g), p, 0.0, True) for g, p in zip(genes, points, strict=True)
    ]
    algorithm.tell(known)
    assert algorithm.ask(1) == [nas.Architecture(space.name, (1, 2, 0, 0, 0, 0))]
    assert [t.tolist() for t in told] == [[0.5, 4.0], [1.5, 5.0]]


def test_invalid_genes_are_repaired() -> None:
    space = ToySpace()
    genes = repaired(space, [2.0] * 6, np.random.default_rng(0))
    assert space.is_valid(nas.Architecture(space.name, genes))


def test_proposals_take_the_fixed_values() -> None:
    space = nas.Space("s", {f"p{i}": nas.Integer(0, 9) for i in range(6)}).fix(p0=3, p1=7, p2=9)

    class Draws:
        rng = np.random.default_rng(0)

        def ask(self) -> Any:
            return None, tuple(self.rng.integers(0, 10, 6).tolist())

        def tell(self, token: Any, objectives: Any) -> None:
            pass

    class Drawing(outside.OutsideAlgorithm):
        def make(self, task: outside.Task) -> Any:
            return Draws()

    problem = nas.Problem(space, [nas.Objective("error")], lambda trial: {"error": 0.0})
    asked = Drawing(problem, np.random.default_rng(0), outside.OutsideSettings(patience=1)).ask(5)
    assert len(asked) == 5
    assert all(map(space.is_valid, asked))
    genes = repaired(space, [2.0] * 6, np.random.default_rng(0))
    assert genes == (3, 7, 9, 2, 2, 2)


@pytest.mark.parametrize("peer", ["pymoo-nsga3", "pymoo-moead"])
def test_an_analysis_of_two_objectives_refuses_one(peer: str) -> None:
    algorithm = PEERS[peer](toy_problem(1), np.random.default_rng(0))
    with pytest.raises(ConfigError, match="needs two objectives or more"):
        algorithm.ask(1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"operators": "integr"}, "did you mean 'integer'"),
        ({"population": 0}, "population"),
        ({"patience": 0}, "patience"),
    ],
)
def test_settings_out_of_range_name_the_parameter(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PymooSettings(**settings)


def test_the_categorical_operators_work_as_well() -> None:
    settings = PymooSettings(population=10, operators="categorical")
    found = nas.search(
        ToySpace(),
        ["error", "params"],
        toy_error,
        algorithm=PymooNSGA2,
        algorithm_settings=settings,
        budget=40,
        seed=1,
    )
    assert found.summary["architectures"] == 40
