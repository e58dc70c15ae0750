"""The command line in this process."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from typer.main import get_command as _build


@dataclass(frozen=True)
class Done:
    """Exit code, stdout and stderr of a command."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The message of a failed command, without its line ends."""
        return " ".join(self.err.split())

    @property
    def all(self) -> tuple[int, str]:
        """The exit code, and everything printed, on one line."""
        return self.code, " ".join((self.out + self.err).split())


def nas_in(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """A function that runs `nas` with arguments, like its console script."""
    monkeypatch.setattr("typer.main.get_command", built)

    def run(*arguments: str) -> Done:
        from nas.cli import main

        monkeypatch.setattr(sys, "argv", ["nas", *arguments])
        capsys.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        said = capsys.readouterr()
        assert isinstance(code, int)
        return Done(code, said.out, said.err)

    return run


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts, also in a background job, which ignores it. SIGTERM does nothing until a search handles it, else it ends the tests.

    Both are handled as before afterwards.
    """
    ours = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_IGN}
    before = {number: signal.signal(number, handler) for number, handler in ours.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@cache
def built(app: Any) -> Any:
    """The commands of an app, built once a process: building takes several times as long as a small command."""
    return _build(app)
