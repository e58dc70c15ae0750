"""The question before importing code that a run's config names."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from nas.cli.console import output
from nas.core.errors import ConfigError
from nas.runs.code_of_strangers import Ask, allow

if TYPE_CHECKING:
    from nas.export.making import Run


def asking() -> Ask | None:
    """The function that asks; None without an interactive terminal."""
    return _ask if sys.stdin.isatty() and output().is_terminal else None


def read_run(folder: Path, trust: bool, command: str) -> Run:
    """Read a run for `command` after the user has allowed the code that its config names. Raises as `Run.read`."""
    from nas.core.trust import named_code
    from nas.export.load_network import run_config
    from nas.export.making import NAMED, Run

    try:
        config, base = run_config(folder)
    except ConfigError:  # started from Python: `Run.read` reports it
        return Run.read(folder)
    plain = config.model_dump(mode="json")
    named = named_code({key: plain[key] for key in (*NAMED, "target")}, base)
    with allow(named, trust=trust, what=f"{command} {folder}", ask=asking()):
        return Run.read(folder, trust=True)


def _ask(what: str, lines: Sequence[str]) -> bool:
    say = output().print
    say(f"{what} imports and runs code named in its config:")
    for line in lines:
        say(f"  {line}")
    return typer.confirm("Read it first. Import it?", default=False)
