"""Every exception of a candidate is a failed trial, on every executor in this process; only Ctrl-C is not."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.core.records import Architecture, Result, Status, Trial
from nas.core.text import printable, storable
from nas.executors import EXECUTORS
from nas.executors.worker import ERROR_LIMIT, run_trial
from nas.testing.toy import ToySpace

pytestmark = pytest.mark.usefixtures("no_plots")

TRIAL = Trial(3, Architecture("toy", (1, 2)), seed=7)


class Own(BaseException):
    pass


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise SystemExit(1)

    __repr__ = __str__


class Mute(Exception):
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]


class Endless(Exception):
    def __str__(self) -> str:
        return str(self)


class Impostor(Exception):
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no class")


class Stubborn(str):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class BadErrno(OSError):
    @property
    def errno(self) -> int:  # type: ignore[override]
        raise RuntimeError("no number")


def caused() -> BaseException:
    inner = ValueError("caf\udce9.png")
    outer = RuntimeError("training failed")
    outer.__cause__ = inner
    inner.__cause__ = outer  # a chain that bites its tail
    return outer


RAISED: dict[str, Callable[[], BaseException]] = {
    "a file name that is not UTF-8": lambda: ValueError("cannot decode " + os.fsdecode(b"caf\xe9.png")),
    "NUL": lambda: ValueError("a\0b"),
    "escape": lambda: ValueError("\x1b]0;owned\x07\u202e"),
    "cancelled": asyncio.CancelledError,
    "generator exit": GeneratorExit,
    "system exit": lambda: SystemExit("bye"),
    "own base exception": Own,
    "keyboard interrupt": KeyboardInterrupt,
    "stop iteration": lambda: StopIteration(3),
    "stop async iteration": StopAsyncIteration,
    "str raises": Unspeakable,
    "str returns a number": Mute,
    "str recurses": Endless,
    "class raises": Impostor,
    "message is a hostile text": lambda: ValueError(Stubborn("x")),
    "errno raises": BadErrno,
    "odd class name": lambda: type("bad\x1b[2J\nname", (Exception,), {})("x"),
    "empty class name": lambda: type("", (Exception,), {})("x"),
    "huge": lambda: ValueError("x" * 1_000_000),
    "many arguments": lambda: ValueError(*range(10_000)),
    "cause": caused,
}
if sys.version_info >= (3, 11):
    RAISED["group"] = lambda: builtins.ExceptionGroup("two", [ValueError("caf\udce9"), KeyError("b")])
    RAISED["base group"] = lambda: builtins.BaseExceptionGroup("two", [KeyboardInterrupt(), Own("b")])


def raising(make: Callable[[], BaseException]) -> Callable[[Trial], Any]:
    def evaluate(trial: Trial) -> Any:
        raise make()

    return evaluate


def check_failed(result: Result) -> None:
    assert result.status is Status.FAILED
    assert result.error
    assert len(result.error) <= ERROR_LIMIT
    assert storable(result.error) == result.error
    first = result.error.splitlines()[0]
    assert printable(first, newlines=False) == first


@pytest.mark.parametrize("name", RAISED)
def test_whatever_a_candidate_raises_is_a_failed_trial(name: str) -> None:
    check_failed(run_trial(raising(RAISED[name]), TRIAL))


@pytest.mark.parametrize("executor", ["serial", "simulated"])
def test_executors_in_this_process_give_a_failed_trial_for_every_exception(executor: str) -> None:
    for make in RAISED.values():
        made = EXECUTORS[executor](raising(make))
        made.submit(TRIAL)
        check_failed(made.collect()[0])
        made.close()


def test_the_reason_is_readable_and_names_causes_and_members() -> None:
    def reason(name: str) -> str:
        return run_trial(raising(RAISED[name]), TRIAL).error.splitlines()[0]

    assert reason("a file name that is not UTF-8") == r"ValueError: cannot decode caf\xe9.png"
    assert reason("keyboard interrupt") == "KeyboardInterrupt"
    assert reason("cause") == r"RuntimeError: training failed; caused by ValueError: caf\xe9.png"
    assert reason("odd class name") == r"bad\x1b[2J name: x"
    if sys.version_info >= (3, 11):
        assert r"in it ValueError: caf\xe9; in it KeyError" in reason("group")


def ctrl_c(trial: Trial) -> Any:
    signal.raise_signal(signal.SIGINT)


def swallowed(trial: Trial) -> Any:
    with contextlib.suppress(BaseException):
        ctrl_c(trial)
    return {"error": 1.0}


def renamed(trial: Trial) -> Any:
    try:
        ctrl_c(trial)
    except BaseException as error:
        raise ValueError("stopped") from error


@pytest.mark.parametrize("evaluate", [ctrl_c, swallowed, renamed])
def test_ctrl_c_interrupts_whatever_the_candidate_makes_of_it(evaluate: Callable[[Trial], Any]) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_trial(evaluate, TRIAL)


def test_a_handler_of_sigterm_that_exits_ends_the_program() -> None:
    def leave(number: int, frame: Any) -> None:
        raise SystemExit(7)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        with pytest.raises(SystemExit):
            run_trial(lambda trial: signal.raise_signal(signal.SIGTERM), TRIAL)
        assert signal.getsignal(signal.SIGTERM) is leave
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_a_thread_an_interrupt_is_somebodys_own_exception() -> None:
    found: list[Result] = []
    thread = threading.Thread(target=lambda: found.append(run_trial(raising(KeyboardInterrupt), TRIAL)))
    thread.start()
    thread.join()
    check_failed(found[0])


def every_kind(trial: Trial) -> dict[str, float]:
    kinds = list(RAISED.values())
    if trial.id % 3 == 0:
        raise kinds[trial.id // 3 % len(kinds)]()
    return {"error": float(sum(trial.architecture.genes))}


def test_a_search_with_every_exception_finishes_and_resumes(tmp_path: Path) -> None:
    out = tmp_path / "run"
    settings: dict[str, Any] = {"algorithm": "random", "out": out, "loop": nas.LoopSettings(max_failures=1.0)}
    first = nas.search(
        ToySpace(), ["error"], every_kind, budget=3 * len(RAISED), **{"algorithm": "moead", **settings}
    )
    assert first.state == "finished"
    assert first.summary["failed"] == len(RAISED)
    again = nas.search(
        ToySpace(),
        ["error"],
        every_kind,
        budget=3 * len(RAISED) + 2,
        resume=True,
        **{"algorithm": "moead", **settings},
    )
    assert again.summary["evaluations"] == 3 * len(RAISED) + 2
    frame, _ = nas.load_run(out)
    assert frame.frame["reason"].iloc[0] == first.history["reason"].iloc[0]


@pytest.mark.parametrize("error", [KeyboardInterrupt, asyncio.CancelledError, SystemExit, Own])
def test_a_cheap_objective_that_raises_names_itself(error: type[BaseException]) -> None:
    def cost(architecture: Architecture) -> float:
        raise error("inside")

    objective = nas.Objective("weight", cheap=True, function=cost)
    with pytest.raises(nas.NasError, match=f"objective 'weight': failed.*{error.__name__}: inside"):
        nas.search(ToySpace(), [objective, "error"], every_kind, algorithm="random", budget=3)


@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit, SystemExit, Own])
def test_a_callback_that_raises_anything_ends_nothing(error: type[BaseException]) -> None:
    def callback(state: nas.SearchState) -> None:
        raise error

    found = nas.search(
        ToySpace(),
        ["error"],
        lambda trial: {"error": 1.0},
        algorithm="random",
        budget=5,
        callbacks=[callback],
    )
    assert found.summary["evaluations"] == 5


@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit, SystemExit, Own])
def test_an_algorithm_that_raises_anything_leaves_a_run_that_can_be_read(
    error: type[BaseException], tmp_path: Path
) -> None:
    from nas.algorithms import ALGORITHMS

    class Breaks(ALGORITHMS["random"]):  # type: ignore[misc]
        asks = 0

        def ask(self, n: int) -> Any:
            self.asks += 1
            if self.asks > 12:
                raise error("inside")
            return super().ask(n)

    with pytest.raises(nas.NasError, match=f"{error.__name__}: inside"):
        nas.search(
            ToySpace(),
            ["error"],
            lambda trial: {"error": 1.0},
            algorithm=Breaks,
            budget=20,
            out=tmp_path / "run",
        )
    assert (tmp_path / "run" / "front.csv").is_file()
