"""Run `nas search` in processes that are killed at random moments, and go on with `--resume` until it ends.

usage: kill_driver.py FOLDER KILLS BUDGET. Leaves FOLDER/run and the undisturbed FOLDER/whole; prints a line of
JSON with how many kills there were, and how many of them came after progress was made. The processes are forked,
so that a kill costs milliseconds; nothing here has started a thread.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

from engine_parts import Grid, quick

import nas
import nas.cli.searching  # (before the forks, for speed)
from nas.cli import main

CONFIG = """
space: parts.py:Space
evaluator: parts.py:evaluate
executor: serial
algorithm: {name: moead, population: 15}
"""
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


def told(run: Path) -> int:
    try:
        db = sqlite3.connect(f"{(run / 'history.sqlite').as_uri()}?mode=ro", uri=True)
        count = db.execute("SELECT COUNT(*) FROM log WHERE event = 'tell'").fetchone()[0]
        db.close()
    except sqlite3.Error:
        return 0
    return int(count)


def wait_for_more(run: Path, before: int) -> None:
    give_up = time.monotonic() + 30
    while told(run) <= before and time.monotonic() < give_up:
        time.sleep(0.002)


def killed_runs(folder: Path, kills: int, budget: str) -> tuple[int, int]:
    rng = random.Random(0)
    run, done, progress = folder / "run", 0, 0
    before = 0
    while True:
        fresh = ["search", str(folder / "search.yaml"), "--out", str(run), "--budget", budget]
        child = start(*(["search", "--resume", str(run)] if before else fresh))
        if done < kills:
            if done % 3 == 0:  # at its start, or while it replays the log
                time.sleep(rng.uniform(0.0, 0.2))
            else:
                wait_for_more(run, before)
                time.sleep(rng.uniform(0.0, 0.06))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        after = told(run)
        if os.WIFSIGNALED(status):
            done += 1
            progress += after > before
        elif os.WEXITSTATUS(status) == 0:
            return done, progress
        else:
            sys.exit(f"exit code {os.WEXITSTATUS(status)} after {done} kills")
        before = after


if __name__ == "__main__":
    folder, kills, budget = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    nas.search(Grid(), ["error", "params"], quick, budget=20)  # imports all that a search needs
    (folder / "search.yaml").write_text(CONFIG)
    (folder / "parts.py").write_text(PARTS)
    whole = start("search", str(folder / "search.yaml"), "--out", str(folder / "whole"), "--budget", budget)
    if os.waitpid(whole, 0)[1] != 0:
        sys.exit("the undisturbed search failed")
    count, progress = killed_runs(folder, kills, budget)
    print(json.dumps({"kills": count, "with_progress": progress}))
