"""Callbacks named in a config or on the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nas.monitor.trackers import measures

ROOT = Path(__file__).resolve().parents[2]
NOTIFY = ROOT / "docs" / "examples" / "notify.py"
OWN = """
import nas


class Counting(nas.Callback):
    def __init__(self, file: str = "count.txt") -> None:
        self.file, self.count = file, 0

    def told(self, state, result):
        self.count += 1

    def end(self, state, outcome):
        with open(self.file, "a") as file:
            file.write(f"{outcome} {self.count}\\n")


class Faulty(nas.Callback):
    def told(self, state, result):
        raise ValueError("no such thing")


def plain(state):
    with open("plain.txt", "w") as file:
        file.write(str(state.evaluated))


number = 3
"""


@pytest.fixture
def own(folder: Path) -> Path:
    """The working directory, with a file of callbacks."""
    (folder / "own.py").write_text(OWN)
    return folder


def test_the_example_writes_news_and_runs_a_command_without_a_shell(folder: Path, nas_command) -> None:
    code = "import sys, pathlib; pathlib.Path('told.txt').write_text(sys.argv[1])"
    with (folder / "search.yaml").open("a") as file:
        file.write(
            f"callbacks:\n  - {{name: '{NOTIFY}:Notify', file: news.txt, command: ['{sys.executable}', -c, \"{code}\"]}}\n"
        )
    done = nas_command("search", "search.yaml")
    assert done.code == 0, done.err
    assert done.err == "Loading PyTorch and Ray ...\n"
    *news, last = (folder / "news.txt").read_text().splitlines()
    values = [float(text.split(": error ")[1].split()[0]) for text in news]
    assert values == sorted(set(values), reverse=True)
    assert last.startswith("finished: 20 evaluated, ")
    assert (folder / "told.txt").read_text() == last


def test_a_callback_of_the_command_line_runs_like_one_of_the_config(own: Path, nas_command) -> None:
    assert nas_command("search", "search.yaml", "--callback", "own.py:Counting").code == 0
    assert (own / "count.txt").read_text() == "finished 20\n"


def test_a_function_of_the_state_is_a_callback(own: Path, nas_command) -> None:
    assert nas_command("search", "search.yaml", "--callback", "own.py:plain").code == 0
    assert (own / "plain.txt").read_text() == "20"


def test_a_resumed_run_has_its_callbacks_again_and_may_have_others(own: Path, nas_command) -> None:
    nas_command("search", "search.yaml", "--callback", "own.py:Counting")
    again = ("search", "--resume", "run", "--budget", "25", "--callback", "own.py:Counting")
    assert nas_command(*again, "--callback", "own.py:plain").code == 0
    assert [text.split()[0] for text in (own / "count.txt").read_text().splitlines()] == ["finished"] * 2
    assert (own / "plain.txt").read_text() == "25"


def test_an_error_in_a_callback_is_a_warning(
    own: Path, nas_command, caplog: pytest.LogCaptureFixture
) -> None:
    done = nas_command("search", "search.yaml", "--callback", "own.py:Faulty")
    assert done.code == 0
    assert "Finished: 20 evaluated, 0 failed" in done.out
    assert caplog.text.count("callback Faulty: ValueError: no such thing") == 1


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("own.py:number", "expected nas.Callback objects, or functions of the search's state, got int"),
        ("own.py:Countign", "did you mean 'Counting'?"),
        ("nothing.py:Counting", "callback: no file"),
        ("tensorbord", "did you mean 'tensorboard'?"),
    ],
)
def test_a_callback_that_cannot_be_used_is_refused_before_any_work(
    named: str, said: str, own: Path, nas_command
) -> None:
    done = nas_command("search", "search.yaml", "--callback", named)
    assert done.code == 2
    assert said in done.sentence
    assert not (own / "run").exists()


def test_a_setting_that_a_callback_does_not_have_is_refused(own: Path, nas_command) -> None:
    done = nas_command("search", "search.yaml", "--set", "callbacks=[{name: 'own.py:Counting', fiel: x}]")
    assert done.code == 2
    assert "no setting 'fiel' (did you mean 'file'?)" in done.sentence


@pytest.mark.parametrize("tracker", ["tensorboard", "mlflow", "wandb"])
def test_a_missing_package_is_one_sentence_with_the_command_that_installs_it(
    tracker: str, folder: Path, nas_command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "find_spec", lambda name: None)
    done = nas_command("search", "search.yaml", f"--{tracker}")
    assert done.code == 2
    assert f"pip install 'multiobjective-nas[{tracker}]'" in done.sentence
    assert not (folder / "run").exists()


def test_the_callbacks_are_listed(nas_command) -> None:
    said = nas_command("list", "callbacks").out
    assert all(name in said for name in ("tensorboard", "mlflow", "wandb"))
