"""A log after a power cut: an earlier state, or a clear error; never another history."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from engine_parts import Grid, log_of, quick

import nas
from nas.core.errors import HistoryError
from nas.engine.loop import SearchState
from nas.runs.history import FILE, History, read_history

pytestmark = pytest.mark.usefixtures("no_plots")
OBJECTIVES = ["error", "params", "madds"]
EVALUATIONS = 60
WAL = f"{FILE}-wal"


@dataclass(frozen=True)
class Crashed:
    """A finished run, and its files as they were on the disk at some moments before."""

    whole: Path
    moments: list[Path]


def cut(file: Path, at: int, rng: np.random.Generator) -> None:
    """The file ends here."""
    with file.open("r+b") as data:
        data.truncate(at)


def zeroed(file: Path, at: int, rng: np.random.Generator) -> None:
    """The file has its length, but nothing from here on was written."""
    size = file.stat().st_size
    with file.open("r+b") as data:
        data.seek(at)
        data.write(bytes(size - at))


def in_part(file: Path, at: int, rng: np.random.Generator) -> None:
    """From here on, some blocks of the disk were written and others were not."""
    size = file.stat().st_size
    with file.open("r+b") as data:
        for start in range(at // 512 * 512, size, 512):
            if rng.random() < 0.5:
                data.seek(start)
                data.write(bytes(min(512, size - start)))


DAMAGE: Mapping[str, Callable[[Path, int, np.random.Generator], None]] = {
    "cut": cut,
    "zeroed": zeroed,
    "in part": in_part,
}


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Crashed:
    folder = tmp_path_factory.mktemp("power")
    moments: list[Path] = []
    opened = History._open

    def often(self: History, create: bool) -> None:
        opened(self, create)
        self._db.execute("PRAGMA wal_autocheckpoint = 25")  # pages, so that the log restarts several times

    def copy(state: SearchState) -> None:
        if state.evaluated in (7, 23, 24, 41, 58):
            moments.append(folder / f"moment-{state.evaluated}")
            moments[-1].mkdir(exist_ok=True)
            for name in (FILE, WAL, "config.json"):
                shutil.copy(folder / "whole" / name, moments[-1] / name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        patch.setattr(History, "_open", often)
        nas.search(
            Grid(),
            OBJECTIVES,
            quick,
            budget=EVALUATIONS,
            out=folder / "whole",
            callbacks=[copy],
            algorithm="moead",
        )
    return Crashed(folder / "whole", sorted(set(moments)))


def check_earlier_state(folder: Path, whole: Path) -> int:
    """Number of results of a damaged run, whose rows must be a subset of the whole one's."""
    now, then = read_history(folder)[0], read_history(whole)[0]
    for column in ("trial", "architecture", "seed"):
        assert now[column].tolist() == then[column].tolist()[: len(now)]
    done = (now["status"] != "running").to_numpy()
    for column in ("status", *OBJECTIVES):
        if done.any():
            assert now[column][done].tolist() == then[column][: len(now)][done].tolist()
    told = now["told"].notna().to_numpy()
    assert not (told & ~done).any()
    assert now["told"][told].tolist() == then["told"][: len(now)][told].tolist()
    return int(done.sum())


def after(damage: str, name: str, share: float, seed: int, crashed: Crashed, folder: Path) -> int | None:
    """Number of results left after such a power cut, from which the run continues; None when the run is refused."""
    rng = np.random.default_rng(seed)
    moment = crashed.moments[seed % len(crashed.moments)]
    shutil.copytree(moment, folder)
    DAMAGE[damage](folder / name, int(share * (folder / name).stat().st_size), rng)
    try:
        left = check_earlier_state(folder, crashed.whole)
        nas.search(Grid(), OBJECTIVES, quick, budget=EVALUATIONS, out=folder, resume=True, algorithm="moead")
    except HistoryError:
        return None
    assert log_of(folder) == log_of(crashed.whole)
    assert (folder / "front.csv").read_bytes() == (crashed.whole / "front.csv").read_bytes()
    return left


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_partially_written_log_opens_at_an_earlier_state(
    damage: str, crashed: Crashed, tmp_path: Path
) -> None:
    lefts = [
        after(damage, WAL, share, seed, crashed, tmp_path / f"{seed}")
        for seed, share in enumerate([0.999, 0.7, 0.3])
    ]
    assert any(left is not None and left > 0 for left in lefts), lefts


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_partially_written_database_is_refused_or_correct(
    damage: str, crashed: Crashed, tmp_path: Path
) -> None:
    lefts = [
        after(damage, FILE, share, seed, crashed, tmp_path / f"{seed}")
        for seed, share in enumerate([0.999, 0.5, 0.1])
    ]
    assert None in lefts  # or the damage would do nothing


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("damage", DAMAGE)
def test_arbitrary_cuts_never_give_another_history(damage: str, crashed: Crashed, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    lefts = []
    for seed in range(60):
        name = WAL if seed % 3 else FILE
        lefts.append(after(damage, name, float(rng.random()), seed, crashed, tmp_path / "copy"))
        shutil.rmtree(tmp_path / "copy")
    assert sum(left is not None for left in lefts) >= 20, lefts


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DELETE FROM trials WHERE id = 4", "a trial is missing"),
        ("DELETE FROM results WHERE trial = 4", "a trial was told without a result"),
        ("INSERT INTO log (event, trial) VALUES ('tell', 4)", "an event is recorded twice"),
        ("DELETE FROM log WHERE event = 'ask' AND trial = 4", "a trial was not asked for"),
        ("INSERT INTO log (event, trial) VALUES ('ask', 4000)", "an unknown trial was asked for"),
        ("UPDATE log SET event = 'toll' WHERE seq = 3", "an event is neither ask nor tell"),
        (
            'INSERT INTO results SELECT 4000, status, "values", seconds, error, worker, started, finished FROM results WHERE trial = 4',
            "a result has no trial",
        ),
    ],
)
def test_a_log_with_inconsistent_rows_is_refused(
    statement: str, what: str, crashed: Crashed, tmp_path: Path
) -> None:
    shutil.copytree(crashed.whole, tmp_path / "run")
    db = sqlite3.connect(tmp_path / "run" / FILE)
    with db:
        db.execute(statement)
    db.close()
    with pytest.raises(HistoryError, match=f"is damaged: {what}; restore it from a copy"):
        nas.search(
            Grid(),
            OBJECTIVES,
            quick,
            budget=EVALUATIONS,
            out=tmp_path / "run",
            resume=True,
            algorithm="moead",
        )
