"""No thread of ours ends in silence: the search gets the reason, and one bad result fails its trial alone. Without Ray."""

from __future__ import annotations

import os
import pickle
import queue
import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from ray_candidates import candidate

from nas.core.errors import ExecutorError
from nas.core.records import Result, Status
from nas.core.timer import RepeatingTimer
from nas.executors import RaySettings, ray_link
from nas.executors import ray as ray_executor
from nas.executors.ray_messages import Done, Room, Work, pack_report, status_of, unpack_report

PATIENCE_S = 60.0


class FakeLink:
    """A scripted bridge: `receive` returns, or raises, each message of the test."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self._coming: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def send(self, message: Any) -> None:
        self.sent.append(message)

    def answer(self, message: Any) -> None:
        self._coming.put(message)

    def receive(self, timeout: float | None = None) -> Any:
        message = self._coming.get()
        if isinstance(message, BaseException):
            raise message
        return message

    def close(self, wait_s: float = 0.0) -> None:
        self._coming.put(EOFError())

    def last_words(self) -> str:
        return "nothing"


@pytest.fixture
def bridge(monkeypatch: pytest.MonkeyPatch) -> FakeLink:
    link = FakeLink()
    monkeypatch.setattr(ray_executor, "connect", lambda *a, **k: (link, Room(2)))
    return link


def report(**changes: Any) -> bytes:
    values = {"status": Status.OK, "values": {"error": 1.5}, "seconds": 2.0, "worker": "host:1", **changes}
    return pack_report(Result(candidate("good"), **values))


def collected(executor: ray_executor.RayExecutor, count: int) -> list[Result]:
    results: list[Result] = []
    while len(results) < count:
        more = executor.collect(PATIENCE_S)
        assert more, "nothing came"
        results += more
    return results


class Explodes:
    def __reduce__(self) -> Any:
        return (_explode, ())


def _explode() -> None:
    raise ModuleNotFoundError("No module named 'only_on_the_worker'")


UNREADABLE = {
    "empty": b"",
    "no json": b"garbage",
    "cut": report()[:-5],
    "a pickle": pickle.dumps(Explodes()),
    "another version": b'{"status": "splendid", "values": {}}',
    "a list": b"[1]",
    "no number": report().replace(b"1.5", b'"x"'),
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_result_fails_its_trial_and_the_others_continue(name: str, bridge: FakeLink) -> None:
    executor = ray_executor.RayExecutor(lambda trial: {}, RaySettings())
    for number in range(2):
        executor.submit(candidate("good", number))
    bridge.answer(Done(0, UNREADABLE[name]))
    bridge.answer(Done(1, report()))
    bad, good = collected(executor, 2)
    assert (bad.trial.id, bad.status) == (0, Status.FAILED)
    assert "its worker's result cannot be read" in bad.error
    assert good == Result(candidate("good", 1), Status.OK, {"error": 1.5}, 2.0, worker="host:1")
    executor.close()


@pytest.mark.parametrize(
    "death",
    [
        pickle.UnpicklingError("invalid load key"),
        MemoryError(),
        SystemExit(1),
        RuntimeError("a fault of ours"),
        KeyError(7),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_ends_the_reading_thread_ends_the_search_with_its_reason(
    death: BaseException, bridge: FakeLink
) -> None:
    executor = ray_executor.RayExecutor(lambda trial: {}, RaySettings())
    executor.submit(candidate("good"))
    bridge.answer(death)
    for _ in range(2):  # and again, for whoever asks again
        with pytest.raises(ExecutorError, match=rf"{type(death).__name__}.*--resume"):
            executor.collect(PATIENCE_S)
    executor.close()


def test_a_result_before_the_end_of_the_thread_is_delivered_first(bridge: FakeLink) -> None:
    executor = ray_executor.RayExecutor(lambda trial: {}, RaySettings())
    for number in range(2):
        executor.submit(candidate("good", number))
    bridge.answer(Done(0, report()))
    bridge.answer(RuntimeError("a fault of ours"))
    assert collected(executor, 1)[0].trial.id == 0
    with pytest.raises(ExecutorError, match="a fault of ours"):
        executor.collect(PATIENCE_S)
    executor.close()


def test_a_reading_thread_that_is_gone_without_a_word_is_noticed(
    bridge: FakeLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_executor.RayExecutor, "_read", lambda self: None)
    executor = ray_executor.RayExecutor(lambda trial: {}, RaySettings())
    executor.submit(candidate("good"))
    with pytest.raises(ExecutorError, match="ended without a reason"):
        executor.collect(PATIENCE_S)
    executor.close()


def test_no_folder_is_left_when_ray_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def connect(start: Any, *more: Any, **named: Any) -> None:
        made.append(start.folder)
        raise ExecutorError("no Ray here")

    monkeypatch.setattr(ray_executor, "connect", connect)
    with pytest.raises(ExecutorError, match="no Ray here"):
        ray_executor.RayExecutor(lambda trial: {}, RaySettings())
    assert made[0] is not None
    assert not os.path.lexists(made[0])


def test_a_report_holds_plain_texts_and_numbers_only() -> None:
    class Key(str):
        def __str__(self) -> str:
            return self

    result = Result(
        candidate("good"),
        Status.OK,
        {Key("error"): 0.1, "nan": float("nan")},
        1.0,
        "caf\udce9",
        "w",
        2.0,
        3.0,
    )
    again = unpack_report(pack_report(result), result.trial)
    assert [type(key) for key in again.values] == [str, str]
    assert again.values["error"] == 0.1
    assert again.error == result.error
    assert status_of(pack_report(result)) is Status.OK


# the timers and the watch


@pytest.mark.parametrize(
    "error", [SystemExit(3), GeneratorExit(), KeyboardInterrupt(), ValueError("x")], ids=repr
)
def test_nothing_that_a_timer_calls_ends_its_thread(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    calls, again = [], threading.Event()

    def act() -> None:
        calls.append(1)
        if len(calls) > 2:
            again.set()
        raise error

    timer = RepeatingTimer(0.001, act)
    timer.start()
    assert again.wait(PATIENCE_S)
    timer.stop()
    assert len([r for r in caplog.records if type(error).__name__ in r.getMessage()]) == 1


def test_a_question_to_ray_that_fails_does_not_end_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    from nas.executors import ray_watch

    answered, reasons = threading.Event(), []
    asked: list[int] = []

    def nodes() -> Sequence[Any]:
        asked.append(1)
        if len(asked) < 3:
            watch.wake()
            raise SystemExit("a fault")
        return [SimpleNamespace(id="me")]

    context = SimpleNamespace(get_node_id=lambda: "me")
    monkeypatch.setattr(ray_watch.ray, "get_runtime_context", lambda: context)
    monkeypatch.setattr(ray_watch, "alive_nodes", nodes)
    monkeypatch.setattr(ray_watch, "_EVERY_S", 0.01)
    watch: Any = SimpleNamespace(wake=lambda: None)
    watch = ray_watch.Watch(lambda *answer: answered.set(), reasons.append)
    assert answered.wait(PATIENCE_S)
    watch.stop()
    assert len(reasons) == 2
    assert "SystemExit" in reasons[0]


@pytest.mark.parametrize("failing", [OSError(), ValueError("cannot be sent")])
def test_the_bridge_ends_when_it_cannot_pass_on_its_last_word(
    failing: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nas.executors import ray_bridge
    from nas.executors.ray_messages import Failed

    class Exited(BaseException):
        pass

    def leave(code: int) -> None:
        raise Exited

    def send(message: Any) -> None:
        raise failing

    monkeypatch.setattr(ray_bridge.os, "_exit", leave)
    deliver: Callable[[Any], None] = ray_bridge._ending_with_the_cluster(send)
    with pytest.raises(Exited):
        deliver(Failed("over"))


def test_the_words_of_a_bridge_that_wrote_gigabytes_are_read_from_their_end(tmp_path) -> None:
    link = ray_link.Link.__new__(ray_link.Link)
    with (tmp_path / "errors").open("wb+") as file:
        file.seek(3 * 2**30)  # a hole
        file.write(b"\nthe last line\n")
        file.flush()
        link._errors = file
        assert link.last_words() == "the last line"
    (tmp_path / "errors").unlink()


def test_work_is_sent_with_the_trial_that_its_result_is_given_back_with(bridge: FakeLink) -> None:
    executor = ray_executor.RayExecutor(lambda trial: {}, RaySettings())
    trial = candidate("good", 7)
    executor.submit(trial)
    assert isinstance(bridge.sent[0], Work)
    bridge.answer(Done(7, report()))
    assert collected(executor, 1)[0].trial is trial
    executor.close()
