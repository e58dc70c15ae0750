"""Size of a search's page and time to make and load it, by the number of evaluations.

    PYTHONPATH=. python experiments/report/load_time.py --out experiments/report/results/load_time.csv

Searches are made up: random architectures of the space muxnet-cifar with their exact costs, and an error that falls with the
logarithm of the multiply-adds, with noise. Each page is loaded in a fresh headless Chromium. `work_s` is the processor time of
the browser's main thread until the first charts are drawn, the loading time on an idle machine; `make_work_s` is that of making the
page. `shown_s` (texts and table) and `ready_s` (first charts too) are by the clock, on a busy machine much longer. All are medians of
`--repeats`.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from playwright.sync_api import Browser, sync_playwright

from nas.core.objectives import OBJECTIVES
from nas.report import Source, write_page
from nas.runs.run_folder import RunTable, run_table
from search_spaces.muxnet import MUXNetSpace

SIZES = (20, 1_000, 10_000, 100_000)
SPACE = MUXNetSpace("cifar")
WORKERS = 4
DIFFERENT = 2_000  # architectures; the others are these again by other names, since more would only take time


def made_up(n: int, seed: int = 0) -> RunTable:
    """The table of a search of n evaluations with three objectives."""
    rng = np.random.default_rng(seed)
    found = [SPACE.sample(rng) for _ in range(min(n, DIFFERENT))]
    place = np.arange(n) % len(found)
    costs = [SPACE.cost(a) for a in found]
    formed = [SPACE.format(a) for a in found]
    texts = [
        text if i < len(found) else f"{text}/again{i}" for i, text in enumerate(formed[k] for k in place)
    ]
    params, madds = (
        np.array([c[key] for c in costs], dtype=np.float64)[place] for key in ("params", "madds")
    )
    seconds = madds / 1e6 * rng.uniform(1.0, 1.5, n)
    started, worker = _schedule(seconds)
    frame = pd.DataFrame(
        {
            "trial": np.arange(n),
            "architecture": texts,
            "status": "ok",
            "error": 60 - 6.5 * np.log10(madds) + rng.gamma(2.0, 0.8, n),
            "params": params,
            "madds": madds,
            "seconds": seconds,
            "reason": "",
            "worker": worker,
            "seed": 0,
            "budget": np.nan,
            "asked_at": started,
            "started": started,
            "finished": started + seconds,
            "told": np.arange(1.0, n + 1),
            "told_seconds": np.maximum.accumulate(started + seconds),
        }
    )
    objectives = [OBJECTIVES[name] for name in ("error", "params", "madds")]
    return run_table(frame, objectives, (), 20)


def _schedule(seconds: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Start and worker of each trial, on workers that take the next as soon as they are free."""
    free = np.zeros(WORKERS)
    started, worker = np.empty(len(seconds)), []
    for i, length in enumerate(seconds.tolist()):
        k = int(np.argmin(free))
        started[i] = free[k]
        free[k] += length
        worker.append(f"made-up:{k}")
    return started + 1.0, worker


@dataclass(frozen=True)
class Loaded:
    """Seconds until a page was shown and ready, by the clock, and of work of the browser's main thread."""

    shown: float
    ready: float
    work: float


def page_of(n: int, folder: Path) -> tuple[Path, float]:
    """The page of a made-up search of n evaluations, and the seconds of work that it took to make it."""
    table = made_up(n)
    config = {"space": SPACE.name, "algorithm": "random", "loop": {"evaluations": n, "seed": 0}}
    source = Source(folder / f"run-{n}", table, config, "finished", SPACE)
    begun = time.process_time()
    path = write_page([source], folder / f"{n}.html")
    return path, time.process_time() - begun


def load(browser: Browser, path: Path) -> Loaded:
    """Load a page once."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached", timeout=120_000)
    measured = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
    marks = "['shown', 'ready'].map((n) => performance.getEntriesByName(n)[0].startTime / 1000)"
    shown, ready = page.evaluate(marks)
    page.close()
    return Loaded(shown, ready, measured["ThreadTime"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="CSV file to write")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        sys.exit("no chromium and no google-chrome on the path")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        made = {n: page_of(n, folder) for n in asked.sizes}
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        loads: dict[int, list[Loaded]] = {n: [] for n in made}
        for _ in range(asked.repeats):
            for n, (path, _) in made.items():
                loads[n].append(load(browser, path))
        browser.close()
        rows = [
            {
                "evaluations": n,
                "megabytes": round(path.stat().st_size / 1e6, 2),
                "make_work_s": round(seconds, 2),
                **{
                    f"{name}_s": round(statistics.median(getattr(one, name) for one in loads[n]), 2)
                    for name in ("work", "shown", "ready")
                },
            }
            for n, (path, seconds) in made.items()
        ]
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    if asked.out is not None:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(asked.out, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
