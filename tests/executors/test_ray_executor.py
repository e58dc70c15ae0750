"""The Ray executor, with candidates that do everything a candidate should not."""

from __future__ import annotations

import importlib.util
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray_candidates import Candidates, CannotTravel, candidate

from nas.core.errors import ExecutorError
from nas.core.executor import Executor
from nas.core.records import Result, Status, Trial
from nas.executors import EXECUTORS, RaySettings, SerialExecutor, ship_by_value
from nas.executors.capacity import Node, Share, room

ray = pytest.importorskip("ray")

from nas.executors.ray import RayExecutor  # noqa: E402 (after the check that Ray is there)

MB = 2**20
ERROR = frozenset({"error"})


PATIENCE_S = 600.0  # far longer than anything takes on a busy machine
pytestmark = pytest.mark.timeout(900)


def run_all(executor: Executor, trials: list[Trial]) -> dict[int, Result]:
    """Results by trial id."""
    for trial in trials:
        executor.submit(trial)
    return collected(executor, len(trials))


def collected(executor: Executor, count: int) -> dict[int, Result]:
    """Results by trial id, as soon as this many arrived."""
    results: dict[int, Result] = {}
    give_up = time.monotonic() + PATIENCE_S
    while len(results) < count:
        assert time.monotonic() < give_up, f"only {sorted(results)} came back"
        results |= {result.trial.id: result for result in executor.collect(1.0)}
    return results


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """One cluster for the module; executors made while it is there use it and leave it open."""
    ray.init(
        address="local",
        num_cpus=4,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=100 * MB,
        _system_config={"prestart_worker_first_driver": False},  # for this process, which runs no task
    )
    yield
    ray.shutdown()


BAD = [
    *("own_base_exception", "interrupts", "cancelled", "no_utf8"),
    *("raises", "exits", "not_a_number", "wrong_keys", "text", "huge_array"),
    *("kills_itself", "dies_once", "prints"),
]
HANGING = ["hangs"]
GREEDY = ["fills_memory_at_once", "fills_memory_by_and_by"]


@pytest.fixture(scope="module")
def outcomes(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Result]]:
    """Every bad candidate once with a good one after it, all submitted together; results by name."""
    folder = tmp_path_factory.mktemp("candidates")
    free = RaySettings(workers=2, retries=1)
    limited = RaySettings(workers=1, timeout_s=6.0, memory_bytes=300 * MB)  # all but one take milliseconds
    by_name: dict[str, list[Result]] = {}
    running, first = [], 0
    for settings, bad in ((free, BAD), (limited, HANGING + GREEDY)):  # all at the same time
        executor = RayExecutor(Candidates(folder), settings, required=ERROR)
        names = [name for each in bad for name in (each, "good")]
        trials = [candidate(name, number) for number, name in enumerate(names, first)]
        first += len(names)
        for trial in trials:
            executor.submit(trial)
        running.append((executor, len(trials)))
    for executor, count in running:
        for result in collected(executor, count).values():
            by_name.setdefault(result.trial.architecture.space, []).append(result)
        executor.close()
    by_name["killed"] = [by_name["kills_itself"][0]] * len(list(folder.glob("killed-*")))
    return by_name


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("raises", Status.FAILED, "ValueError: no such layer"),
        ("exits", Status.FAILED, "SystemExit: 3"),
        ("own_base_exception", Status.FAILED, "Own: of its own"),
        ("interrupts", Status.FAILED, "KeyboardInterrupt: from inside"),
        ("cancelled", Status.FAILED, "CancelledError"),
        ("no_utf8", Status.FAILED, r"ValueError: cannot decode caf\xe9.png"),
        ("not_a_number", Status.FAILED, "error=nan"),
        ("wrong_keys", Status.FAILED, "'error' missing"),
        ("text", Status.FAILED, "error='5%'"),
        ("huge_array", Status.FAILED, "of shape (1000, 1000)"),
        ("hangs", Status.TIMEOUT, "timeout_s=6"),
        ("fills_memory_at_once", Status.OUT_OF_MEMORY, "Unable to allocate"),
        ("fills_memory_by_and_by", Status.OUT_OF_MEMORY, "MemoryError"),
        ("kills_itself", Status.LOST, "died 2 times (retries=1)"),
    ],
)
def test_a_bad_candidate_gets_its_status_and_reason(
    outcomes: dict[str, list[Result]], name: str, status: Status, said: str
) -> None:
    (result,) = outcomes[name]
    assert result.status is status
    assert said in result.error.splitlines()[0]
    assert result.values == {}


def test_the_good_candidates_among_them_are_unaffected(outcomes: dict[str, list[Result]]) -> None:
    assert len(outcomes["good"]) == len(BAD + HANGING + GREEDY)
    assert all(result.ok for result in outcomes["good"]), [r.error for r in outcomes["good"]]


def test_a_candidate_whose_worker_died_once_succeeds_at_the_second_attempt(
    outcomes: dict[str, list[Result]],
) -> None:
    assert outcomes["dies_once"][0].ok


def test_a_candidate_that_kills_its_worker_is_tried_as_often_as_the_retries_say(
    outcomes: dict[str, list[Result]],
) -> None:
    assert len(outcomes["killed"]) == 2


def test_the_reason_of_a_lost_candidate_has_the_end_of_its_output_and_nothing_of_earlier_ones(
    outcomes: dict[str, list[Result]],
) -> None:
    reason = outcomes["kills_itself"][0].error
    assert "before its end" in reason
    assert "xxxx" not in reason


def test_twenty_megabytes_of_prints_do_no_harm(outcomes: dict[str, list[Result]]) -> None:
    assert outcomes["prints"][0].ok


def test_every_result_has_its_worker_and_times(outcomes: dict[str, list[Result]]) -> None:
    for result in (r for name in BAD + HANGING + GREEDY for r in outcomes[name]):
        assert ":" in result.worker
        assert 0 < result.started <= result.finished


def test_serial_and_ray_give_the_same_values(outcomes: dict[str, list[Result]]) -> None:
    executor = SerialExecutor(Candidates(Path()), required=ERROR)
    serial = run_all(executor, [result.trial for result in outcomes["good"]])
    executor.close()
    for result in outcomes["good"]:
        assert result.values["error"] == serial[result.trial.id].values["error"]


def test_two_trials_run_at_the_same_time_and_closing_leaves_a_cluster_of_the_caller_open(
    cluster: None, tmp_path: Path
) -> None:
    executor = EXECUTORS["ray"](Candidates(tmp_path), RaySettings(workers=2))
    assert executor.free == 2
    results = run_all(executor, [candidate("meets_the_other", number) for number in range(2)])
    assert all(result.ok for result in results.values())
    assert executor.free == 2
    for number in range(2, 5):
        executor.submit(candidate("hangs", number))
    assert executor.free == 0
    assert executor.collect(timeout=0.05) == []
    executor.close()
    executor.close()
    assert executor.free == 0
    assert ray.is_initialized()
    with pytest.raises(ExecutorError, match="closed"):
        executor.submit(candidate("good"))


@pytest.mark.slow
def test_every_task_computes_with_one_thread(cluster: None, tmp_path: Path) -> None:
    executor = RayExecutor(Candidates(tmp_path), RaySettings(workers=1))
    names = ["threads", "threads"]
    results = run_all(executor, [candidate(name, number) for number, name in enumerate(names)])
    executor.close()
    first, second = results[0].values, results[1].values
    assert first["pid"] == second["pid"]  # the same process, whose count the first task had raised
    assert [v[key] for v in (first, second) for key in ("torch", "pools")] == [1, 1, 1, 1]


def test_a_module_loaded_from_a_path_is_sent_by_value(cluster: None, tmp_path: Path) -> None:
    file = tmp_path / "own_objectives.py"
    file.write_text("def helper(): return 42.0\ndef evaluate(trial): return {'error': helper()}\n")
    spec = importlib.util.spec_from_file_location("own_objectives", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ship_by_value(module)
    executor = RayExecutor(module.evaluate, RaySettings(workers=1))
    assert run_all(executor, [candidate("good")])[0].values == {"error": 42.0}
    executor.close()


def test_an_evaluator_that_workers_cannot_unpack_is_a_clear_error(cluster: None) -> None:
    executor = RayExecutor(CannotTravel(), RaySettings(workers=1))
    executor.submit(candidate("good"))
    with pytest.raises(ExecutorError, match="only_here"):
        executor.collect(PATIENCE_S)
    with pytest.raises(ExecutorError, match="only_here"):
        executor.collect(PATIENCE_S)
    executor.close()


def test_an_evaluator_that_cannot_be_pickled_is_a_clear_error(cluster: None) -> None:
    lock = threading.Lock()
    with pytest.raises(ExecutorError, match="picklable"):
        RayExecutor(lambda trial: {"error": float(lock.locked())}, RaySettings(workers=1))


def test_resources_beyond_the_cluster_are_refused_at_once(cluster: None) -> None:
    with pytest.raises(ExecutorError, match=r"which no machine has: .* 1 node\(s\) with 4 CPUs"):
        RayExecutor(Candidates(Path()), RaySettings(workers=1, cpus_per_trial=8))


def test_room_is_counted_on_single_nodes_not_on_their_sum() -> None:
    nodes = [Node("a", {"CPU": 3.0}), Node("b", {"CPU": 3.0, "GPU": 1.0})]
    assert room(nodes, Share(cpus=2)) == 2
    assert room(nodes, Share(cpus=0.5, gpus=0.25)) == 4
    assert room(nodes, Share(cpus=0.4)) == 12  # Ray gives no worker a part of two processors
    assert room(nodes, Share(gpus=1)) == 1
    assert room(nodes, Share(cpus=4)) == 0


@pytest.mark.slow
def test_more_workers_than_a_cluster_has_places_for_are_a_ceiling(cluster: None) -> None:
    executor = RayExecutor(Candidates(Path()), RaySettings(workers=9))
    assert executor.free == 4
    assert len(run_all(executor, [candidate("good", number) for number in range(8)])) == 8
    executor.close()
