"""Runs of earlier versions open, export and continue; one of a later version is refused.

`history_schema_N.sql` was written by the version that had schema N, and is never changed.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from engine_parts import QUICK_SETTINGS, Grid, quick

import nas
from nas.core.errors import HistoryError
from nas.core.records import Trial
from nas.report.run_tables import write_tables as export
from nas.runs.history import FILE, SCHEMA, read_notes

HERE = Path(__file__).parent
OBJECTIVES = ["error", "params", "madds"]
pytestmark = pytest.mark.usefixtures("no_plots")


@dataclass(frozen=True)
class Older:
    """The content of an old file, and the settings of its search."""

    evaluations: int
    front: list[str]
    notes: int
    search: Mapping[str, Any] = field(default_factory=dict)


OLDER = {
    1: Older(
        8,
        [
            "4-5-1-1-5-2",
            "0-0-5-4-5-3",
            "5-1-3-1-0-4",
            "2-3-4-5-0-0",
            "4-1-2-4-0-1",
            "0-2-5-0-2-2",
            "0-1-2-2-0-5",
        ],
        0,
        {"algorithm": "random"},
    ),
    2: Older(
        16,
        [
            "4-5-3-5-2-5",
            "5-2-3-4-5-2",
            "1-3-4-4-4-4",
            "1-2-4-3-3-4",
            "4-4-0-3-1-3",
            "4-2-4-5-0-1",
            "4-1-2-4-1-1",
            "4-0-0-0-5-1",
            "1-0-1-1-3-1",
            "1-0-0-0-3-0",
            "0-0-0-0-0-2",
            "0-0-0-0-0-0",
        ],
        2,
        {
            "algorithm": "sa-moead",
            "algorithm_settings": QUICK_SETTINGS["sa-moead"],
            "limits": ["params <= 34"],
        },
    ),
}
every = pytest.mark.parametrize("schema", OLDER)


def older(schema: int, folder: Path) -> Path:
    """A run folder that holds an old file, and nothing else."""
    folder.mkdir()
    db = sqlite3.connect(folder / FILE)
    db.executescript((HERE / f"history_schema_{schema}.sql").read_text())
    db.close()
    return folder


def go_on(run: Path, schema: int, more: int) -> nas.SearchResult:
    settings = OLDER[schema].search
    budget = OLDER[schema].evaluations + more
    return nas.search(
        Grid(),
        OBJECTIVES,
        quick,
        budget=budget,
        seed=1,
        out=run,
        resume=True,
        **{"algorithm": "moead", **settings},
    )


def test_there_is_an_old_file_of_every_format() -> None:
    assert set(OLDER) == set(range(1, SCHEMA + 1))


@every
def test_an_older_run_opens_as_it_was(schema: int, tmp_path: Path) -> None:
    table, meta = nas.load_run(older(schema, tmp_path / "run"))
    assert meta["schema"] == schema
    assert table.frame["status"].tolist() == ["ok", "ok", "failed", *["ok"] * (len(table.frame) - 3)]
    assert len(table.frame) == OLDER[schema].evaluations
    assert table.front["architecture"].tolist() == OLDER[schema].front
    assert len(read_notes(tmp_path / "run")) == OLDER[schema].notes


@every
def test_an_older_run_is_exported(schema: int, tmp_path: Path) -> None:
    run = older(schema, tmp_path / "run")
    summary = export(run, nas.load_run(run)[0], {})
    assert summary["evaluations"] == OLDER[schema].evaluations
    assert {"front.csv", "history.parquet", "summary.json", "curves.csv"} <= {p.name for p in run.iterdir()}


@every
def test_the_front_of_an_older_run_is_printed(
    schema: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nas.cli import main

    monkeypatch.setattr(sys, "argv", ["nas", "front", str(older(schema, tmp_path / "run")), "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    shown = json.loads(capsys.readouterr().out)
    assert [row["architecture"] for row in shown] == OLDER[schema].front


@every
def test_an_older_run_continues_in_this_format(schema: int, tmp_path: Path) -> None:
    run = older(schema, tmp_path / "run")
    before = nas.load_run(run)[0].frame
    result = go_on(run, schema, 6)
    after, meta = nas.load_run(run)
    assert result.summary["evaluations"] == OLDER[schema].evaluations + 6
    assert meta["schema"] == SCHEMA
    assert after.frame["architecture"].tolist()[: len(before)] == before["architecture"].tolist()
    assert after.frame["error"].tolist()[3 : len(before)] == before["error"].tolist()[3:]
    assert go_on(run, schema, 6).summary["evaluations"] == OLDER[schema].evaluations + 6


@every
def test_a_later_format_is_refused_and_left_unchanged(schema: int, tmp_path: Path) -> None:
    run = older(schema, tmp_path / "run")
    db = sqlite3.connect(run / FILE)
    with db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (str(SCHEMA + 1),))
    db.close()
    before = (run / FILE).read_bytes()
    expected = f"format version {SCHEMA + 1}, but this version reads 1 to {SCHEMA}; update this package"
    with pytest.raises(HistoryError, match=expected):
        go_on(run, schema, 6)
    with pytest.raises(HistoryError, match=expected):
        nas.load_run(run)
    assert (run / FILE).read_bytes() == before


def test_a_setting_added_by_a_later_version_does_not_prevent_resuming(tmp_path: Path) -> None:
    run = older(2, tmp_path / "run")
    db = sqlite3.connect(run / FILE)
    with db:
        identity = json.loads(db.execute("SELECT value FROM meta WHERE key = 'identity'").fetchone()[0])
        del identity["algorithm_settings"]["repeats"]
        db.execute("UPDATE meta SET value = ? WHERE key = 'identity'", (json.dumps(identity),))
    db.close()
    assert go_on(run, 2, 3).summary["evaluations"] == 19


def test_no_old_run_is_evaluated_again(tmp_path: Path) -> None:
    measured: list[int] = []

    def count(trial: Trial) -> Mapping[str, float]:
        measured.append(trial.id)
        return quick(trial)

    run = older(2, tmp_path / "run")
    nas.search(
        Grid(),
        OBJECTIVES,
        count,
        budget=19,
        seed=1,
        out=run,
        resume=True,
        **{"algorithm": "moead", **OLDER[2].search},
    )
    assert measured == [16, 17, 18]
