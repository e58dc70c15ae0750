"""The commit of the engine that makes a row of results: the column `engine` of every table (`stale.py` reads it)."""

from __future__ import annotations

import subprocess
from pathlib import Path

ENGINE = (":/nas", ":/surrogates", ":/search_spaces")


def engine_commit() -> str:
    """Eight digits of the commit, with + if files of the engine have changed since; "unknown" without git."""
    commit = _git("rev-parse", "--short=8", "HEAD")
    return commit + ("+" if _git("status", "--porcelain", "--", *ENGINE) else "") if commit else "unknown"


def _git(*words: str) -> str:
    here = Path(__file__).resolve().parent
    try:
        done = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
