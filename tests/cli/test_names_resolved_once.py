"""A name is looked up once, before anything is announced, and the object is what runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.algorithms import ALGORITHMS
from nas.algorithms.peers import PEERS
from nas.api import search
from nas.config.assemble import make_executor
from nas.config.schema import Part
from nas.core.errors import ConfigError
from nas.core.plugins import registry
from nas.testing.toy import ToySpace

OWN = '''
import dataclasses

from nas.executors import SerialExecutor


class Plain(SerialExecutor):
    """Settings as keyword arguments."""

    def __init__(self, evaluate, required, note="made.txt"):
        super().__init__(evaluate, required=required)
        with open(note, "a") as file:
            file.write("made\\n")


@dataclasses.dataclass(frozen=True)
class Own:
    note: str = "made.txt"
    workers: int = 3


class WithSettings(SerialExecutor):
    Settings = Own

    def __init__(self, evaluate, settings, *, required=frozenset()):
        super().__init__(evaluate, required=required)
        with open(settings.note, "a") as file:
            file.write("made\\n")


def factory(evaluate, names):
    return SerialExecutor(evaluate, required=names)


class Half:
    def submit(self, trial):
        pass


def nothing(evaluate, names):
    return 3
'''


@pytest.fixture
def own(folder: Path) -> Path:
    (folder / "own.py").write_text(OWN)
    return folder


@pytest.mark.parametrize("name", [n for n in PEERS if n.startswith("pymoo")])
def test_a_peer_searches_from_the_command_line_to_its_front_and_is_resumed(
    name: str, folder: Path, nas_command
) -> None:
    objectives = ("--set", "objectives=[error, params]", "--set", "algorithm.population=6")
    done = nas_command("search", "search.yaml", "--algorithm", name, *objectives)
    assert done.code == 0, done.err
    assert f"{name}, 20 evaluations" in done.out
    again = nas_command("search", "--resume", "run", "--budget", "26")
    assert again.code == 0, again.err
    assert "26 evaluated" in again.out


def test_a_peer_is_an_algorithm_of_nas_search_in_python() -> None:
    def measured(trial):
        return {"error": float(sum(trial.architecture.genes))}

    found = search(ToySpace(), ["error", "params"], measured, algorithm="pymoo-nsga2", budget=20)
    assert found.summary["algorithm"] == "pymoo-nsga2"
    assert set(registry("algorithm")) == {*ALGORITHMS, *PEERS}


def test_a_peer_without_its_package_is_refused_before_the_search_is_announced(
    folder: Path, nas_command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PEERS["optuna-tpe"], "needs", ("no_such_package", "pip install it"))
    done = nas_command(
        "search", "search.yaml", "--algorithm", "optuna-tpe", "--set", "algorithm={name: optuna-tpe}"
    )
    assert (done.code, done.out) == (2, "")
    assert "needs the package no_such_package, which is not installed: pip install it" in done.sentence


@pytest.mark.parametrize("name", ["Plain", "WithSettings"])
def test_a_custom_executor_with_settings_searches_and_is_resumed(name: str, own: Path, nas_command) -> None:
    done = nas_command(
        "search", "search.yaml", "--executor", f"own.py:{name}", "--set", "executor.note=here.txt"
    )
    assert done.code == 0, done.err
    assert "20 evaluated" in done.out
    assert (own / "here.txt").read_text() == "made\n"
    assert nas_command("search", "--resume", "run", "--budget", "24").code == 0
    assert (own / "here.txt").read_text() == "made\nmade\n"


def test_a_function_that_makes_an_executor_serves_as_one(own: Path, nas_command) -> None:
    assert nas_command("search", "search.yaml", "--executor", "own.py:factory").code == 0


def test_an_executor_s_file_counts_from_where_the_command_runs(
    own: Path, nas_command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own / "inner").mkdir()
    (own / "inner" / "own.py").write_text(OWN)
    monkeypatch.chdir(own / "inner")
    done = nas_command("search", "../search.yaml", "--executor", "own.py:Plain", "--out", "here")
    assert done.code == 0, done.err
    assert (own / "inner" / "made.txt").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("own.py:Half", "the class Half has no collect, close"),
        ("own.py:nothing", "int has no submit, collect, close, free"),
        ("own.py:Own", "the class Own has no submit, collect, close"),
        ("parts.py:number", "expected an executor"),
        ("own.py:Plian", "did you mean 'Plain'?"),
        ("subprocess:Popen", "standard library"),
        ("subprocess:getoutput", "standard library"),
        ("seriel", "did you mean 'serial'?"),
    ],
)
def test_an_invalid_executor_is_refused(name: str, said: str, own: Path, nas_command) -> None:
    done = nas_command("search", "search.yaml", "--executor", name)
    assert done.code == 2
    assert said in done.sentence


def test_a_setting_that_a_custom_executor_lacks_is_refused_before_anything_runs(
    own: Path, nas_command
) -> None:
    done = nas_command("search", "search.yaml", "--executor", "own.py:Plain", "--set", "executor.nota=x")
    assert done.code == 2
    assert "no setting 'nota' (did you mean 'note'?)" in done.sentence
    assert not (own / "run").exists()


def test_nas_compare_takes_a_custom_executor(own: Path) -> None:
    make, settings = make_executor(Part.model_validate({"name": "own.py:WithSettings", "workers": 5}), own)
    assert settings.workers == 5
    executor = make(lambda trial: {}, frozenset())
    assert executor.free == 1


@pytest.mark.parametrize(
    "change",
    [
        ("--set", "algorithm={name: sa-moead, surrogate: nosuch}"),
        ("--set", "algorithm={name: sa-moead, surrogate: 'own.py:Nothing'}"),
        ("--set", "budget=3"),
        ("--algorithm", "nosuch"),
        ("--callback", "own.py:Nothing"),
    ],
)
def test_nothing_is_announced_before_every_name_is_resolved(
    change: tuple[str, ...], own: Path, nas_command
) -> None:
    done = nas_command("search", "search.yaml", *change)
    assert (done.code, done.out) == (2, "")


def test_an_unknown_algorithm_names_the_peers_too() -> None:
    with pytest.raises(ConfigError, match="pymoo-nsga2"):
        search(ToySpace(), ["params"], algorithm="pymoo-nsga")
