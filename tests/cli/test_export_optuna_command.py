"""`nas export-optuna` on the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


def test_a_run_is_exported_and_the_command_to_open_it_is_printed(folder: Path, nas_command) -> None:
    optuna = pytest.importorskip("optuna", reason="not installed: optuna")
    assert nas_command("search", "search.yaml", "--budget", "8").code == 0
    done = nas_command("export-optuna", "run", "sqlite:///study.db", "--name", "first")
    assert done.code == 0, done.err
    assert done.out == (
        "Study 'first' in sqlite:///study.db: 8 trials (8 complete)\nOpen it with: optuna-dashboard sqlite:///study.db\n"
    )
    assert len(optuna.load_study(study_name="first", storage="sqlite:///study.db").trials) == 8
    again = nas_command("export-optuna", "run", "sqlite:///study.db", "--name", "first")
    assert again.code == 2
    assert "--overwrite" in again.sentence
    assert (
        nas_command("export-optuna", "run", "sqlite:///study.db", "--name", "first", "--overwrite").code == 0
    )


def test_a_missing_optuna_is_one_sentence(folder: Path, nas_command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    done = nas_command("export-optuna", "run", "sqlite:///study.db")
    assert done.code == 2
    assert "pip install 'multiobjective-nas[optuna]'" in done.sentence
