"""Kill a search at every line of the code that writes its log, and resume it until it ends like an uninterrupted one.

usage: kill_lines.py FOLDER CASE KILLS (at most; 0: every line). The lines are those that an undisturbed search, and
a resumed one, go through in the modules of `TRACED`: so also between the arrival of a result and its commit, in the
middle of a transaction, while the log is replayed, and while the tables are written. Each is killed (SIGKILL) as
often as it takes for every line to have been the last one, at one of the times that it is passed, by the seed.
After each kill the log is compared with its earlier content. Prints JSON: kills, lines, searches, evaluations.
The processes are forked, so that a kill costs milliseconds; nothing here has started a thread.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from engine_parts import QUICK_SETTINGS, Grid, Keeping, log_of, quick

import nas
import nas.report.plots
from nas.engine.loop import LoopSettings
from nas.runs.history import FILE, read_notes
from nas.training import Halving

TRACED = {
    "engine": ("kept_weights", "loop", "replay", "run"),
    "runs": ("history", "history_table", "log_file", "run_folder"),
}  # modules by room
CASES: Mapping[str, dict[str, Any]] = {
    "moead": {"algorithm": "moead", "evaluations": 24},
    "sa-moead": {
        "algorithm": "sa-moead",
        "algorithm_settings": QUICK_SETTINGS["sa-moead"],
        "evaluations": 14,
        "concurrency": 3,
    },
    "halving": {
        "algorithm": "random",
        "evaluate": Keeping(),
        "evaluations": 30,
        "halving": Halving(2, 18, 3),
    },
}
Place = tuple[str, int]  # a module and a line


class Logged:
    """An evaluator that appends a line to a file before it measures."""

    def __init__(self, inner: Any, file: Path) -> None:
        self._inner, self._file = inner, file

    def __call__(self, trial: nas.Trial) -> Mapping[str, float]:
        note(self._file, trial)
        measured: Mapping[str, float] = self._inner(trial)
        return measured


class LoggedKeeping(Keeping):
    """The same, of an evaluator that keeps weights; the file is beside them."""

    def __call__(self, trial: nas.Trial) -> Mapping[str, float]:
        assert self.folder is not None
        note(Path(self.folder).parent.parent / "evaluated", trial)
        measured = super().__call__(trial)
        # only the remaining training depends on the kept state of a killed evaluation
        return {name: value for name, value in measured.items() if name != "trained"}

    def keeping(self, folder: str | None, horizon: float | None) -> LoggedKeeping:
        return LoggedKeeping(folder, horizon)


def note(file: Path, trial: nas.Trial) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(handle, f"{trial.id}\n".encode())
    os.close(handle)


def search(folder: Path, case: dict[str, Any], resume: bool) -> None:
    case = dict(case)
    inner = case.pop("evaluate", quick)
    file = folder / "evaluated"
    evaluate = LoggedKeeping() if isinstance(inner, Keeping) else Logged(inner, file)
    loop = {key: case.pop(key) for key in ("evaluations", "concurrency", "halving") if key in case}
    nas.search(
        Grid(), ["error", "params", "madds"], evaluate, loop=LoopSettings(seed=3, **loop), out=folder / "run", resume=resume, **{"algorithm": "moead", **case}
    )  # fmt: skip


def traced(passed: Callable[[Place], None]) -> None:
    """Call `passed` before every line of the traced modules from now on."""
    root = Path(nas.__file__).parent
    names = {str(root / room / f"{name}.py"): name for room, modules in TRACED.items() for name in modules}
    assert all(Path(file).is_file() for file in names)

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            passed((names[frame.f_code.co_filename], frame.f_lineno))
        return line

    def call(frame: FrameType, event: str, argument: Any) -> Any:
        return line if frame.f_code.co_filename in names else None

    sys.settrace(call)


def forked(act: Callable[[], None]) -> int:
    """Call a function in its own process; return its wait status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        act()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def counted(folder: Path, case: dict[str, Any], resume: bool) -> Counter[Place]:
    """How often an undisturbed search passes each line."""
    file = folder.with_name(f"{folder.name}-{resume}.json")

    def act() -> None:
        counts: Counter[Place] = Counter()
        traced(lambda place: counts.update([place]))
        search(folder, case, resume)
        sys.settrace(None)
        file.write_text(json.dumps([[*place, n] for place, n in counts.items()]))

    assert forked(act) == 0
    return Counter({(name, line): n for name, line, n in json.loads(file.read_text())})


def killed_at(folder: Path, case: dict[str, Any], resume: bool, place: Place, time: int) -> bool:
    """Kill a search at the n-th pass of a line; return whether it got that far."""

    def act() -> None:
        left = time

        def passed(now: Place) -> None:
            nonlocal left
            left -= now == place
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        traced(passed)
        search(folder, case, resume)

    status = forked(act)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, f"failed at {place}, {time}"
    return False


def rows(folder: Path) -> tuple[list[Any], list[Any]]:
    """The trials and results in the log of a run, without times."""
    if not (folder / "run" / FILE).exists():
        return [], []
    db = sqlite3.connect(folder / "run" / FILE)
    try:
        trials = db.execute("SELECT id, architecture, seed, budget FROM trials ORDER BY id").fetchall()
        results = db.execute('SELECT trial, status, "values" FROM results ORDER BY trial').fetchall()
    except sqlite3.OperationalError:  # killed before the tables were made
        return [], []
    finally:
        db.close()
    return trials, results


def evaluated(folder: Path) -> list[int]:
    file = folder / "evaluated"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


class Chain:
    """A search that is killed repeatedly and checked after each kill."""

    def __init__(self, folder: Path, case: dict[str, Any]) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.folder, self.case = folder, case
        self.trials: list[Any] = []
        self.results: list[Any] = []

    @property
    def begun(self) -> bool:
        return bool(self.trials)

    def go_on(self, place: Place, time: int) -> bool:
        before = len(evaluated(self.folder))
        killed = killed_at(self.folder, self.case, self.begun, place, time)
        self.check(evaluated(self.folder)[before:])
        return killed

    def finish(self) -> None:
        before = len(evaluated(self.folder))
        assert forked(lambda: search(self.folder, self.case, self.begun)) == 0
        self.check(evaluated(self.folder)[before:])

    def check(self, session: list[int]) -> None:
        """Nothing recorded is lost or changed, nothing recorded is evaluated again, nothing twice in a session."""
        trials, results = rows(self.folder)
        assert trials[: len(self.trials)] == self.trials
        assert set(self.results) <= set(results)
        recorded = {row[0] for row in self.results}
        assert len(session) == len(set(session)), session
        assert not recorded & set(session), (recorded, session)
        running = [row[0] for row in self.trials if row[0] not in recorded]
        again = [number for number in session if number < len(self.trials)]
        assert again == running[: len(again)], (again, running)  # the running trials come first, each once
        self.trials, self.results = trials, results


def same(first: Path, second: Path) -> None:
    for name in ("front.csv",):
        assert (first / "run" / name).read_bytes() == (second / "run" / name).read_bytes(), name
    assert log_of(first / "run") == log_of(second / "run")
    assert rows(first) == rows(second)
    notes = [[(note.told, repr(note.values)) for note in read_notes(f / "run")] for f in (first, second)]
    assert notes[0] == notes[1]
    kept = [
        sorted(p.name for p in (f / "run").rglob("*") if p.suffix in (".pt", ".csv")) for f in (first, second)
    ]
    assert kept[0] == kept[1], kept


def kill_everywhere(folder: Path, case: dict[str, Any], most: int) -> dict[str, int]:
    rng = random.Random(0)
    whole, half = folder / "whole", folder / "half"
    whole.mkdir()
    fresh = counted(whole, case, resume=False)
    start = Chain(half, case)
    middle = max(fresh[place] for place in fresh if place[0] == "history") // 3
    start.go_on(max((p for p in fresh if p[0] == "history"), key=fresh.__getitem__), middle)
    again = counted(half, case, resume=True)
    same(half, whole)
    left = {False: sorted(fresh), True: sorted(again)}
    for places in left.values():
        rng.shuffle(places)
        del places[most // 2 if most else len(places) :]
    done: Counter[str] = Counter(lines=len(fresh.keys() | again.keys()))
    while left[False] or left[True]:
        chain = Chain(folder / "run", case)
        while left[chain.begun] or (left[True] and not chain.begun):
            counts, places = (
                (again if chain.begun else fresh),
                left[chain.begun] or [rng.choice(sorted(fresh))],
            )
            place = places.pop()
            time = rng.randint(1, max(1, counts[place] // (2 if chain.begun else 4)))
            if chain.go_on(place, time):
                done["kills"] += 1
                continue
            if time > 1:  # it had ended before; another time, earlier
                counts[place] = time - 1
                places.insert(0, place)
            break
        chain.finish()
        same(chain.folder, whole)
        done["searches"] += 1
        done["evaluations"] += len(evaluated(chain.folder))
    return dict(done)


if __name__ == "__main__":
    nas.report.plots.write_plots = lambda folder, table: []
    out, wanted = Path(sys.argv[1]), CASES[sys.argv[2]]
    (out / "first").mkdir()
    search(out / "first", wanted, resume=False)  # imports all that a search needs
    print(json.dumps(kill_everywhere(out, wanted, int(sys.argv[3]))))
