"""The command line in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest


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
