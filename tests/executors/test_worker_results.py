"""What `run_trial` makes of everything an evaluator may do."""

from __future__ import annotations

import errno
import signal
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nas.core.records import Architecture, Status, Trial
from nas.executors.worker import ERROR_LIMIT, run_trial

TRIAL = Trial(3, Architecture("toy", (1, 2)), seed=7)


def returning(value: Any) -> Callable[[Trial], Any]:
    return lambda trial: value


def raising(failure: BaseException) -> Callable[[Trial], Any]:
    def evaluate(trial: Trial) -> Any:
        raise failure

    return evaluate


@pytest.mark.parametrize(
    "value",
    [2, 2.0, np.float32(2), np.int64(2), np.array(2.0), np.array([[2.0]])],
    ids=["int", "float", "float32", "int64", "0-d array", "one element"],
)
def test_a_single_number_of_any_kind_becomes_a_float(value: Any) -> None:
    result = run_trial(returning({"error": value}), TRIAL)
    assert result.ok
    assert result.values == {"error": 2.0}
    assert type(result.values["error"]) is float


def test_a_tensor_of_one_element_becomes_a_float() -> None:
    torch = pytest.importorskip("torch")
    result = run_trial(returning({"error": torch.tensor(2.0, requires_grad=True)}), TRIAL)
    assert result.values == {"error": 2.0}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "error=nan"),
        (float("-inf"), "error=-inf"),
        (np.float64("nan"), "error=np.float64(nan)"),
        (10**400, "error=<int>"),
        (True, "error=True"),
        (np.bool_(True), "error=np.True_"),
        ("5", "error='5'"),
        (None, "error=None"),
        (1 + 2j, "error=(1+2j)"),
        ([1.0], "error=<list of length 1>"),
        (np.zeros((1000, 1000)), "error=<ndarray of shape (1000, 1000)>"),
    ],
    ids=lambda v: str(v)[:20],
)
def test_anything_but_a_finite_number_fails_and_the_reason_names_the_key(value: Any, said: str) -> None:
    result = run_trial(returning({"error": value}), TRIAL)
    assert result.status is Status.FAILED
    assert result.values == {}
    assert said in result.error
    assert "expected a finite number" in result.error
    assert len(result.error) < 200


@pytest.mark.parametrize("returned", [None, 3.0, [1, 2], "error"], ids=str)
def test_anything_but_a_mapping_fails(returned: Any) -> None:
    result = run_trial(returning(returned), TRIAL)
    assert result.status is Status.FAILED
    assert "expected a mapping" in result.error


def test_a_key_that_is_not_a_text_fails() -> None:
    assert "the key 3" in run_trial(returning({3: 1.0}), TRIAL).error


def test_a_missing_objective_is_named_with_the_nearest_key_that_arrived() -> None:
    result = run_trial(returning({"eror": 1.0, "loss": 2.0}), TRIAL, frozenset({"error"}))
    assert result.status is Status.FAILED
    assert "'error' missing" in result.error
    assert "'eror' may be meant for 'error'" in result.error


def test_further_numbers_are_kept() -> None:
    result = run_trial(returning({"error": 1.0, "loss": 2.0}), TRIAL, frozenset({"error"}))
    assert result.values == {"error": 1.0, "loss": 2.0}


def test_an_exception_becomes_one_line_with_the_place_below_it() -> None:
    result = run_trial(raising(ValueError("first\nsecond")), TRIAL)
    assert result.status is Status.FAILED
    first, *rest = result.error.splitlines()
    assert first == "ValueError: first second"
    assert any("raise failure" in line for line in rest)


def test_a_huge_message_and_a_deep_traceback_stay_short() -> None:
    def deep(trial: Trial, n: int = 50) -> Any:
        if n == 0:
            raise ValueError("long " * 10_000_000)
        return deep(trial, n - 1)

    assert 100 < len(run_trial(deep, TRIAL).error) <= ERROR_LIMIT


def test_an_exception_that_cannot_be_shown_is_still_only_a_failure() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert run_trial(raising(Broken()), TRIAL).error.startswith("Broken: ")


def test_leaving_the_interpreter_is_a_failure() -> None:
    assert run_trial(raising(SystemExit(3)), TRIAL).error.startswith("SystemExit: 3")


class OutOfMemoryError(RuntimeError):
    """Stands for torch.OutOfMemoryError, which is recognised by its name."""


@pytest.mark.parametrize(
    "failure",
    [
        MemoryError(),
        OutOfMemoryError("CUDA out of memory."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
        RuntimeError("std::bad_alloc"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
    ids=repr,
)
def test_every_way_of_running_out_of_memory_has_its_own_status(failure: Exception) -> None:
    assert run_trial(raising(failure), TRIAL).status is Status.OUT_OF_MEMORY


def ctrl_c(trial: Trial) -> Any:
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_passes_through() -> None:
    with pytest.raises(KeyboardInterrupt):
        run_trial(ctrl_c, TRIAL)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_result_has_its_times_and_worker() -> None:
    before = time.time()
    result = run_trial(lambda trial: time.sleep(0.02) or {"error": 1.0}, TRIAL, worker="here:1")
    assert result.worker == "here:1"
    assert before <= result.started < result.finished <= time.time() + 0.01
    assert result.seconds >= 0.02
    assert result.trial == TRIAL
