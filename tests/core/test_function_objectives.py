"""Plain functions as objectives, in Python and in a config."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from engine_parts import Grid

import nas
from nas.config.assemble import assemble
from nas.config.schema import check_config
from nas.core.errors import ConfigError
from nas.core.problem import Problem
from nas.executors import run_trial

pytestmark = pytest.mark.usefixtures("no_plots")


def distance(architecture: nas.Architecture) -> float:
    return float(sum((5 - g) ** 2 for g in architecture.genes))


def search(*objectives: Any, **changes: Any) -> nas.SearchResult:
    return nas.search(
        Grid(),
        list(objectives),
        **({"algorithm": "moead", **{"algorithm": "random", "budget": 12, "seed": 1} | changes}),
    )


def test_a_function_is_an_objective_under_its_own_name() -> None:
    found = search(distance, "params")
    assert list(found.front.columns) == ["architecture", "distance", "params"]
    assert found.summary["objectives"]["distance"] == {"unit": "", "maximize": False}
    genes = [tuple(map(int, text.split("-"))) for text in found.history["architecture"]]
    assert list(found.history["distance"]) == [distance(nas.Architecture("grid", g)) for g in genes]


def test_it_is_measured_so_one_that_raises_is_a_failed_candidate() -> None:
    def fragile(architecture: nas.Architecture) -> float:
        if architecture.genes[0] == 0:
            raise ValueError("nothing there")
        return 1.0

    found = search(fragile, "params", budget=30)
    assert set(found.history["status"]) == {"ok", "failed"}


def test_it_works_with_limits_rules_and_an_evaluator() -> None:
    found = search(
        distance, "error", evaluate=lambda trial: {"error": 1.0 + trial.id}, limits=["distance <= 80"],
        stop=[nas.Reached("distance <= 60")], budget=60,
    )  # fmt: skip
    assert (found.front["distance"] <= 80).all()


class Callable:
    def __call__(self, architecture: nas.Architecture) -> float:
        return 1.0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda architecture: 1.0, r"a lambda has no name; give it a name: nas.Objective\('name'"),
        (functools.partial(distance), "partial .* has no name; give it a name"),
        (Callable(), "Callable .* has no name; give it a name"),
        (Callable, "expected a name, a function of an Architecture, or an Objective, got the class Callable"),
        (7, "expected a name, a function of an Architecture, or an Objective, got int 7"),
        (None, "expected a name, a function of an Architecture, or an Objective, got NoneType None"),
    ],
)
def test_a_function_without_a_usable_name_is_refused_with_advice(given: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        search(given, "params")


def test_two_functions_of_one_name_and_a_reserved_name_are_refused() -> None:
    def seconds(architecture: nas.Architecture) -> float:
        return 1.0

    with pytest.raises(ConfigError, match="each name may appear once"):
        search(distance, distance)
    with pytest.raises(ConfigError, match="'seconds' is a reserved column"):
        search(seconds)
    with pytest.raises(ConfigError, match=r"objectives: expected a list, got .*alone"):
        nas.search(Grid(), distance, algorithm="moead")  # type: ignore[arg-type]


def config(tmp_path: Path, objective: Any) -> nas.Problem:
    (tmp_path / "mine.py").write_text(
        "import nas\nSIZE = 7\nclass Kind: pass\ndef wide(a): return float(max(a.genes))\n"
        "class Space(nas.SearchSpace):\n    name = 'mine'\n    cardinalities = (3, 3)\n"
    )
    values = {"space": "mine.py:Space", "objectives": [objective], "evaluator": None, "executor": "serial"}
    return assemble(check_config({**values, "algorithm": "random"}), tmp_path).problem


@pytest.mark.parametrize(
    "objective",
    ["mine.py:wide", {"name": "wide", "function": "mine.py:wide"}, {"name": "mine.py:wide", "unit": "px"}],
)
def test_a_config_names_a_function_and_its_column_is_what_follows_the_colon(
    objective: Any, tmp_path: Path
) -> None:
    made = config(tmp_path, objective).objectives[0]
    assert (made.name, made.cheap, made.maximize) == ("wide", False, False)
    assert made.unit == (objective.get("unit", "") if isinstance(objective, dict) else "")
    assert made.function is not None
    assert made.function(nas.Architecture("mine", (2, 1))) == 2.0


@pytest.mark.parametrize(("name", "what"), [("SIZE", "int"), ("Kind", "the class Kind")])
def test_a_config_that_names_something_else_is_refused(name: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=f"expected an Objective or a function of an Architecture, got {what}"
    ):
        config(tmp_path, f"mine.py:{name}")


def test_a_run_with_a_function_is_resumed(tmp_path: Path) -> None:
    search(distance, "params", out=tmp_path / "run")
    again = search(distance, "params", out=tmp_path / "run", resume=True, budget=15)
    assert len(again.history) == 15
    assert isinstance(again.front, pd.DataFrame)


@pytest.mark.parametrize(
    "evaluate",
    [
        lambda config: {"error": config["a"]},
        lambda config: {"error": config.a},
        lambda x: {"error": "a" in x},
    ],
    ids=["item", "attribute", "in"],
)
def test_an_evaluator_that_takes_the_trial_for_the_choices_is_told_so(evaluate: Any) -> None:
    space = nas.Space("one", a=nas.Choice(1, 2))
    measure = Problem(space, ["error"], evaluate).measure()
    failed = run_trial(measure, nas.Trial(0, space.parse("a=1"), 0))
    assert "Trial" in failed.error
    assert "name its argument c or choices" in failed.error
    assert Path(__file__).name in failed.error  # the traceback still shows the user's line


def test_another_error_of_an_evaluator_is_unchanged() -> None:
    space = nas.Space("one", a=nas.Choice(1, 2))
    measure = Problem(space, ["error"], lambda trial: {"error": trial.choices["a"].x}).measure()
    failed = run_trial(measure, nas.Trial(0, space.parse("a=1"), 0))
    assert failed.error.startswith("AttributeError: 'int' object has no attribute 'x'")
    assert "name its argument" not in failed.error
