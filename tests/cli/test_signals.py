"""The command as a separate process: Ctrl-C, a full disk, workers that die."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import interruptible

from nas.core.errors import HistoryError
from nas.runs.history import read_history

pytestmark = pytest.mark.timeout(900)  # far longer than anything takes on a busy machine
NAS = "import sys; from nas.cli import main; sys.argv[0] = 'nas'; main()"


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", NAS, *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def wait_for(process: subprocess.Popen[str], run: Path, evaluated: int) -> None:
    """Wait until the run has `evaluated` results."""
    give_up = time.monotonic() + 6000
    while time.monotonic() < give_up:
        assert process.poll() is None, process.communicate()
        try:
            if (read_history(run)[0]["status"] == "ok").sum() >= evaluated:
                return
        except HistoryError:  # not made yet
            pass
        time.sleep(0.05)
    raise AssertionError("no progress")


def interrupted(folder: Path, *arguments: str, group: bool, number: int = signal.SIGINT) -> str:
    process = start(folder, "search", "search.yaml", *arguments)
    wait_for(process, folder / "run", 9)
    (os.killpg if group else os.kill)(process.pid, number)  # a terminal signals the whole group
    out, err = process.communicate(timeout=600)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    assert "Interrupted; all results are saved" in out
    assert "nas search --resume run" in out
    files = {p.name for p in (folder / "run").iterdir()}
    assert {"front.csv", "history.parquet", "summary.json", "config.json", "plots"} <= files
    return out


def finish(folder: Path, nas_command) -> None:
    """Resume, and compare with a search that was left alone."""
    assert nas_command("search", "--resume", "run", "--executor", "serial").code == 0
    assert nas_command("search", "search.yaml", "--budget", "40", "--out", "whole").code == 0
    assert (folder / "run/front.csv").read_bytes() == (folder / "whole/front.csv").read_bytes()
    frames = [read_history(folder / name)[0] for name in ("run", "whole")]
    assert frames[0]["architecture"].tolist() == frames[1]["architecture"].tolist()


SLOW = ("--set", "evaluator.sleep=0.05", "--budget", "40")


@pytest.mark.slow
def test_ctrl_c_ends_a_serial_search_cleanly_and_it_continues(folder: Path, nas_command) -> None:
    interrupted(folder, *SLOW, group=False)
    finish(folder, nas_command)


@pytest.mark.slow
def test_ctrl_c_at_the_terminal_ends_a_search_on_ray_cleanly_and_it_continues(
    folder: Path, nas_command
) -> None:
    interrupted(folder, *SLOW, "--executor", "ray", "--workers", "2", group=True)
    finish(folder, nas_command)


@pytest.mark.slow
def test_a_schedulers_sigterm_is_as_good_as_ctrl_c(folder: Path, nas_command) -> None:
    interrupted(folder, *SLOW, group=False, number=signal.SIGTERM)
    finish(folder, nas_command)


@pytest.mark.slow
def test_a_schedulers_sigterm_is_as_good_as_ctrl_c_on_ray(folder: Path, nas_command) -> None:
    interrupted(folder, *SLOW, "--executor", "ray", group=False, number=signal.SIGTERM)
    finish(folder, nas_command)


@pytest.mark.slow
def test_a_driver_killed_on_ray_takes_its_workers_along_and_continues(folder: Path, nas_command) -> None:
    psutil = pytest.importorskip("psutil")
    process = start(folder, "search", "search.yaml", *SLOW, "--executor", "ray")
    wait_for(process, folder / "run", 9)
    children = psutil.Process(process.pid).children(recursive=True)
    # Ray's agents, which only watch, take a minute or more to notice that the rest is gone.
    children = [child for child in children if "Agent" not in child.name()]
    assert len(children) >= 4
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    give_up = time.monotonic() + 60
    while alive := [c for c in children if c.is_running() and c.status() != psutil.STATUS_ZOMBIE]:
        assert time.monotonic() < give_up, alive
        time.sleep(0.2)
    finish(folder, nas_command)


def test_ctrl_c_before_the_first_evaluation_leaves_no_run(
    folder: Path, nas_command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "nas.executors.serial.SerialExecutor.__init__", lambda *_, **__: signal.raise_signal(signal.SIGINT)
    )
    with interruptible():
        done = nas_command("search", "search.yaml")
    assert done.code == 130, done.out + done.err
    assert "Interrupted" in done.out
    assert done.err == "Loading PyTorch and Ray ...\n"
    assert not (folder / "run").exists()


FULL = """
import os, subprocess, sys
os.mkdir("disk")
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", "disk"], capture_output=True).returncode:
    sys.exit(77)
nas = [sys.executable, "-c", sys.argv[1], "search"]
first = subprocess.run([*nas, "search.yaml", "--budget", "700", "--out", "disk/run"], capture_output=True, text=True)
print(first.returncode, first.stderr.removeprefix("Loading PyTorch and Ray ...\\n"))
subprocess.run(["mount", "-o", "remount,size=50m", "disk"], check=True)
again = subprocess.run([*nas, "--resume", "disk/run"], capture_output=True, text=True)
print(again.returncode, again.stderr)
import shutil
shutil.copytree("disk/run", "run")
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs a separate mount, through unshare")
def test_a_full_disk_is_named_and_loses_nothing(folder: Path, nas_command) -> None:
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", sys.executable, "-c", FULL, NAS],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("this machine does not let a test mount a small disk")
    first, again = [line for line in done.stdout.splitlines() if line[:1].isdigit()]
    assert first.startswith("4 Error: ")
    assert "disk/run/history.sqlite: " in first
    assert "the disk is full: make room, then continue with --resume" in first
    assert "Traceback" not in done.stdout
    assert again.startswith("0")
    nas_command("search", "search.yaml", "--budget", "700", "--out", "whole")
    assert (folder / "run/front.csv").read_bytes() == (folder / "whole/front.csv").read_bytes()
