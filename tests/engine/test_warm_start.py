"""A search that begins with the results of an earlier run."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from engine_parts import Grid, Keeping, interrupt_at, log_of, quick

import nas
from nas.algorithms import ALGORITHMS
from nas.algorithms.sa_moead import SAMOEADSettings
from nas.config.schema import SearchConfig
from nas.core.errors import ConfigError, HistoryError, NasError
from nas.core.records import Trial
from nas.engine.loop import LoopSettings
from nas.testing import ToySpace
from nas.training import Halving

pytestmark = pytest.mark.usefixtures("no_plots")
OBJECTIVES = ["error", "params", "madds"]
LEAN = SAMOEADSettings(initial=8, surrogate="rbf", whole_space=100, pool=100, growth=0.5)


def search(out: Path | None, **changes: Any) -> nas.SearchResult:
    arguments: dict[str, Any] = {"space": Grid(), "objectives": OBJECTIVES, "evaluate": quick, "seed": 5}
    return nas.search(
        **({"algorithm": "moead", **{"budget": 20, "algorithm": "random", "out": out} | arguments | changes})
    )


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A finished random search of 20 evaluations."""
    search(tmp_path / "earlier", seed=1)
    return tmp_path / "earlier"


def architectures(result: nas.SearchResult) -> list[str]:
    return list(result.history["architecture"])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_results_of_the_earlier_run_are_not_measured_again(algorithm: str, tmp_path: Path) -> None:
    settings = {"space": Grid(3, 4), "objectives": ["error"] if algorithm.startswith("regul") else OBJECTIVES}
    settings["algorithm_settings"] = LEAN if algorithm == "sa-moead" else None
    before = search(tmp_path / "earlier", seed=1, budget=40, **settings)
    after = search(None, warm_start=tmp_path / "earlier", algorithm=algorithm, budget=41, **settings)
    assert set(architectures(before)).isdisjoint(architectures(after))  # of 81: without it, some would meet
    assert len(after.history) == 41


def test_imported_results_do_not_count_as_evaluations(earlier: Path, tmp_path: Path) -> None:
    result = search(tmp_path / "new", warm_start=earlier, budget=7)
    assert result.summary["evaluations"] == len(result.history) == 7
    assert result.summary["imported"] == 20


def test_the_front_has_imported_results_with_their_origin(earlier: Path, tmp_path: Path) -> None:
    result = search(tmp_path / "new", warm_start=earlier, budget=7)
    both = pd.concat([search(earlier, seed=1, resume=True).history, result.history])
    points = both[OBJECTIVES].to_numpy()
    dominated = (
        (points[:, None] >= points[None]).all(axis=2) & (points[:, None] > points[None]).any(axis=2)
    ).any(axis=1)
    assert set(result.front["architecture"]) == set(both["architecture"][~dominated])
    front = pd.read_csv(tmp_path / "new" / "front.csv", keep_default_na=False)
    own = front["architecture"].isin(architectures(result))
    assert 0 < own.sum() < len(own)
    assert set(front["origin"][own]) == {""}
    assert set(front["origin"][~own]) == {str(earlier)}


def test_without_a_warm_start_the_front_has_no_origin(earlier: Path) -> None:
    assert "origin" not in pd.read_csv(earlier / "front.csv")


def test_hypervolume_begins_where_the_earlier_run_ended(earlier: Path, tmp_path: Path) -> None:
    before = search(earlier, seed=1, resume=True)
    after = search(tmp_path / "new", warm_start=earlier, budget=1)
    assert before.table is not None
    assert after.table is not None
    assert before.table.box is not None
    assert after.table.box is not None
    assert after.table.box.reference.tolist() == before.table.box.reference.tolist()
    assert after.summary["hypervolume"] >= before.summary["hypervolume"]


def test_runs_in_memory_and_in_a_folder_agree(earlier: Path, tmp_path: Path) -> None:
    kept, folder = (search(out, warm_start=earlier) for out in (None, tmp_path / "new"))
    assert kept.front.equals(folder.front)
    assert kept.summary["hypervolume"] == folder.summary["hypervolume"]


@pytest.mark.parametrize("algorithm", ["sa-moead", "moead"])
def test_a_stopped_run_ends_like_an_uninterrupted_one_without_the_earlier_run(
    algorithm: str, earlier: Path, tmp_path: Path
) -> None:
    what = {"algorithm": algorithm, "algorithm_settings": LEAN if algorithm == "sa-moead" else None}
    search(tmp_path / "whole", warm_start=earlier, **what)
    search(tmp_path / "run", warm_start=earlier, callbacks=[interrupt_at(6)], **what)
    shutil.rmtree(earlier)
    search(tmp_path / "run", resume=True, callbacks=[interrupt_at(13)], **what)
    search(tmp_path / "run", resume=True, warm_start=earlier, **what)
    assert log_of(tmp_path / "run") == log_of(tmp_path / "whole")
    fronts = [(tmp_path / name / "front.csv").read_bytes() for name in ("run", "whole")]
    assert fronts[0] == fronts[1]


def test_resuming_with_another_warm_start_is_refused(earlier: Path, tmp_path: Path) -> None:
    search(tmp_path / "new", warm_start=earlier)
    search(tmp_path / "cold")
    with pytest.raises(HistoryError, match="warm_start: the run was started with"):
        search(tmp_path / "new", warm_start=tmp_path / "cold", resume=True)
    with pytest.raises(HistoryError, match="started with None"):
        search(tmp_path / "cold", warm_start=earlier, resume=True)


def test_the_warm_start_of_a_run_is_passed_on_to_the_next(earlier: Path, tmp_path: Path) -> None:
    search(tmp_path / "second", warm_start=earlier, budget=7)
    third = search(tmp_path / "third", warm_start=tmp_path / "second", budget=3)
    assert third.summary["imported"] == 27
    assert set(third.front["origin"]) <= {"", str(earlier), str(tmp_path / "second")}
    assert str(earlier) in set(third.front["origin"])


def test_surrogates_learn_from_imported_results_and_need_no_design(earlier: Path, tmp_path: Path) -> None:
    search(tmp_path / "new", warm_start=earlier, algorithm="sa-moead", algorithm_settings=LEAN, budget=4)
    first = pd.read_csv(tmp_path / "new" / "surrogate.csv").iloc[0]
    assert first["told"] == 0
    assert 12 <= first["rows"] <= 20  # the choice of the model was made on most of them


def test_the_initial_design_is_shortened_by_known_results(tmp_path: Path) -> None:
    search(tmp_path / "few", seed=1, budget=3)
    settings = {"algorithm": "sa-moead", "algorithm_settings": LEAN, "loop": LoopSettings(concurrency=1)}
    warm = search(None, warm_start=tmp_path / "few", budget=7, **settings)
    cold = search(None, budget=8, **settings)
    assert architectures(warm)[:5] == architectures(cold)[3:8]


def test_exact_objectives_that_the_earlier_run_lacked_are_computed(tmp_path: Path) -> None:
    search(tmp_path / "two", objectives=["error", "params"])
    result = search(None, warm_start=tmp_path / "two", budget=3, seed=6)
    imported = result.front[result.front["origin"] != ""]
    assert len(imported)
    for _, row in imported.iterrows():
        assert row["madds"] == Grid().cost(Grid().parse(row["architecture"]))["madds"]


def test_a_limit_of_the_new_run_keeps_imported_results_off_its_front(earlier: Path) -> None:
    free = search(None, warm_start=earlier, budget=3)
    bound = float(free.front["error"].median())
    limited = search(None, warm_start=earlier, budget=3, limits=[f"error <= {bound}"])
    assert free.front["error"].max() > bound
    assert limited.front["error"].max() <= bound


def test_failed_results_are_not_imported(tmp_path: Path) -> None:
    def every_fourth_fails(trial: Trial) -> Any:
        if trial.id % 4 == 0:
            raise ValueError("no such layer")
        return quick(trial)

    search(tmp_path / "earlier", evaluate=every_fourth_fails)
    assert search(None, warm_start=tmp_path / "earlier", seed=6).summary["imported"] == 15


def test_only_results_of_the_same_budget_are_imported(tmp_path: Path) -> None:
    loop = LoopSettings(halving=Halving(1, 9))
    halved = search(tmp_path / "earlier", evaluate=Keeping(), budget=30, loop=loop)
    longest = (halved.history["budget"] == 9).sum()
    same = search(None, evaluate=Keeping(), loop=LoopSettings(fidelity=9), warm_start=tmp_path / "earlier")
    assert 0 < longest < 30
    assert same.summary["imported"] == longest
    with pytest.raises(ConfigError, match=r"no result at budget 2, .*\(it has budget 1, 3, 9;"):
        search(None, evaluate=Keeping(), loop=LoopSettings(fidelity=2), warm_start=tmp_path / "earlier")


def test_halving_continues_only_architectures_of_its_run(tmp_path: Path) -> None:
    what = {"evaluate": Keeping(), "loop": LoopSettings(halving=Halving(1, 9)), "budget": 30}
    before = search(tmp_path / "earlier", seed=1, **what)
    after = search(tmp_path / "new", warm_start=tmp_path / "earlier", **what)
    first = before.history[before.history["budget"] == 1]
    assert after.summary["imported"] == len(first) < 30
    assert set(after.history["architecture"]).isdisjoint(first["architecture"])
    assert {"budget", "origin"} <= set(after.front)
    assert set(after.front["budget"][after.front["origin"] != ""]) <= {1.0}


def test_the_weights_of_a_warm_run_are_those_of_its_networks(tmp_path: Path) -> None:
    loop = LoopSettings(fidelity=3)
    search(tmp_path / "earlier", evaluate=Keeping(), loop=loop, seed=1)
    result = search(tmp_path / "new", evaluate=Keeping(), loop=loop, warm_start=tmp_path / "earlier")
    index = json.loads((tmp_path / "new" / "weights" / "index.json").read_text())
    assert set(index) == set(result.front["architecture"][result.front["origin"] == ""])
    assert len(index) < len(result.front)


def damage(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "history.sqlite") as db:
        db.execute(statement)
    db.close()


REFUSED: dict[str, tuple[type[NasError], str, dict[str, Any]]] = {
    "another space": (ConfigError, "searched space 'grid', this search uses 'toy'", {"space": ToySpace()}),
    "other genes": (ConfigError, "searched 'grid' with other settings", {"space": Grid(5)}),
    "another measured objective": (ConfigError, "did not measure objective 'latency'; it has error, params, madds", {"objectives": ["error", nas.Objective("latency")]}),
    "another direction": (ConfigError, "'error' is minimised, in %, here maximised, in %", {"objectives": [nas.Objective("error", "%", maximize=True)]}),
    "another exact value": (HistoryError, r"had params = \d+ when the run was started and has \d+ now", {"space": Grid(scale=2.0)}),
    "its own folder": (ConfigError, "is the output folder of this search", {"out": "earlier"}),
    "no run": (HistoryError, "warm_start: no run in", {"warm_start": "nowhere"}),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_run_that_does_not_fit_is_refused_before_any_work(
    case: str, earlier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    error, words, changes = REFUSED[case]

    def never(trial: Trial) -> Any:
        raise AssertionError("evaluated")

    with pytest.raises(error, match=words):
        search(**({"out": tmp_path / "new", "warm_start": "earlier", "evaluate": never} | changes))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "statement",
    [
        """UPDATE results SET "values" = '{"error": NaN}' WHERE trial = 3""",
        """UPDATE results SET "values" = '{"error": ' WHERE trial = 3""",
        "UPDATE trials SET architecture = '9-9-9-9-9-9' WHERE id = 3",
        "DROP TABLE results",
    ],
)
def test_a_damaged_run_is_refused(statement: str, earlier: Path) -> None:
    damage(earlier, statement)
    with pytest.raises(HistoryError, match="warm_start: "):
        search(None, warm_start=earlier)


def test_a_damaged_file_is_refused(earlier: Path) -> None:
    (earlier / "history.sqlite").write_bytes(b"SQLite format 3\0" + bytes(5000))
    with pytest.raises(HistoryError, match="warm_start: "):
        search(None, warm_start=earlier)


def test_a_config_may_name_a_warm_start() -> None:
    assert (
        SearchConfig.model_validate({"space": "x", "warm_start": "runs/earlier"}).warm_start == "runs/earlier"
    )


def test_reading_an_earlier_run_changes_nothing_in_it(earlier: Path) -> None:
    before = {p.name: p.read_bytes() for p in earlier.iterdir() if p.is_file()}
    search(None, warm_start=earlier)
    assert {name: (earlier / name).read_bytes() for name in before} == before


def test_a_space_that_the_earlier_run_exhausted_leaves_its_front(tmp_path: Path) -> None:
    before = search(tmp_path / "earlier", space=Grid(2, 3), budget=8)
    after = search(tmp_path / "new", space=Grid(2, 3), warm_start=tmp_path / "earlier")
    assert after.state == "exhausted"
    assert len(after.history) == 0
    assert after.front["architecture"].tolist() == before.front["architecture"].tolist()
    assert after.summary["hypervolume"] == pytest.approx(before.summary["hypervolume"])


def test_an_architecture_measured_again_after_a_warm_start_has_the_mean_of_both(tmp_path: Path) -> None:
    settings = SAMOEADSettings(initial=4, surrogate="rbf", whole_space=100, pool=100, repeats=0.9)
    search(tmp_path / "earlier")
    warm = {"algorithm": "sa-moead", "algorithm_settings": settings, "warm_start": tmp_path / "earlier"}
    result = search(tmp_path / "new", budget=12, **warm)
    assert result.table is not None
    both = pd.concat([result.table.imported, result.history])
    again = set(result.table.imported["architecture"]) & set(result.history["architecture"])
    assert again & set(result.front["architecture"])
    for _, row in result.front.iterrows():
        measured = both[both["architecture"] == row["architecture"]]["error"]
        assert row["error"] == pytest.approx(measured.mean())
        assert row["measurements"] == len(measured)
    assert "error_expected" in result.front
