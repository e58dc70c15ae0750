"""`nas compare` from end to end, on the example that the documentation names."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from commands import Done, nas_in
from compare_parts import PARTS, write_tiny_figures

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "compare.yaml"
RUN = "from nas.cli import main; main()"

CONFIG = """
problems:
  - {name: toy, space: "nas.testing.toy:ToySpace", objectives: [error, params], evaluator: "parts.py:noisy"}
algorithms: [moead, random]
budget: 16
seeds: 2
initial: 6
executor: serial
out: out
"""


@pytest.fixture
def nas(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> Callable[..., Done]:
    """Run `nas` in the folder, in this process, without drawing."""
    monkeypatch.setattr("nas.compare.report.write_figures", write_tiny_figures)
    monkeypatch.chdir(folder)

    nas = nas_in(monkeypatch, capsys)

    def run(*arguments: str) -> Done:
        done = nas(*arguments)
        return Done(done.code, " ".join(done.out.split()), done.sentence)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parts.py").write_text(PARTS, encoding="utf-8")
    (tmp_path / "compare.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def test_a_comparison_is_made_reported_and_not_made_again(folder: Path, nas: Callable[..., Done]) -> None:
    done = nas("compare", "compare.yaml")
    assert done.code == 0, done.out + done.err
    assert "Comparing 2 algorithms on 1 problem with 2 seeds: 4 runs" in done.out
    assert "toy: quality" in done.out
    assert (folder / "out" / "index.html").is_file()
    again = nas("compare", "compare.yaml", "--seeds", "3")
    assert again.code == 0, again.out + again.err
    assert "4/6 runs, 4 from before" in again.out
    assert len(pd.read_csv(folder / "out" / "results" / "runs.csv")) == 6


@pytest.mark.parametrize(("key", "value"), [("time", "training_second"), ("report", "{error: tset_error}")])
def test_a_value_that_the_evaluator_lacks_is_named_after_the_first_run(
    key: str, value: str, folder: Path, nas: Callable[..., Done]
) -> None:
    text = CONFIG.replace('"parts.py:noisy"}', f'"parts.py:noisy", {key}: {value}}}')
    (folder / "compare.yaml").write_text(text, encoding="utf-8")
    done = nas("compare", "compare.yaml")
    assert done.code == 2, done.out
    assert f"problem toy: {key}: the results have no" in done.err
    assert "they have error, test_error, training_seconds, params. Correct the config" in done.err
    assert len(list((folder / "out" / "runs").glob("*/*/*/summary.json"))) == 1
    if key == "report":
        return
    (folder / "compare.yaml").write_text(CONFIG, encoding="utf-8")
    again = nas("compare", "compare.yaml")
    assert again.code == 0, again.err
    assert "4/4 runs" in again.out or "1 from before" in again.out


def test_too_few_seeds_are_announced_once_before_the_runs(folder: Path, nas: Callable[..., Done]) -> None:
    said = nas("compare", "compare.yaml").out
    line = "2 seeds will be too few for the pairwise tests: 2 algorithms need at least 6 (--seeds 6)"
    assert said.count(line) == 1
    assert said.index(line) < said.index("toy: quality")


def test_report_alone_runs_nothing(folder: Path, nas: Callable[..., Done]) -> None:
    done = nas("compare", "compare.yaml", "--report")
    assert done.code == 4
    assert "no complete run yet; remove --report" in done.err
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--set", "budgt=3"), 2, "unknown key 'budgt' (did you mean 'budget'?)"),
        (("--set", "algorithms=[moead, nsag2]"), 2, "unknown 'nsag2' (did you mean 'nsga2'?)"),
        (("--seeds", "0"), 2, "--seeds"),
        (("--set", "problems=[]"), 2, "problems: "),
    ],
)
def test_a_wrong_argument_is_explained(
    arguments: tuple[str, ...], code: int, message: str, folder: Path, nas: Callable[..., Done]
) -> None:
    done = nas("compare", "compare.yaml", *arguments)
    assert done.code == code
    assert message in done.err
    assert not (folder / "out").exists()


def test_runs_that_fail_end_the_command_with_their_reasons_and_the_others_are_reported(
    folder: Path, nas: Callable[..., Done]
) -> None:
    broken = "problems=[{name: toy, space: 'nas.testing.toy:ToySpace', objectives: [error], evaluator: 'parts.py:broken'}, {name: good, space: 'nas.testing.toy:ToySpace', objectives: [error], evaluator: 'parts.py:noisy'}]"
    done = nas("compare", "compare.yaml", "--set", broken, "--seeds", "1")
    assert done.code == 6
    assert "2 runs failed and are missing from the report. All results so far are saved" in done.err
    assert "broken for good" in done.err
    assert set(pd.read_csv(folder / "out" / "results" / "runs.csv")["problem"]) == {"good"}


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_after_ctrl_c_the_same_command_continues(folder: Path, nas: Callable[..., Done]) -> None:
    slow = PARTS + "\n\nimport time\n\n\ndef slow(trial):\n    time.sleep(0.15)\n    return noisy(trial)\n"
    (folder / "parts.py").write_text(slow, encoding="utf-8")
    (folder / "compare.yaml").write_text(CONFIG.replace("parts.py:noisy", "parts.py:slow"), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    first = subprocess.Popen(
        [sys.executable, "-c", RUN, "compare", "compare.yaml"],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    begun = folder / "out" / "runs" / "toy" / "moead" / "0000" / "history.sqlite"
    deadline = time.monotonic() + 600
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    first.send_signal(signal.SIGINT)
    said, _ = first.communicate(timeout=600)
    assert first.returncode == 130, said
    assert "repeat the command to continue" in " ".join(said.split())
    done = nas("compare", "compare.yaml")
    assert done.code == 0, done.out + done.err
    runs = pd.read_csv(folder / "out" / "results" / "runs.csv")
    assert runs["evaluations"].tolist() == [16] * 4


def test_help_teaches_by_example(nas: Callable[..., Done]) -> None:
    text = nas("compare", "--help").out
    assert "nas compare docs/examples/compare.yaml" in text
    assert "algorithms:" in text


@pytest.mark.slow
def test_the_example_runs_with_a_small_budget(tmp_path: Path, nas: Callable[..., Done]) -> None:
    done = nas("compare", str(EXAMPLE), "--seeds", "1", "--set", "budget=22", "--out", "out")
    assert done.code == 0, done.out + done.err
    assert len(pd.read_csv(tmp_path / "out" / "results" / "runs.csv")) == 2 * 5


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_example_runs_unchanged(tmp_path: Path, nas: Callable[..., Done]) -> None:
    done = nas("compare", str(EXAMPLE), "--out", "out")
    assert done.code == 0, done.out + done.err
    pairs = pd.read_csv(tmp_path / "out" / "results" / "pairs.csv")
    assert pairs["p_holm"].notna().all()
