"""Every algorithm keeps the contract, and the checks notice each way of breaking it."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from engine_parts import QUICK_SETTINGS

from nas.algorithms import ALGORITHMS
from nas.algorithms.candidates import Candidates
from nas.algorithms.random_search import RandomSearch
from nas.core.algorithm import Algorithm
from nas.core.errors import ConfigError, InfeasibleError
from nas.core.objectives import Objective
from nas.core.records import Architecture, Note, Observation, Trial
from nas.core.space import SearchSpace
from nas.testing import (
    ToySpace,
    answer,
    check_algorithm,
    check_evaluator,
    check_objective,
    check_space,
    toy_error,
    toy_problem,
)
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench201 import NASBench201

NAMES = sorted(ALGORITHMS)


def quick(name: str) -> Any:
    """An algorithm for the contract checks, with settings that keep an expensive one quick."""
    algorithm = ALGORITHMS[name]
    if name not in QUICK_SETTINGS:
        return algorithm
    return lambda problem, rng: algorithm(problem, rng, QUICK_SETTINGS[name])


# The most expensive one is in the quick tests in a space with its own variation, below.
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "sa-moead")) for name in NAMES]
)
def test_algorithm_keeps_the_contract(name: str) -> None:
    check_algorithm(quick(name), evaluations=30 if name in QUICK_SETTINGS else 50)


@pytest.mark.parametrize("name", NAMES)
def test_algorithm_keeps_the_contract_in_a_space_with_its_own_variation(name: str) -> None:
    problem = toy_problem(3, space=NASBench101.digits())
    check_algorithm(quick(name), problem, evaluations=16 if name in QUICK_SETTINGS else 40)


@pytest.mark.parametrize("name", NAMES)
def test_limits_that_nothing_meets_are_an_error_that_names_them(name: str) -> None:
    problem = toy_problem(2, ["params <= 1"])
    algorithm = ALGORITHMS[name](problem, np.random.default_rng(0))
    with pytest.raises(InfeasibleError, match="params <= 1"):
        algorithm.ask(1)


@pytest.mark.parametrize("name", NAMES)
def test_architectures_of_unrequested_results_are_not_asked(name: str) -> None:
    problem = toy_problem(2, space=ToySpace((3, 3)))
    algorithm = ALGORITHMS[name](problem, np.random.default_rng(0))
    known = [Architecture("toy", (1, 0)), Architecture("toy", (2, 1))]
    algorithm.tell([answer(problem, a) for a in known])
    assert not set(algorithm.ask(100)) & set(known)


@pytest.mark.parametrize("name", NAMES)
def test_default_settings_leave_room_for_a_search(name: str) -> None:
    cls = ALGORITHMS[name]
    for m in (1, 2, 3):
        algorithm = cls(toy_problem(m), np.random.default_rng(0), cls.default_settings(m, 100))
        assert algorithm.initial <= 50


@pytest.mark.parametrize("name", [name for name in NAMES if name != "random"])
def test_an_error_far_better_than_random_is_found(name: str) -> None:
    problem = toy_problem(1, space=ToySpace((5,) * 8))
    best = {}
    evaluations = 40 if name in QUICK_SETTINGS else 300
    for each in (name, "random"):
        cls = ALGORITHMS[each]
        found = []
        for seed in range(3):
            settings = QUICK_SETTINGS.get(each, cls.default_settings(1, evaluations))
            algorithm = cls(problem, np.random.default_rng(seed), settings)
            errors = []
            for i in range(evaluations):
                (architecture,) = algorithm.ask(1)
                error = toy_error(Trial(i, architecture, 0))["error"]
                errors.append(error)
                algorithm.tell([Observation(architecture, np.array([error]), 0.0, ok=True)])
            found.append(min(errors))
        best[each] = float(np.median(found))
    assert best[name] < 0.9 * best["random"]


def test_settings_out_of_range_name_the_parameter() -> None:
    for name in NAMES:
        settings = ALGORITHMS[name].Settings
        for field in ("population", "sample", "starts", "mutants"):
            if field in settings.__dataclass_fields__:
                with pytest.raises(ConfigError, match=field):
                    settings(**{field: 0})


# -- the checks themselves: each broken component below breaks one promise -----------------------------------


class _Wrapped(Algorithm):
    """Random search, to be broken by subclasses."""

    Settings = RandomSearch.Settings

    def __init__(self, problem: Any, rng: np.random.Generator, settings: Any = None) -> None:
        self.problem, self.rng = problem, rng
        self.inner = RandomSearch(problem, rng)

    def ask(self, n: int) -> list[Architecture]:
        return self.inner.ask(n)

    def tell(self, observations: Sequence[Observation]) -> None:
        self.inner.tell(observations)


class _Repeats(_Wrapped):
    def ask(self, n: int) -> list[Architecture]:
        return [self.problem.space.canonical(self.problem.space.sample(self.rng)) for _ in range(n)]


class _AsksTooMany(_Wrapped):
    def ask(self, n: int) -> list[Architecture]:
        return self.inner.ask(n + 1)


class _IgnoresTheGenerator(_Wrapped):
    def __init__(self, problem: Any, rng: np.random.Generator, settings: Any = None) -> None:
        super().__init__(problem, np.random.default_rng(0))


class _UsesGlobalRandomness(_Wrapped):
    def __init__(self, problem: Any, rng: np.random.Generator, settings: Any = None) -> None:
        super().__init__(problem, np.random.default_rng(np.random.randint(2**31)))  # noqa: NPY002


class _NotCanonical(_Wrapped):
    def ask(self, n: int) -> list[Architecture]:
        return [Architecture("toy", (*a.genes[:-1], 1)) if a.genes[0] == 0 else a for a in self.inner.ask(n)]


class _IgnoresLimits(_Wrapped):
    def __init__(self, problem: Any, rng: np.random.Generator, settings: Any = None) -> None:
        super().__init__(problem, rng)
        self.inner._candidates = Candidates(toy_problem(problem.n_objectives, space=problem.space), rng)


class _FallsOverFailures(_Wrapped):
    def tell(self, observations: Sequence[Observation]) -> None:
        if not all(o.ok for o in observations):
            raise AssertionError("a failure was told")


class _GivesUp(_Wrapped):
    def ask(self, n: int) -> list[Architecture]:
        return self.inner.ask(n) if len(self.inner._candidates.seen) < 5 else []


class _ForgetsToRecall(_Wrapped):
    def recall(self, architecture: Architecture | None) -> None:
        pass


class _NotesTwice(_Wrapped):
    def notes(self) -> list[Note]:
        return [Note(0, "said", {})]


class _NotesTheFuture(_Wrapped):
    def __init__(self, problem: Any, rng: np.random.Generator, settings: Any = None) -> None:
        super().__init__(problem, rng, settings)
        self._notes = [Note(3, "said", {})]

    def notes(self) -> list[Note]:
        given, self._notes = self._notes, []
        return given


class _NotesAnArray(_NotesTheFuture):
    def __init__(self, problem: Any, rng: np.random.Generator, settings: Any = None) -> None:
        super().__init__(problem, rng, settings)
        self._notes = [Note(0, "said", {"scores": np.zeros(3)})]  # type: ignore[dict-item]


class _Recalls(_Wrapped):
    """Keeps both promises."""

    def recall(self, architecture: Architecture | None) -> None:
        self.inner.ask(1)

    def notes(self) -> list[Note]:
        return []


def test_an_algorithm_that_recalls_and_notes_as_it_should_passes() -> None:
    check_algorithm(_Recalls, evaluations=60)


class _Writes(_Wrapped):
    def tell(self, observations: Sequence[Observation]) -> None:
        for o in observations:
            np.multiply(o.objectives, 2.0, out=o.objectives)


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (_Repeats, "a second time"),
        (_AsksTooMany, "must return an empty list|returned"),
        (_IgnoresTheGenerator, "two seeds gave the same asks"),
        (_UsesGlobalRandomness, "same seed and the same results"),
        (_NotCanonical, "not canonical"),
        (_IgnoresLimits, "violates a limit"),
        (_FallsOverFailures, "a failure was told"),
        (_GivesUp, "still unseen"),
        (_Writes, "changed an observation"),
        (_ForgetsToRecall, "recall must restore the state after those asks"),
        (_NotesTwice, "the same notes twice"),
        (_NotesTheFuture, "told=3 results; expected at most 0"),
        (_NotesAnArray, "expected plain text, a number"),
    ],
)
def test_a_broken_algorithm_is_noticed(broken: type[Algorithm], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_algorithm(broken, evaluations=60)


@pytest.mark.parametrize("space", [ToySpace(), NASBench201()], ids=lambda s: s.name)
def test_a_good_space_passes(space: SearchSpace) -> None:
    check_space(space)


def test_a_space_whose_isomorphs_differ_slightly_in_cost_passes_with_a_tolerance() -> None:
    check_space(NASBench101(), same_cost=False)
    with pytest.raises(AssertionError, match="cost differs"):
        check_space(NASBench101())


def _broken_space(**methods: Any) -> SearchSpace:
    return type("Broken", (ToySpace,), methods)()


def _shift(self: Any, architecture: Architecture) -> Architecture:
    genes = architecture.genes
    return Architecture("toy", ((genes[0] + 1) % 3, *genes[1:-1], genes[-1] or 1))


@pytest.mark.parametrize(
    ("methods", "sentence"),
    [
        ({"name": ""}, "name is empty"),
        ({"canonical": _shift}, "not idempotent|is_valid is False"),
        ({"format": lambda self, a: "1, 2"}, "without spaces"),
        ({"parse": lambda self, text: Architecture("toy", (1, 2, 3, 0, 0, 1))}, "does not invert format"),
        ({"encode": lambda self, archs: np.full((len(archs), 2), np.nan)}, "not finite"),
        ({"encode": lambda self, archs: np.zeros(3)}, "shape"),
        (
            {"encode": lambda self, archs: np.full((len(archs), 1), float(len(archs)))},
            "depends on the others",
        ),
        ({"cost": lambda self, a: {"params": 1.0}}, "lacks madds"),
        ({"cost": lambda self, a: {"params": math.inf, "madds": 1.0}}, "finite number"),
        ({"cost": lambda self, a: {"params": a.genes[-1], "madds": 1.0}}, "cost differs"),
        ({"is_valid": lambda self, a: True}, "is_valid accepts"),
        ({"mutate": lambda self, a, rng: a, "crossover": lambda self, a, b, rng: a}, "mutate never changed"),
        (
            {
                "mutate": lambda self, a, rng: Architecture("toy", (2,) * 6),
                "crossover": lambda self, a, b, rng: a,
            },
            "is_valid is False",
        ),
        ({"sample": lambda self, rng: Architecture("toy", (1,) * 6)}, "is_valid is False"),
        ({"sample": lambda self, rng: Architecture("toy", tuple(np.arange(6) % 3))}, "plain Python ints"),
        ({"enumerate": lambda self: iter([Architecture("toy", (1, 0, 0, 0, 0, 0))] * 2)}, "twice"),
    ],
)
def test_a_broken_space_is_noticed(methods: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_space(_broken_space(**methods))


def test_a_good_objective_passes_and_a_broken_one_is_noticed() -> None:
    space = ToySpace()
    check_objective(Objective("params", cheap=True), space)
    check_objective(Objective("sum", function=lambda a: sum(a.genes), cheap=True), space)
    with pytest.raises(AssertionError, match="finite number"):
        check_objective(Objective("x", function=lambda a: math.nan), space)
    draws = iter(range(100))
    with pytest.raises(AssertionError, match=r"cannot be sent|exact"):
        check_objective(Objective("x", function=lambda a: next(draws), cheap=True), space)
    with pytest.raises(AssertionError, match="no 'latency'"):
        check_objective(Objective("latency", cheap=True), space)


def test_a_good_evaluator_passes_and_a_broken_one_is_noticed() -> None:
    space = ToySpace()
    check_evaluator(toy_error, space, required=["error"])
    with pytest.raises(AssertionError, match="lacks latency"):
        check_evaluator(toy_error, space, required=["latency"])
    with pytest.raises(AssertionError, match="finite number"):
        check_evaluator(lambda trial: {"error": math.inf}, space)
    with pytest.raises(AssertionError, match="mapping"):
        check_evaluator(lambda trial: 3.0, space)  # type: ignore[arg-type,return-value]
    with pytest.raises(AssertionError, match="cannot be sent to a worker"):
        check_evaluator(lambda trial, lock=threading.Lock(): {"error": 1.0}, space)  # noqa: B008
