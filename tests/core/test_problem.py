"""Signs, limits and mismatched parts of a problem."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from torch_space import small_convnets

from nas.core.errors import ConfigError
from nas.core.objectives import Limit, Objective
from nas.core.problem import Problem
from nas.core.records import Architecture, Result, Status, Trial
from nas.core.space import SearchSpace
from nas.testing import ToySpace, toy_error, toy_problem

ARCHITECTURE = Architecture("toy", (1, 2, 0, 0, 0, 0))  # params 13, madds 7


def told(problem: Problem, status: Status = Status.OK, **values: float) -> Any:
    return problem.observe(Result(Trial(0, ARCHITECTURE, 0), status, values))


def test_only_maximised_objectives_change_sign() -> None:
    problem = Problem(ToySpace(), ["accuracy", "params"], toy_error)
    seen = told(problem, accuracy=90.0, params=13.0)
    assert seen.objectives.tolist() == [-90.0, 13.0]
    assert seen.ok
    assert seen.violation == 0.0


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.OK], ids=lambda s: s.value)
def test_a_result_that_is_not_ok_has_no_numbers_to_learn_from(status: Status) -> None:
    seen = told(toy_problem(2), status, error=1.0, params=2.0)
    assert np.isnan(seen.objectives).all()
    assert seen.violation == math.inf
    assert not seen.ok


def test_the_violation_is_the_sum_of_relative_excesses() -> None:
    problem = toy_problem(3, ["error <= 10", "params >= 20", "madds <= 100"])
    seen = told(problem, error=15.0, params=13.0, madds=7.0)
    assert seen.violation == pytest.approx(0.5 + 0.35)


def test_a_limit_on_a_maximised_objective_is_in_the_users_direction() -> None:
    problem = Problem(ToySpace(), ["accuracy"], toy_error, ["accuracy >= 80"])
    assert told(problem, accuracy=90.0).violation == 0.0
    assert told(problem, accuracy=60.0).violation == pytest.approx(0.25)


def test_only_limits_on_cheap_objectives_are_checked_before_training() -> None:
    problem = toy_problem(3, ["error <= 0.1", "params <= 10"])
    assert problem.cheap_violation(ARCHITECTURE) == pytest.approx(0.3)
    assert toy_problem(3, ["error <= 0.1"]).cheap_violation(ARCHITECTURE) == 0.0


def test_cheap_objectives_are_known_and_the_others_are_nan_before_training() -> None:
    vector = toy_problem(3).cheap_objectives(ARCHITECTURE)
    assert math.isnan(vector[0])
    assert vector[1:].tolist() == [13.0, 7.0]


def test_measured_has_the_names_that_a_worker_must_return() -> None:
    problem = Problem(
        ToySpace(),
        ["error", "params", Objective("latency", "ms", function=len)],
        toy_error,  # type: ignore[arg-type]
    )
    assert problem.measured == {"error", "latency"}
    assert problem.names == ("error", "params", "latency")


def test_an_expensive_function_is_measured_beside_the_evaluator() -> None:
    depth = Objective("depth", function=lambda a: float(sum(a.genes)))
    values = Problem(ToySpace(), ["error", depth], toy_error).measure()(Trial(0, ARCHITECTURE, 0))
    assert values["depth"] == 3.0
    assert values["error"] > 0


def test_a_problem_of_functions_alone_needs_no_evaluator() -> None:
    depth = Objective("depth", function=lambda a: float(sum(a.genes)))
    assert Problem(ToySpace(), [depth, "params"]).measure()(Trial(0, ARCHITECTURE, 0)) == {"depth": 3.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"space": "toy"}, "space: expected a SearchSpace, got str"),
        ({"objectives": []}, "at least one"),
        ({"objectives": ["error", "error"]}, "each name may appear once"),
        ({"objectives": ["eror"]}, "did you mean 'error'"),
        ({"objectives": ["error"], "evaluate": None}, "needed to measure error"),
        ({"evaluate": 3}, "expected a callable, got int"),
        ({"limits": ["param <= 3"]}, "did you mean 'params'"),
        ({"limits": ["params < = 3"]}, "expected 'objective <= number'"),
        ({"limits": ["params <= nan"]}, "expected 'objective <= number'"),
        ({"limits": ["params <= 3T"]}, "expected 'objective <= number'"),
        ({"objectives": [Objective("status"), "params"]}, "choose another name"),
    ],
)
def test_mismatched_parts_are_an_error_that_names_them(arguments: dict[str, Any], message: str) -> None:
    whole = {"space": ToySpace(), "objectives": ["error", "params"], "evaluate": toy_error, **arguments}
    with pytest.raises(ConfigError, match=message):
        Problem(**whole)


def test_a_cheap_objective_without_a_cost_in_the_space_is_an_error() -> None:
    class Bare(SearchSpace):
        name = "bare"
        cardinalities = (2, 2)

    with pytest.raises(ConfigError, match="space 'bare' has none"):
        Problem(Bare(), ["params"])


def test_the_error_of_a_missing_cheap_objective_lists_the_costs() -> None:
    problem = Problem(ToySpace(), [Objective("latency", cheap=True)])
    with pytest.raises(ConfigError, match="it has params, madds"):
        problem.cheap_values(ARCHITECTURE)


@pytest.mark.parametrize("value", [math.nan, math.inf, "many", None])
def test_a_cheap_objective_that_is_not_finite_is_an_error_that_shows_it(value: Any) -> None:
    problem = Problem(ToySpace(), [Objective("size", function=lambda a: value, cheap=True)])
    with pytest.raises(ConfigError, match="expected a finite number for architecture 1-2-0-0-0-0"):
        problem.cheap_values(ARCHITECTURE)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("madds <= 300e6", Limit("madds", 3e8, upper=True)),
        ("madds<=300_000_000", Limit("madds", 3e8, upper=True)),
        ("  accuracy >= 75 ", Limit("accuracy", 75.0, upper=False)),
        ("params < 4e6", Limit("params", 4e6, upper=True)),
        ("x >= -2", Limit("x", -2.0, upper=False)),
        ("params <= 20k", Limit("params", 2e4, upper=True)),
        ("madds<=1.5 M", Limit("madds", 1.5e6, upper=True)),
        ("x >= 2G", Limit("x", 2e9, upper=False)),
    ],
)
def test_a_limit_is_read_from_its_text(text: str, limit: Limit) -> None:
    assert Limit.parse(text) == limit


def test_a_limit_of_zero_counts_the_excess_itself() -> None:
    assert Limit.parse("x <= 0").excess(3.0) == 3.0
    assert Limit.parse("x <= 0").excess(-3.0) == 0.0


@pytest.mark.parametrize("name", ["", "two words", "3d", "a-b"])
def test_an_objective_needs_a_name_that_can_be_a_column(name: str) -> None:
    with pytest.raises(ConfigError, match="names a column"):
        Objective(name)


def test_peak_activation_memory_is_an_entry_of_the_cost() -> None:
    problem = Problem(small_convnets(), ["activations"], limits=["activations <= 20000"])
    small, large = (
        problem.cheap_values(problem.space.parse(f"depth=1/stages.0.kernel=3/{rest}"))["activations"]
        for rest in ("width=4", "width=8/dropout=0.0")
    )
    assert small == 4 * (
        64 + 4 * 64 + 4
    )  # the image, a map of four channels (ReLU works in place) and its means
    assert small < large
    assert problem.objectives[0].unit == "bytes"
    with pytest.raises(ConfigError, match="'activations': the cost of space 'toy' has no such entry"):
        Problem(ToySpace(), ["activations"]).cheap_values(ARCHITECTURE)


def test_a_limit_on_a_cost_needs_no_objective() -> None:
    problem = Problem(ToySpace(), ["error"], toy_error, ["params <= 12", "error <= 50"])
    assert list(map(str, problem.limits)) == ["error <= 50"]
    assert list(map(str, problem.requirements)) == ["params <= 12"]
    assert problem.cheap_violation(ARCHITECTURE) == pytest.approx(1 / 12)
    assert problem.cheap_values(ARCHITECTURE) == {"params": 13.0}
    assert told(problem, error=40.0).violation == 0
    assert problem.why_excluded(ARCHITECTURE) == "params <= 12 (it has 13)"
    assert (problem.checked, problem.excluded) == (1, {"params <= 12": 1})
    assert problem.without_cheap_limits().cheap_violation(ARCHITECTURE) == 0


def test_a_limit_on_a_measured_value_needs_an_objective() -> None:
    with pytest.raises(ConfigError, match="'ort_latency' is not an objective of this search"):
        Problem(ToySpace(), ["error"], toy_error, ["ort_latency <= 5"])


@pytest.mark.parametrize("bound", [524288.0, 1234567.0, 3e8, 0.5, 1 / 3, 2.5e-7, 1e21])
def test_the_text_of_a_limit_has_its_bound(bound: float) -> None:
    limit = Limit("params", bound)
    assert Limit.parse(str(limit)) == limit


class Reasoned:
    """A cheap value with reasons."""

    def __call__(self, architecture: Architecture) -> float:
        return float(architecture.genes[1])

    def reasons(self, architecture: Architecture) -> list[str]:
        return ["the operator Resize", "the operator Erf"]


def test_the_reasons_of_an_exclusion_are_counted_each() -> None:
    lacking = Objective("lacking", function=Reasoned(), cheap=True)
    problem = Problem(ToySpace(), ["error"], toy_error, ["lacking <= 0"], quantities=[lacking])
    problem.cheap_values(ARCHITECTURE)
    problem.cheap_values(ARCHITECTURE)  # known
    problem.cheap_values(Architecture("toy", (0,) * 6))
    assert problem.checked == 2
    assert problem.excluded == {"the operator Resize": 1, "the operator Erf": 1}


def test_exclusions_of_the_problem_without_limits_count_too() -> None:
    problem = Problem(ToySpace(), ["error"], toy_error, ["params <= 12"])
    problem.without_cheap_limits().cheap_values(ARCHITECTURE)
    assert (problem.checked, problem.excluded) == (1, {"params <= 12": 1})


def test_architectures_without_exact_values_are_counted_by_kind() -> None:
    def size(architecture: Architecture) -> float:
        if architecture.genes[0]:
            raise IndexError(architecture.genes[0])
        return 1.0

    problem = Problem(ToySpace(), ["error", Objective("size", function=size, cheap=True)], toy_error)
    for first in (0, 1, 2):
        problem.cost_failure(Architecture("toy", (first, 0, 0, 0, 0, 0)))
    assert problem.checked == 3
    assert problem.excluded == {"objective 'size' fails (IndexError)": 2}
