"""Candidates that a separate process would contain, in the search's own process and in its threads."""

from __future__ import annotations

import logging
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from nas.core.records import Architecture, Result, Status, Trial
from nas.executors import EXECUTORS, SerialExecutor, SerialSettings

PATIENCE_S = 60.0


def trial(number: int) -> Trial:
    return Trial(number, Architecture("toy", (number,)), seed=number)


def run(name: str, evaluate: Callable[[Trial], Any], count: int = 2, settings: Any = None) -> list[Result]:
    executor = EXECUTORS[name](evaluate, settings)
    for number in range(count):
        executor.submit(trial(number))
    results: list[Result] = []
    while len(results) < count:
        results += executor.collect()
    executor.close()
    return results


@pytest.mark.parametrize("name", ["serial", "simulated"])
@pytest.mark.parametrize("swallowed", [False, True])
def test_a_candidate_that_ends_its_process_is_lost_as_on_ray_and_the_next_one_runs(
    name: str, swallowed: bool
) -> None:
    def evaluate(trial: Trial) -> Mapping[str, float]:
        if trial.id == 0:
            try:
                os._exit(3)
            except BaseException:
                if not swallowed:
                    raise
        return {"error": 1.0}

    before = os._exit
    lost, good = run(name, evaluate)
    assert (lost.status, lost.values) == (Status.LOST, {})
    assert "os._exit(3)" in lost.error
    assert good.ok
    assert os._exit is before


def test_a_child_that_a_candidate_forks_may_end_in_any_way() -> None:
    def evaluate(trial: Trial) -> Mapping[str, float]:
        child = os.fork()
        if child == 0:
            os._exit(7)
        return {"error": float(os.WEXITSTATUS(os.waitpid(child, 0)[1]))}

    assert [r.values for r in run("serial", evaluate)] == [{"error": 7.0}] * 2


def test_a_pool_of_processes_inside_a_candidate_works() -> None:
    def evaluate(trial: Trial) -> Mapping[str, float]:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return {"error": float(pool.apply(abs, (-2,)))}

    assert run("serial", evaluate, count=1)[0].values == {"error": 2.0}


# the time limit outside the main thread


def in_a_thread(call: Callable[[], list[Result]]) -> list[Result]:
    found: list[Result] = []
    thread = threading.Thread(target=lambda: found.extend(call()))
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    return found


def spins(trial: Trial) -> Mapping[str, float]:
    give_up = time.monotonic() + (PATIENCE_S if trial.id == 0 else 0.0)
    while time.monotonic() < give_up:
        try:
            sum(range(100))
        except Exception:  # as careless evaluators do
            continue
    return {"error": 1.0}


def test_a_time_limit_holds_in_a_thread_too_and_its_limits_are_reported_first(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said: list[int] = []

    def evaluate(trial: Trial) -> Mapping[str, float]:
        said.append(len([r for r in caplog.records if "timeout_s=0.05" in r.getMessage()]))
        return spins(trial)

    with caplog.at_level(logging.WARNING, "nas"):
        late, good = in_a_thread(lambda: run("serial", evaluate, settings=SerialSettings(timeout_s=0.05)))
    assert late.status is Status.TIMEOUT
    assert good.ok
    assert said[0] == 1
    assert "does not run in the main thread" in caplog.text


def test_a_wait_in_a_thread_has_timed_out_when_it_is_over() -> None:
    def evaluate(trial: Trial) -> Mapping[str, float]:
        if trial.id == 0:
            time.sleep(0.3)
        return {"error": 1.0}

    late, good = in_a_thread(lambda: run("serial", evaluate, settings=SerialSettings(timeout_s=0.05)))
    assert late.status is Status.TIMEOUT
    assert good.ok


def test_a_limit_that_ends_just_as_the_candidate_does_never_escapes_in_a_thread() -> None:
    def evaluate(trial: Trial) -> Mapping[str, float]:
        give_up = time.monotonic() + 0.001
        while time.monotonic() < give_up:
            pass
        return {"error": 1.0}

    results = in_a_thread(lambda: run("serial", evaluate, 300, SerialSettings(timeout_s=0.001)))
    assert {r.status for r in results} <= {Status.OK, Status.TIMEOUT}
    assert len(results) == 300


def test_in_the_main_thread_nothing_is_said_of_the_limit(caplog: pytest.LogCaptureFixture) -> None:
    SerialExecutor(spins, SerialSettings(timeout_s=5.0))
    assert caplog.text == ""


# what candidates leave behind

LEAVES = """
import multiprocessing, subprocess, sys, threading, time

def sleep():
    time.sleep(600)

def evaluate(trial):
    if trial.id == 0:
        threading.Thread(target=sleep, name="left-behind").start()
        multiprocessing.get_context("fork").Process(target=sleep).start()
        print("CHILD", subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"]).pid, flush=True)
    return {"error": float(sum(trial.architecture.genes))}
"""
SPACE = """
import nas

class Space(nas.SearchSpace):
    name = "small"
    cardinalities = (3, 3)

    def cost(self, architecture):
        return {"params": 1.0 + architecture.genes[0], "madds": 1.0}
"""
NAS = "import sys; from nas.cli import main; sys.argv[0] = 'nas'; main()"


ENDING = """
import multiprocessing, subprocess, sys, threading, time
import nas.core.leftovers as leftovers
leftovers._EVALUATES, leftovers._GRACE_S = ("sys",), 0.05

if __name__ == "__main__":
    left = leftovers.Leftovers()
    print("work is done")
    if sys.argv[1] in ("thread", "both"):
        threading.Thread(target=time.sleep, args=(600,), name="left-behind").start()
    if sys.argv[1] in ("process", "both"):
        multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,)).start()
    if sys.argv[1] == "callback":
        with leftovers.children_stay():
            child = subprocess.Popen(["sleep", "600"])
    try:
        sys.exit(3)
    finally:
        left.end()
        if sys.argv[1] == "callback":
            assert child.poll() is None
            child.kill()
"""


@pytest.mark.parametrize("what", ["thread", "process", "both", "callback", "nothing"])
def test_leftovers_are_named_and_ended_and_the_exit_code_stays(what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDING, what], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert (done.returncode, done.stdout) == (3, "work is done\n"), done.stderr
    assert ("the thread 'left-behind'" in done.stderr) == (what in ("thread", "both"))
    assert ("process " in done.stderr) == (what in ("process", "both"))
    assert (done.stderr == "") == (what in ("callback", "nothing"))


@pytest.mark.slow
def test_the_command_ends_though_candidates_left_threads_and_processes_and_these_end_with_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine.py").write_text(SPACE + LEAVES)
    config = (
        "space: mine.py:Space\nevaluator: mine.py:evaluate\nexecutor: serial\nalgorithm: random\nbudget: 3\n"
    )
    (tmp_path / "search.yaml").write_text(config + "objectives: [error, params]\nout: run\n")
    done = subprocess.run(
        [sys.executable, "-c", NAS, "search", "search.yaml"],
        cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "3 evaluated, 0 failed" in done.stdout
    assert "Ended leftovers of candidates: the thread 'left-behind', process " in done.stderr
    child = int(done.stdout.split("CHILD ")[1].split()[0])
    give_up = time.monotonic() + PATIENCE_S
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < give_up
        time.sleep(0.01)
