"""A further value beside good objectives never costs them: it is kept if it is a finite number, and left empty if not."""

from __future__ import annotations

import decimal
import fractions
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import nas
from nas.core.evaluator import Evaluate
from nas.core.records import RESERVED, Architecture, Result, Status, Trial
from nas.executors import EXECUTORS
from nas.executors.worker import run_trial
from nas.runs.history import read_history
from nas.testing.toy import ToySpace

pytestmark = pytest.mark.usefixtures("no_plots")

TRIAL = Trial(3, Architecture("toy", (1, 2)), seed=7)
ERROR = frozenset({"error"})


class Hostile:
    """An object each of whose methods raises."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __repr__(self) -> str:
        raise RuntimeError

    __float__ = __str__ = __bool__ = __len__ = __iter__ = __repr__  # type: ignore[assignment]


class Exits:
    def item(self) -> float:
        raise SystemExit


NO_NUMBERS: dict[str, Any] = {
    "nan": math.nan, "none": None, "text": "0.5", "bytes": b"1", "bool": True, "numpy bool": np.bool_(True), "inf": math.inf,
    "numpy nan": np.float32("nan"), "masked": np.ma.masked, "array": np.zeros((3, 4)), "empty array": np.zeros(0), "dict": {"a": 1}, "list": [1.0],
    "huge": 10**400, "complex": 1 + 2j, "real complex": 1 + 0j, "decimal nan": decimal.Decimal("sNaN"), "function": len,
    "class": int, "hostile": Hostile(), "exits": Exits(), "date": np.datetime64("2020-01-01"), "surrogate": "\ud800",
}  # fmt: skip
NUMBERS: dict[str, Any] = {
    "int": 2, "float": 2.0, "float32": np.float32(2), "int64": np.int64(2), "0-d": np.array(2.0), "one element": np.array([[2.0]]),
    "decimal": decimal.Decimal(2), "fraction": fractions.Fraction(4, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_a_further_value_that_is_not_finite_is_left_out_and_named(name: str) -> None:
    result = run_trial(lambda trial: {"error": 1.0, "extra": NO_NUMBERS[name], "loss": 2.0}, TRIAL, ERROR)
    assert result.ok
    assert result.values == {"error": 1.0, "loss": 2.0}
    assert result.error.startswith("left empty, expected a finite number: extra (")


@pytest.mark.parametrize("name", NUMBERS)
def test_every_kind_of_number_is_kept(name: str) -> None:
    result = run_trial(lambda trial: {"error": NUMBERS[name], "extra": NUMBERS[name]}, TRIAL, ERROR)
    assert result.values == {"error": 2.0, "extra": 2.0}
    assert result.error == ""


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_an_objective_that_is_not_finite_fails_the_trial_and_is_named(name: str) -> None:
    result = run_trial(lambda trial: {"error": NO_NUMBERS[name], "loss": 2.0}, TRIAL, ERROR)
    assert result.status is Status.FAILED
    assert "evaluate returned error=" in result.error


class Returns(Mapping[Any, Any]):
    """A mapping that fails when it is read."""

    def __getitem__(self, key: Any) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Any:
        raise RuntimeError("unreadable")

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (None, "None"), (0.5, "0.5"), ([("error", 1.0)], "<list of length 1>"), ("error", "'error'"), (Hostile(), "<Hostile>"),
        (Returns(), "items() fails with RuntimeError"), ({}, "no values at all"), (np.zeros((2, 2)), "<ndarray of shape (2, 2)>"),
        ({"eror": 1.0}, "'eror' may be meant for 'error'"), ({1: 2.0}, "no values at all; 'error' missing"),
        ((x for x in ()), "generator"), (Exception("no"), "Exception('no')"), ("x" * 10**6, "<str>"),
    ],
    ids=lambda v: type(v).__name__,
)  # fmt: skip
def test_a_value_that_is_not_a_mapping_with_the_objectives_fails_the_trial_and_is_named(
    returned: Any, said: str
) -> None:
    result = run_trial(lambda trial: returned, TRIAL, ERROR)
    assert result.status is Status.FAILED
    assert said in result.error
    assert len(result.error) < 300


def test_keys_of_any_kind_cost_no_objective() -> None:
    returned = {
        1: 2.0, None: 1.0, ("a",): 1.0, b"b": 1.0, "caf\udce9": 3.0, "a\0b": 4.0, "": 5.0, "x" * 1000: 6.0, np.str_("s"): 7.0,
        "error": 1.0,
    }  # fmt: skip
    result = run_trial(lambda trial: MappingProxyType(returned), TRIAL, ERROR)
    assert result.values["error"] == 1.0
    assert result.values[r"caf\xe9"] == 3.0
    assert result.values[r"a\x00b"] == 4.0
    assert result.values["s"] == 7.0
    assert max(map(len, result.values)) == 200
    assert "key 1 (not a text), key None (not a text)" in result.error


def odd(trial: Trial) -> dict[Any, Any]:
    numbered = list(NO_NUMBERS.values())
    return {
        "error": float(sum(trial.architecture.genes)),
        "extra": numbered[trial.id % len(numbered)],
        "caf\udce9": 1.0,
        "=1+1": 2.0,
        "[/d]": 3.0,
        3: 1.0,
        **dict.fromkeys(RESERVED, 4.0),
        "reported_seconds": 5.0,
    }


@pytest.mark.parametrize("executor", ["serial", "simulated"])
def test_a_search_keeps_every_objective_beside_any_extra_and_reports_omissions_once(
    executor: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings: dict[str, Any] = {"algorithm": "random", "executor": executor, "out": tmp_path / "run"}
    with caplog.at_level(logging.WARNING):
        found = nas.search(
            ToySpace(), ["error", "params"], odd, budget=44, **{"algorithm": "moead", **settings}
        )
    assert found.summary["failed"] == 0
    assert found.history["error"].notna().all()
    assert found.history["reported_seconds"].eq(5.0).all()
    assert found.history["reported_reported_seconds"].eq(4.0).all()
    assert found.history[r"caf\xe9"].eq(1.0).all()
    said = [record.message for record in caplog.records if "left empty" in record.message]
    assert 1 <= len(said) == len({text.partition("values")[2] for text in said}) <= len(NO_NUMBERS)
    again = nas.search(
        ToySpace(), ["error", "params"], odd, budget=46, resume=True, **{"algorithm": "moead", **settings}
    )
    assert again.summary["ok"] == 46
    assert (tmp_path / "run" / "history.parquet").is_file()


def test_extras_of_a_search_with_exact_objectives_alone_cost_nothing() -> None:
    found = nas.search(ToySpace(), ["params"], lambda trial: {"loss": math.nan}, algorithm="random", budget=4)
    assert found.summary["ok"] == 4


class Careless:
    """A custom executor without checks."""

    def __init__(self, evaluate: Evaluate, required: frozenset[str]) -> None:
        self._evaluate, self._results = evaluate, list[Result]()

    free = 1

    def submit(self, trial: Trial) -> None:
        values = {"error": 1.0, "loss": math.nan, "caf\udce9": 1.0} if trial.id else {"error": math.nan}
        self._results.append(Result(trial, Status.OK, values, worker="w\udce9\0"))

    def collect(self, timeout: float | None = None) -> list[Result]:
        found, self._results = self._results, []
        return found

    def close(self) -> None:
        pass


def test_what_an_executor_of_somebodys_own_returns_is_checked_too(tmp_path: Path) -> None:
    found = nas.search(
        ToySpace(),
        ["error"],
        lambda trial: {},
        algorithm="random",
        budget=10,
        executor=Careless,
        out=tmp_path / "run",
    )
    assert (found.summary["ok"], found.summary["failed"]) == (9, 1)
    assert set(found.history["worker"]) == {r"w\xe9\x00"}


def test_an_objective_with_a_function_beside_an_evaluator_that_returns_no_mapping_names_that() -> None:
    objective = nas.Objective("size", function=lambda architecture: 1.0)
    with pytest.raises(nas.NasError, match="evaluate returned None; expected a mapping"):
        nas.search(ToySpace(), ["error", objective], lambda trial: None, algorithm="random", budget=4)  # type: ignore[arg-type,return-value]


def test_a_log_with_a_name_that_an_earlier_version_could_not_read_is_read(tmp_path: Path) -> None:
    import sqlite3

    out = tmp_path / "run"
    nas.search(ToySpace(), ["error"], lambda t: {"error": 1.0}, algorithm="random", budget=4, out=out)
    with sqlite3.connect(out / "history.sqlite") as db:
        db.execute('UPDATE results SET "values" = ?', ('{"error": 1.0, "caf\\udce9": 2.0, "loss": NaN}',))
    frame, _ = read_history(out)
    assert r"caf\xe9" in frame.columns
    again = nas.search(
        ToySpace(), ["error"], lambda t: {"error": 1.0}, algorithm="random", budget=6, out=out, resume=True
    )
    assert again.summary["ok"] == 6


def test_ray_and_the_others_share_the_same_check() -> None:
    import ast
    import inspect

    import nas.executors.ray_worker as worker

    assert set(EXECUTORS) == {"serial", "ray", "simulated"}
    assert "run_trial" in {
        node.id for node in ast.walk(ast.parse(inspect.getsource(worker))) if isinstance(node, ast.Name)
    }
