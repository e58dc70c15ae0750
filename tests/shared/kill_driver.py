"""Run `nas search` in processes that are killed at random moments, and resume it until it finishes.

usage: kill_driver.py FOLDER KILLS BUDGET CASE. Leaves FOLDER/run and the undisturbed FOLDER/whole; prints a line of
JSON with how many kills there were, and how many of them came after progress was made. The case `quick` has
evaluations of 2 ms, `digits` trains networks on images of digits. The processes are forked, so that a kill costs
milliseconds; nothing here has started a thread.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

from nas.cli import main

CASES = {
    "quick": """
space: parts.py:Space
evaluator: parts.py:evaluate
executor: serial
algorithm: {name: moead, population: 15}
""",
    "digits": """
space: {name: nasbench101, stem_channels: 4, cells_per_stack: 1, image_size: 8, in_channels: 1}
evaluator: {name: training, data: digits, recipe: {epochs: 1, max_pictures: 300}}
executor: serial
algorithm: {name: moead, population: 6}
""",
}
AFTER = {"quick": 0.06, "digits": 0.5}  # seconds after progress in which a kill comes
PARTS = """
import time
import numpy as np
from engine_parts import Grid as Space
from engine_parts import quick

def evaluate(trial):
    time.sleep(0.002)
    return quick(trial)
"""


def start(*arguments: str) -> int:
    """Fork a process that runs `nas` with the arguments; its id."""
    child = os.fork()
    if child:
        return child
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.argv = ["nas", *arguments]
    code = 1
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    finally:
        os._exit(code)
    raise AssertionError


def events(run: Path, kind: str) -> int:
    """How many asks or tells the log of a run has."""
    try:
        db = sqlite3.connect(f"{(run / 'history.sqlite').as_uri()}?mode=ro", uri=True)
        count = db.execute("SELECT COUNT(*) FROM log WHERE event = ?", (kind,)).fetchone()[0]
        db.close()
    except sqlite3.Error:
        return 0
    return int(count)


def wait_for_more(run: Path, before: int) -> None:
    give_up = time.monotonic() + 300
    while events(run, "tell") <= before and time.monotonic() < give_up:
        time.sleep(0.002)


def killed_runs(folder: Path, kills: int, budget: str, after: float) -> tuple[int, int]:
    rng = random.Random(0)
    run, done, progress = folder / "run", 0, 0
    before = 0
    while True:
        fresh = ["search", str(folder / "search.yaml"), "--out", str(run), "--budget", budget]
        child = start(*(["search", "--resume", str(run)] if events(run, "ask") else fresh))
        if done < kills:
            if done % 3 == 0:  # at its start, or while it replays the log
                time.sleep(rng.uniform(0.0, 0.2))
            else:
                wait_for_more(run, before)
                time.sleep(rng.uniform(0.0, after))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        now = events(run, "tell")
        if os.WIFSIGNALED(status):
            done += 1
            progress += now > before
        elif os.WEXITSTATUS(status) == 0:
            return done, progress
        else:
            sys.exit(f"exit code {os.WEXITSTATUS(status)} after {done} kills")
        before = now


if __name__ == "__main__":
    folder, kills, budget, case = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    (folder / "search.yaml").write_text(CASES[case])
    (folder / "parts.py").write_text(PARTS)
    sys.argv = [
        "nas",
        "search",
        str(folder / "search.yaml"),
        "--out",
        str(folder / "first"),
        "--budget",
        "15",
    ]
    with contextlib.suppress(SystemExit):
        main()  # imports all that a search needs
    whole = start("search", str(folder / "search.yaml"), "--out", str(folder / "whole"), "--budget", budget)
    if os.waitpid(whole, 0)[1] != 0:
        sys.exit("the undisturbed search failed")
    count, progress = killed_runs(folder, kills, budget, AFTER[case])
    print(json.dumps({"kills": count, "with_progress": progress}))
