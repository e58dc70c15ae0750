"""The first page: short, its code gives the output it shows, its numbers are those of the committed results."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = pd.read_csv(ROOT / "experiments" / "real_pool" / "results" / "replays.csv").query(
    "score == 'reported'"
)
METHODS = {"this package": "sa-moead", "Optuna": "optuna-tpe", "pymoo": "pymoo-nsga2"}


def block(language: str) -> str:
    """The first fenced block of the page in a language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def medians(method: str, evaluations: int) -> dict[str, float]:
    """The committed medians of a method: ResNets and MUXNets, in four decimals."""
    rows = RESULTS.query("method == @method and evaluations == @evaluations").set_index("pool")["median"]
    return {pool: pytest.approx(rows[pool], abs=0.00051) for pool in ("resnets", "muxnet")}


def table() -> list[list[str]]:
    """The rows of the table of packages."""
    part = TEXT.split("\n## Why not ")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_the_page_is_short() -> None:
    assert len(TEXT.splitlines()) <= 120
    assert len([line for line in block("python").splitlines() if line.strip()]) == 8


@pytest.mark.slow
def test_the_code_prints_the_front_that_the_page_shows(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block("python")],
        cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    printed, shown = done.stdout.splitlines(), block("text").splitlines()
    assert printed[0].split() == shown[0].split()
    found, expected = ({row.split()[1]: row.split()[2:] for row in rows[1:]} for rows in (printed, shown))
    common = found.keys() & expected.keys()
    assert len(common) >= 3  # sums of another processor differ in the last digits, and so may a choice
    for name in common:
        assert found[name][1] == expected[name][1]
        assert float(found[name][0]) == pytest.approx(float(expected[name][0]), abs=2.0)


def test_the_table_has_the_committed_medians_and_says_what_was_not_measured() -> None:
    rows = table()
    assert [row[0].split()[0].rstrip(",") for row in rows] == ["this", "Optuna", "pymoo", "NNI", "NePS"]
    for package, resnets, muxnets, _ in rows:
        method = next((m for name, m in METHODS.items() if package.startswith(name)), None)
        if method is None:
            assert resnets == muxnets == "not measured"
        else:
            assert {"resnets": float(resnets), "muxnet": float(muxnets)} == medians(method, 50)


def test_the_text_around_the_table_has_the_committed_medians() -> None:
    random = re.search(r"random search has (\.\d+) and (\.\d+)", TEXT)
    late = re.search(r"after 100, .*?\(pymoo (\.\d+), `sa-moead` (\.\d+)\)", TEXT)
    assert random is not None
    assert late is not None
    assert {"resnets": float(random[1]), "muxnet": float(random[2])} == medians("random", 50)
    assert float(late[1]) == medians("pymoo-nsga2", 100)["muxnet"]
    assert float(late[2]) == medians("sa-moead", 100)["muxnet"]


def test_the_page_names_the_commit_of_each_number() -> None:
    named = re.search(r"The engine was at commit (\w+)", TEXT)
    assert named is not None
    shown = RESULTS[RESULTS["method"].isin([*METHODS.values(), "random"])]
    assert set(shown["engine"]) == {named[1]}
