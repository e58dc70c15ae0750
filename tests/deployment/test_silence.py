"""An export is silent in its own thread alone: another thread shows the progress of a search meanwhile."""

from __future__ import annotations

import logging
import sys
import threading

import pytest

from nas.deployment.onnx_file import silence


def in_another_thread(text: str) -> None:
    def speak() -> None:
        print(text)
        print(text, file=sys.stderr)
        logging.getLogger("nas.test").warning(text)

    thread = threading.Thread(target=speak)
    thread.start()
    thread.join()


def test_other_threads_print_and_log_during_an_export(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with silence():
        in_another_thread("progress")
        assert sys.stdout.isatty() is False
    assert capsys.readouterr() == ("progress\n", "progress\n")
    assert caplog.messages == ["progress"]


def test_its_own_thread_is_silent(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    torch_logger = logging.getLogger("torch.onnx.test")
    with silence():
        print("from torch")
        print("from torch", file=sys.stderr)
        torch_logger.error("from torch")
        logging.warning("from onnxruntime")
    print("after")
    torch_logger.error("after")
    assert capsys.readouterr() == ("after\n", "")
    assert caplog.messages == ["after"]


def test_without_a_standard_output_it_is_silent_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with silence():
        print("from torch")
        sys.stdout.flush()


def test_two_exports_at_once_leave_no_silence_behind(capsys: pytest.CaptureFixture[str]) -> None:
    began, ended = threading.Event(), threading.Event()

    def other() -> None:
        with silence():
            began.set()
            ended.wait(30)

    thread = threading.Thread(target=other)
    with silence():
        thread.start()
        assert began.wait(30)
    ended.set()
    thread.join()
    print("heard")
    assert capsys.readouterr().out == "heard\n"
