"""Runs as studies of Optuna, read back with Optuna and with optuna-dashboard's server."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from engine_parts import Grid
from noisy_parts import search as noisy_search

import nas
from nas.core.errors import ConfigError, ForeignFileError, HistoryError
from nas.engine.search_state import LoopSettings
from nas.engine.work import Work
from nas.export.optuna_study import MARK, export_study
from nas.runs.reading import load_run
from nas.training import Halving

pytestmark = pytest.mark.usefixtures("no_plots")
optuna_installed = importlib.util.find_spec("optuna") is not None
needs_optuna = pytest.mark.skipif(not optuna_installed, reason="not installed: optuna")

SPACE = nas.Space(
    "mixed",  # its architectures have different scores, so that the front has one trial per point
    depth=nas.Integer(1, 3),
    width=nas.Choice(16, 32, 48),
    odd=nas.Choice(3, 5, 9),
    kind=nas.Choice("relu", "silu", None, (1, 2)),
    rate=nas.Float(0.0, 0.5, levels=6, when={"width": (32, 48)}),
    decay=nas.Float(0.001, 0.1, levels=3, log=True),
    stages=nas.Repeat("depth", kernel=nas.Choice(3, 5)),
)


def evaluate(trial: nas.Trial) -> Mapping[str, float]:
    """Two exact objectives and a further value; one failure in seven."""
    c = trial.choices
    assert c is not None
    if trial.id % 7 == 3:
        raise RuntimeError("no such layer")
    score = trial.id / 1000 + c["width"] * c["depth"] + 10 * c.get("rate", 0.0) + 100 * c["decay"] - c["odd"]
    return {"score": score, "size": float(c["width"] * c["odd"] + 3 * c["depth"]), "loss": score / 7}


TRIALS = 24  # writing one takes some hundredths of a second
SCORE, SIZE = nas.Objective("score", "%", maximize=True), nas.Objective("size", "bytes")


def search(out: Path, **changes: Any) -> nas.SearchResult:
    arguments: dict[str, Any] = {
        "algorithm": "random",
        "budget": TRIALS,
        "executor": "serial",
        "evaluate": evaluate,
    }
    return nas.search(SPACE, [SCORE, SIZE], out=out, **arguments | changes)


def load(url: str, name: str = "run") -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.load_study(study_name=name, storage=url)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, nas.SearchResult]:
    """The URL of a study, its run and the run's result."""
    folder = tmp_path_factory.mktemp("optuna")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        result = search(folder / "run")
    url = f"sqlite:///{folder / 'study.db'}"
    made = export_study(folder / "run", url)
    assert (made.name, made.storage, sum(made.states.values())) == ("run", url, TRIALS)
    return url, folder / "run", result


@needs_optuna
def test_the_best_trials_of_the_study_are_the_front(exported: tuple[str, Path, nas.SearchResult]) -> None:
    url, _, result = exported
    study = load(url)
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == ["score", "size"]
    found = {tuple(t.values) for t in study.best_trials}
    assert found == set(result.front[["score", "size"]].itertuples(index=False, name=None))
    marked = {t.user_attrs["architecture"]: t.values for t in study.trials if t.user_attrs.get("front")}
    front = result.front.set_index("architecture")[["score", "size"]]
    assert marked == {
        name: list(values) for name, values in zip(front.index, front.to_numpy().tolist(), strict=True)
    }


@needs_optuna
def test_every_trial_has_its_state_values_times_and_attributes(
    exported: tuple[str, Path, nas.SearchResult],
) -> None:
    url, _, result = exported
    trials, table = load(url).trials, result.history
    assert [t.number for t in trials] == table["trial"].tolist()
    states = table["status"].map({"ok": "COMPLETE", "failed": "FAIL"}).tolist()
    assert [t.state.name for t in trials] == states
    assert states.count("FAIL") == 3
    for trial, row in zip(trials, table.to_dict("records"), strict=True):
        assert trial.datetime_start.timestamp() == pytest.approx(row["started"], abs=1e-3)
        assert trial.datetime_complete.timestamp() == pytest.approx(row["finished"], abs=1e-3)
        attributes = trial.user_attrs
        assert (attributes["trial"], attributes["seed"]) == (row["trial"], row["seed"])
        if row["status"] == "ok":
            assert trial.values == [row["score"], row["size"]]
            assert attributes["loss"] == row["loss"]
        else:
            assert trial.values is None
            assert attributes["reason"].startswith("RuntimeError: no such layer")


@needs_optuna
def test_parameters_have_their_declared_distributions(exported: tuple[str, Path, nas.SearchResult]) -> None:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    url, _, _ = exported
    found: dict[str, Any] = {}
    for trial in load(url).trials:
        found |= trial.distributions
    assert found == {
        "depth": IntDistribution(1, 3),
        "width": IntDistribution(16, 48, step=16),
        "odd": CategoricalDistribution((3, 5, 9)),
        "kind": CategoricalDistribution(("relu", "silu", None, "(1;2)")),
        "rate": FloatDistribution(0.0, 0.5, step=0.1),
        "decay": FloatDistribution(0.001, 0.1, log=True),
        **{f"stages.{i}.kernel": IntDistribution(3, 5, step=2) for i in range(3)},
    }


@needs_optuna
def test_active_parameters_have_their_values_and_inactive_ones_are_absent(
    exported: tuple[str, Path, nas.SearchResult],
) -> None:
    url, _, _ = exported
    trials = load(url).trials
    for trial in trials:
        choices = dict(SPACE.choices(SPACE.parse(trial.user_attrs["architecture"])))
        expected = {name: "(1;2)" if value == (1, 2) else value for name, value in choices.items()}
        assert trial.params == pytest.approx(expected)
        assert {name: type(v) for name, v in trial.params.items()} == {
            n: type(v) for n, v in expected.items()
        }
    assert any("rate" not in t.params for t in trials)
    assert any("rate" in t.params for t in trials)


@needs_optuna
def test_limits_are_constraints_of_optuna(tmp_path: Path) -> None:
    result = search(tmp_path / "run", limits=["size <= 200", "score >= 30"])
    export_study(tmp_path / "run", f"sqlite:///{tmp_path / 'study.db'}")
    study = load(f"sqlite:///{tmp_path / 'study.db'}")
    best = {t.user_attrs["architecture"] for t in study.best_trials}
    assert best == set(result.front["architecture"])
    assert study.user_attrs["limits"] == ["size <= 200", "score >= 30"]
    complete = [t for t in study.trials if t.values is not None]
    for trial in complete:
        score, size = trial.values
        assert list(trial.constraints.values()) == pytest.approx([size - 200, 30 - score])
    assert any(max(t.constraints.values()) > 0 for t in complete)


@needs_optuna
def test_trials_below_the_highest_budget_are_pruned(tmp_path: Path) -> None:
    def by_budget(trial: nas.Trial) -> dict[str, float]:
        return {"error": (sum(trial.architecture.genes) + trial.id / 100) / (trial.budget or 1.0)}

    loop = LoopSettings(halving=Halving(1, 4, 2))
    result = nas.search(
        Grid(),
        ["error", "params"],
        by_budget,
        algorithm="random",
        budget=20,
        loop=loop,
        out=tmp_path / "run",
        executor="serial",
    )
    made = export_study(tmp_path / "run", f"sqlite:///{tmp_path / 'study.db'}")
    study = load(f"sqlite:///{tmp_path / 'study.db'}")
    assert made.states == {
        "complete": int((result.history["budget"] == 4).sum()),
        "pruned": int((result.history["budget"] < 4).sum()),
    }
    for trial in study.trials:
        assert (trial.state.name == "COMPLETE") == (trial.user_attrs["budget"] == 4.0)
    assert {t.user_attrs["architecture"] for t in study.best_trials} == set(result.front["architecture"])


@needs_optuna
def test_a_space_without_a_declaration_has_categories_of_the_observed_values(tmp_path: Path) -> None:
    class Named(Grid):
        name = "named"
        parameters = ("first", "second")

        def choices(self, architecture: nas.Architecture) -> dict[str, Any]:
            first, second = architecture.genes[:2]
            return {"first": first} | ({"second": f"s{second}"} if first > 2 else {})

    def cheap(trial: nas.Trial) -> dict[str, float]:
        return {"error": float(sum(trial.architecture.genes))}

    nas.search(
        Named(),
        ["error", "params"],
        cheap,
        algorithm="random",
        budget=15,
        out=tmp_path / "run",
        executor="serial",
    )
    export_study(tmp_path / "run", f"sqlite:///{tmp_path / 'study.db'}")
    trials = load(f"sqlite:///{tmp_path / 'study.db'}").trials
    firsts = sorted({t.params["first"] for t in trials})
    assert trials[0].distributions["first"].choices == tuple(firsts)
    assert all(isinstance(first, int) for first in firsts)
    assert all(("second" in t.params) == (t.params["first"] > 2) for t in trials)


@needs_optuna
def test_a_noisy_front_is_marked_with_its_expected_values(tmp_path: Path) -> None:
    result = noisy_search(tmp_path / "run", budget=15)
    export_study(tmp_path / "run", f"sqlite:///{tmp_path / 'study.db'}")
    marked = [t for t in load(f"sqlite:///{tmp_path / 'study.db'}").trials if t.user_attrs.get("front")]
    front = result.front.set_index("architecture")
    assert {t.user_attrs["architecture"] for t in marked} == set(front.index)
    for trial in marked:
        assert trial.user_attrs["error_expected"] == front["error_expected"][trial.user_attrs["architecture"]]


@needs_optuna
@pytest.mark.slow
def test_results_of_a_warm_start_come_first(tmp_path: Path) -> None:
    search(tmp_path / "first", budget=20)
    result = search(tmp_path / "run", budget=20, warm_start=tmp_path / "first", seed=5)
    export_study(tmp_path / "run", f"sqlite:///{tmp_path / 'study.db'}")
    study = load(f"sqlite:///{tmp_path / 'study.db'}")
    imported = [t for t in study.trials if t.user_attrs.get("origin")]
    assert [t.number for t in imported] == list(range(result.summary["imported"]))
    assert {t.user_attrs["architecture"] for t in study.best_trials} == set(result.front["architecture"])


@needs_optuna
def test_an_existing_study_is_kept_unless_an_earlier_export_wrote_it(tmp_path: Path) -> None:
    import optuna

    run = tmp_path / "run"
    search(run, budget=4)
    url = f"sqlite:///{tmp_path / 'study.db'}"
    export_study(run, url)
    with pytest.raises(ConfigError, match=r"has a study 'run' already.*--overwrite"):
        export_study(run, url)
    export_study(run, url, overwrite=True)
    assert len(load(url).trials) == 4
    optuna.create_study(storage=url, study_name="theirs").add_trial(optuna.create_trial(value=1.0))
    with pytest.raises(ConfigError, match="'theirs' was not written by this command and is kept"):
        export_study(run, url, "theirs", overwrite=True)
    assert len(load(url, "theirs").trials) == 1


@needs_optuna
def test_an_interrupted_overwrite_keeps_the_earlier_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import optuna

    run = tmp_path / "run"
    search(run, budget=4)
    url = f"sqlite:///{tmp_path / 'study.db'}"
    export_study(run, url)

    def interrupted(self: Any, trial: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, "add_trial", interrupted)
        with pytest.raises(KeyboardInterrupt):
            export_study(run, url, overwrite=True)
    assert optuna.get_all_study_names(url) == ["run"]
    assert len(load(url).trials) == 4


@needs_optuna
def test_a_trial_without_a_result_waits_unless_a_worker_of_a_running_search_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = nas.Study(SPACE, [SCORE, SIZE], algorithm="random", out=tmp_path / "run")
    study.ask()
    study.ask()
    study.close()
    url = f"sqlite:///{tmp_path / 'study.db'}"
    assert export_study(tmp_path / "run", url).states == {"waiting": 2}
    here = {"elsewhere": False, "here": True, "workers": (Work("one", 1), Work("two"))}
    monkeypatch.setattr("nas.export.optuna_trials.read_heartbeat", lambda folder: SimpleNamespace(**here))
    assert export_study(tmp_path / "run", url, overwrite=True).states == {"waiting": 1, "running": 1}


@needs_optuna
def test_an_interrupted_export_leaves_no_half_study(
    exported: tuple[str, Path, nas.SearchResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import optuna

    added, add = iter(range(1000)), optuna.Study.add_trial

    def interrupted(self: Any, trial: Any) -> None:
        if next(added) == 5:
            raise KeyboardInterrupt
        add(self, trial)

    monkeypatch.setattr(optuna.Study, "add_trial", interrupted)
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with pytest.raises(KeyboardInterrupt):
        export_study(exported[1], url)
    assert optuna.get_all_study_names(url) == []


@needs_optuna
@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "study.db",
            "expected a database URL such as sqlite:///study.db; for a SQLite file write sqlite:///study.db",
        ),
        ("sqlte:///study.db", "unknown kind of database 'sqlte'"),
        ("sqlite://", "a database in memory ends with this command"),
        ("sqlite:///:memory:", "a database in memory ends with this command"),
        ("sqlite:///no/such/study.db", "its folder does not exist"),
        ("sqlite:///.", "is a folder"),
        ("", "expected a database URL"),
        ("postgresql://user:secret@127.0.0.1:9/db", r"postgresql://user:\*\*\*@127.0.0.1:9/db"),
    ],
)
def test_a_url_that_cannot_be_used_is_one_sentence(
    url: str,
    said: str,
    exported: tuple[str, Path, nas.SearchResult],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=said) as caught:
        export_study(exported[1], url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@needs_optuna
def test_a_file_of_another_program_is_left_unchanged(
    exported: tuple[str, Path, nas.SearchResult], tmp_path: Path
) -> None:
    run = exported[1]
    log = (run / "history.sqlite").read_bytes()
    with pytest.raises(ForeignFileError, match="the log of a run"):
        export_study(run, f"sqlite:///{run / 'history.sqlite'}")
    assert (run / "history.sqlite").read_bytes() == log
    with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE letters (text TEXT)")
    with pytest.raises(ForeignFileError, match="a database of another program"):
        export_study(run, f"sqlite:///{tmp_path / 'other.db'}")
    (tmp_path / "notes.txt").write_text("a note " * 100)
    with pytest.raises(ForeignFileError, match="is not a database of Optuna"):
        export_study(run, f"sqlite:///{tmp_path / 'notes.txt'}")


@needs_optuna
def test_a_folder_without_a_run_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(HistoryError):
        export_study(tmp_path, f"sqlite:///{tmp_path / 'study.db'}")
    assert not (tmp_path / "study.db").exists()


def test_a_missing_optuna_is_an_error_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'multiobjective-nas\[optuna\]'"):
        export_study(tmp_path, "sqlite:///study.db")


def answer(url: str, server: subprocess.Popen[bytes]) -> Any:
    """The JSON at a URL, once the server answers."""
    give_up = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                return json.load(response)
        except urllib.error.URLError:
            if server.poll() is not None or time.monotonic() > give_up:
                raise
            time.sleep(0.1)


@needs_optuna
@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("optuna_dashboard") is None, reason="not installed: optuna-dashboard"
)
def test_optuna_dashboard_shows_the_run(exported: tuple[str, Path, nas.SearchResult]) -> None:
    url, run, result = exported
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "from optuna_dashboard._cli import main; main()"
    command = [sys.executable, "-c", code, url, "--host", "127.0.0.1", "--port", str(port), "--quiet"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        site = f"http://127.0.0.1:{port}/api/studies"
        (listed,) = answer(site, server)["study_summaries"]
        study = answer(f"{site}/{listed['study_id']}", server)
    finally:
        server.terminate()
        server.wait(30)
    assert listed["study_name"] == "run"
    assert listed["directions"] == ["maximize", "minimize"]
    assert {a["key"]: a["value"] for a in study["user_attrs"]}[MARK] == str(run.resolve())
    assert study["objective_names"] == ["score", "size"]
    assert len(study["trials"]) == TRIALS
    shown = {
        a["value"].strip('"')
        for t in study["best_trials"]
        for a in t["user_attrs"]
        if a["key"] == "architecture"
    }
    assert shown == set(result.front["architecture"])
    assert {p["name"] for p in study["union_search_space"]} == set(load_run(run)[0].parameters)
