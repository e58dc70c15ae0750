"""The question before importing code that a run's config names."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from nas.cli.console import output
from nas.runs.code_of_strangers import Ask


def asking() -> Ask | None:
    """The function that asks; None without an interactive terminal."""
    return _ask if sys.stdin.isatty() and output().is_terminal else None


def _ask(what: str, lines: Sequence[str]) -> bool:
    say = output().print
    say(f"{what} imports and runs code named in its config:")
    for line in lines:
        say(f"  {line}")
    return typer.confirm("Read it first. Import it?", default=False)
