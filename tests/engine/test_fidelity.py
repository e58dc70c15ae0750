"""Successive halving inside a search: promotions, counts, and a reproducible outcome."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from engine_parts import Grid, Keeping, Noting, Shuffled, interrupt_at, log_of, rising

import nas
from nas.cli.panel import line
from nas.config.assemble import assemble
from nas.config.schema import check_config
from nas.core.errors import ConfigError, ForeignFileError, HistoryError
from nas.core.objectives import Limit
from nas.core.problem import Problem
from nas.core.records import Trial
from nas.engine.fidelity import IN_LINE
from nas.engine.loop import LoopSettings, SearchState
from nas.engine.plan import check_ready
from nas.monitor import LiveStatus
from nas.pareto.archive import LatestFront
from nas.pareto.indicators import hypervolume
from nas.runs.fold import Fold
from nas.runs.history import read_history
from nas.runs.run_folder import run_table
from nas.training import Halving

OBJECTIVES = ["error", "params"]
RULE = Halving(2, 18, 3)
pytestmark = pytest.mark.usefixtures("no_plots")


def search(
    out: Path | None = None, budget: int = 60, stop: int | None = None, **more: Any
) -> nas.SearchResult:
    loop = LoopSettings(
        evaluations=budget, seed=5, halving=more.pop("halving", RULE), ordered=more.pop("ordered", True)
    )
    settings: dict[str, Any] = {"evaluate": rising, "callbacks": [interrupt_at(stop)], **more}
    objectives = settings.pop("objectives", OBJECTIVES)
    return nas.search(Grid(), objectives, loop=loop, out=out, **{"algorithm": "moead", **settings})


def shuffled(workers: int, seed: int):
    return lambda evaluate, required: Shuffled(evaluate, workers, seed)


def test_every_architecture_starts_on_the_first_rung_and_climbs_one_at_a_time() -> None:
    climbed = search().history.groupby("architecture", sort=False)["budget"].apply(list)
    assert set(map(tuple, climbed)) == {(2.0,), (2.0, 6.0), (2.0, 6.0, 18.0)}


def test_a_third_of_each_rung_is_promoted() -> None:
    at = search(budget=200).history["budget"].value_counts()
    assert at[2.0] / 3 - 3 <= at[6.0] <= at[2.0] / 3
    assert at[6.0] / 3 - 3 <= at[18.0] <= at[6.0] / 3


def test_a_continuation_has_the_seed_of_its_first_trial() -> None:
    assert (search().history.groupby("architecture")["seed"].nunique() == 1).all()


def test_promoted_trials_were_among_the_best_third_of_the_results() -> None:
    frame = search(objectives=["error"], algorithm="random", budget=80).history
    first = frame[frame["budget"] == 2].set_index("architecture")
    for _, went in frame[frame["budget"] == 6].iterrows():
        before = first[first["told"] <= went["trial"]]  # told when it was asked for, or sooner
        place = int((before["error"] < before["error"][went["architecture"]]).sum())
        assert place < len(before) / 3 + 1


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("initial", [(), ("1-2-3-1-2-3",)])
def test_an_algorithm_receives_results_of_the_first_budget_or_of_all_it_asks_for(
    every: bool, initial: tuple[str, ...]
) -> None:
    told: list[Any] = []

    class Listening(Noting):
        every_budget = every

        def tell(self, observations: Any) -> None:
            told.extend(observations)
            super().tell(observations)

    frame = search(algorithm=Listening, initial=initial).history
    wanted = frame if every else frame[frame["budget"] == 2]
    assert [(seen.objectives[0], seen.budget) for seen in told] == list(
        zip(wanted["error"], wanted["budget"], strict=True)
    )


def test_a_result_at_a_higher_budget_that_breaks_a_limit_replaces_no_front() -> None:
    fold: Fold[str] = Fold([nas.Objective("x")], [Limit("x", 5.0)])
    assert fold.put("a", 1.0, np.array([3.0]), "a1").changed
    assert not fold.put("a", 3.0, np.array([9.0]), "a3").changed
    assert (fold.budget, list(fold.front.items)) == (1.0, ["a1"])
    assert fold.put("b", 3.0, np.array([4.0]), "b3").changed
    assert not fold.put("c", 1.0, np.array([0.0]), "c1").changed
    assert (fold.budget, list(fold.front.items)) == (3.0, ["b3"])


def test_each_continuation_is_an_evaluation() -> None:
    result = search(budget=60)
    assert len(result.history) == result.summary["evaluations"] == 60
    assert result.summary["architectures"] == result.history["architecture"].nunique() < 60


def test_the_summary_lists_the_spending_on_each_rung() -> None:
    result = search()
    at = Counter(result.history["budget"])
    assert result.summary["budgets"] == {"2": at[2.0], "6": at[6.0], "18": at[18.0]}
    assert result.summary["budget_spent"] == 2 * at[2.0] + 4 * at[6.0] + 12 * at[18.0]


def by_hand(frame: pd.DataFrame) -> set[tuple[str, float]]:
    """The front of the results of the highest budget, by the definition."""
    last = frame[frame["budget"] == frame["budget"].max()].sort_values("told")
    points = last[OBJECTIVES].to_numpy()
    beaten = [bool((np.all(points <= p, axis=1) & np.any(points < p, axis=1)).any()) for p in points]
    kept = last[~np.array(beaten)]
    return set(zip(kept["architecture"], kept["budget"], strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_the_front_has_results_of_the_highest_budget_alone(seed: int) -> None:
    states: list[SearchState] = []
    worse = lambda trial: {"error": -rising(trial)["error"]}  # noqa: E731 (a longer training is worse here)
    for evaluate in (rising, worse):
        result = search(evaluate=evaluate, budget=100, executor=shuffled(4, seed), callbacks=[states.append])
        found = set(zip(result.front["architecture"], result.front["budget"], strict=True))
        assert found == by_hand(result.history)
        assert set(result.front["budget"]) == {18.0}
        live = {(Grid().format(r.trial.architecture), r.trial.budget) for r in states[-1].front.items}
        assert live == found


def test_the_curve_ends_at_the_hypervolume_of_the_front_and_may_fall_when_the_first_network_has_a_higher_budget() -> (
    None
):
    frame = pd.DataFrame({
        "architecture": ["a", "b", "a", "c", "b"], "status": ["ok", "ok", "ok", "failed", "ok"],
        "budget": [1.0, 1.0, 3.0, 1.0, 3.0], "x": [2.0, 1.0, 3.0, np.nan, 1.0], "y": [2.0, 3.0, 2.0, np.nan, 9.0],
        "told": range(5), "told_seconds": 0.0,
    })  # fmt: skip
    table = run_table(frame, [nas.Objective("x"), nas.Objective("y")], [Limit("y", 5.0)], 2)
    size = table.along(lambda front: float(len(front) and 10 - front.sum(axis=1).min()), 0.0)
    # "a" at 3 replaces the front at 1; a failure changes nothing; "b" breaks a limit
    assert size.tolist() == [6, 6, 5, 5, 5]
    assert table.front["architecture"].tolist() == ["a"]
    assert table.latest.tolist() == [False, False, True, False, True]
    assert table.curve[-1] == table.hypervolume == hypervolume(table.final, table.box)


def test_a_newer_point_replaces_the_older_and_points_hidden_by_it_return() -> None:
    front: LatestFront[str] = LatestFront(1)
    for key, value in (("a", 3.0), ("b", 2.0), ("b", 1.0)):
        assert front.put(key, np.array([value]), f"{key}{value:g}")
    assert list(front.items) == ["b1"]
    assert not front.put("c", np.array([2.0]), "c2")
    assert front.put("b", np.array([1.0]), "b again")
    assert list(front.items) == ["b again"]
    assert front.put("b", np.array([5.0]), "b5")
    assert list(front.items) == ["c2"]
    assert front.put("c", None, "c breaks a limit")
    assert list(front.items) == ["a3"]


def test_a_continuation_that_fails_leaves_the_earlier_result_on_the_front() -> None:
    def fails_late(trial: Trial):
        if trial.budget != 2:
            raise RuntimeError("diverged")
        return rising(trial)

    loop = LoopSettings(evaluations=60, halving=RULE, max_failures=1.0)
    result = nas.search(Grid(), OBJECTIVES, fails_late, loop=loop, algorithm="moead")
    assert result.summary["failed"] > 5
    assert set(result.history["budget"]) == {2.0, 6.0}
    first = nas.search(
        Grid(), OBJECTIVES, fails_late, loop=LoopSettings(evaluations=60, fidelity=2), algorithm="moead"
    )
    assert len(result.front) >= len(first.front) / 2


@pytest.mark.parametrize("seed", range(3))
def test_results_out_of_order_change_nothing(seed: int, tmp_path: Path) -> None:
    search(tmp_path / "serial")
    search(tmp_path / "shuffled", executor=shuffled(4, seed))
    assert log_of(tmp_path / "serial") == log_of(tmp_path / "shuffled")
    assert (tmp_path / "serial/front.csv").read_bytes() == (tmp_path / "shuffled/front.csv").read_bytes()


@pytest.mark.parametrize("algorithm", ["moead", "nsga2", Noting])
def test_a_run_stopped_twice_ends_like_an_uninterrupted_run(algorithm: Any, tmp_path: Path) -> None:
    search(tmp_path / "whole", algorithm=algorithm)
    for stop in (17, 33, None):
        search(tmp_path / "run", resume=stop != 17, stop=stop, algorithm=algorithm)
    assert log_of(tmp_path / "run") == log_of(tmp_path / "whole")
    assert (tmp_path / "run/front.csv").read_bytes() == (tmp_path / "whole/front.csv").read_bytes()


def test_a_finished_run_continued_with_a_larger_budget_equals_a_run_with_that_budget(tmp_path: Path) -> None:
    search(tmp_path / "whole", algorithm="random")
    search(tmp_path / "run", budget=31, algorithm="random")
    search(tmp_path / "run", resume=True, algorithm="random")
    assert log_of(tmp_path / "run") == log_of(tmp_path / "whole")


def test_an_unordered_run_replays_and_continues(tmp_path: Path) -> None:
    for stop in (20, None):
        search(tmp_path, resume=stop is None, stop=stop, executor=shuffled(4, 1), ordered=False)
    assert search(tmp_path, resume=True, ordered=False).state == "finished"  # the whole log replays


def test_a_space_that_runs_out_is_still_continued_to_the_end_of_its_best() -> None:
    tiny = nas.search(
        Grid(3, 2), OBJECTIVES, rising, algorithm="random", loop=LoopSettings(halving=RULE), budget=40
    )
    assert tiny.state == "exhausted"
    assert tiny.summary["budgets"]["2"] == 9
    assert tiny.summary["budgets"]["6"] >= 3


def test_another_ladder_is_refused_when_a_run_is_resumed(tmp_path: Path) -> None:
    search(tmp_path, stop=20)
    with pytest.raises(HistoryError, match=r"\(halving\.last: 18 then, 9 now\)"):
        search(tmp_path, resume=True, halving=Halving(2, 9, 3))


def test_a_fixed_budget_and_a_ladder_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="fidelity: halving sets the budget of each trial"):
        LoopSettings(fidelity=3, halving=RULE)


def test_the_progress_shows_the_count_of_each_rung() -> None:
    states: list[SearchState] = []
    live = LiveStatus()
    search(callbacks=[live, states.append])
    at, standing = states[-1].rungs.told_at, live.now()
    assert standing is not None
    assert f"budget 2: {at[2.0]}, 6: {at[6.0]}, 18: {at[18.0]}" in line(standing)
    assert at[18.0] > 0


# -- the weights of the front's networks ---------------------------------------------------------------------


def weights(out: Path) -> set[str]:
    return {path.name for path in (out / "weights").glob("*.pt")}


def expected(result: nas.SearchResult) -> set[str]:
    """The files of the front's networks."""
    frame = result.history.drop_duplicates("architecture", keep="last").set_index("architecture")
    return {f"{a.replace('-', '')}-{frame['seed'][a]}.pt" for a in result.front["architecture"]}


@pytest.mark.parametrize("halving", [RULE, Halving(2, 2)])
@pytest.mark.parametrize("stop", [None, 37])
def test_at_the_end_exactly_the_weights_of_the_front_are_left(
    halving: Halving, stop: int | None, tmp_path: Path
) -> None:
    result = search(tmp_path, evaluate=Keeping(), halving=halving, stop=stop)
    assert weights(tmp_path) == expected(result)
    assert len(weights(tmp_path)) == len(result.front) > 0


def test_while_a_search_runs_few_weights_are_on_the_disk(tmp_path: Path) -> None:
    most = 0

    def look(state: SearchState) -> None:
        nonlocal most
        needed = len(state.front) + 2 * IN_LINE + 2 * state.settings.concurrency
        most = max(most, len(weights(tmp_path)) - needed)

    search(tmp_path, evaluate=Keeping(), budget=300, callbacks=[look])
    assert most <= 0


def test_a_continuation_finds_its_weights(tmp_path: Path) -> None:
    frame = search(tmp_path, evaluate=Keeping(), budget=150, executor=shuffled(4, 0)).history
    spent = frame["trained"].sum()
    needed = (frame["budget"].map({2.0: 2, 6.0: 4, 18.0: 12})).sum()
    assert needed <= spent <= 1.1 * needed  # those that were forgotten are few


def test_a_resumed_run_has_the_weights_of_an_uninterrupted_run(tmp_path: Path) -> None:
    search(tmp_path / "whole", evaluate=Keeping())
    for stop in (25, None):
        search(tmp_path / "run", evaluate=Keeping(), resume=stop is None, stop=stop)
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")
    assert log_of(tmp_path / "run") == log_of(tmp_path / "whole")


def test_weights_that_a_killed_search_left_behind_are_cleared_away(tmp_path: Path) -> None:
    frame = search(tmp_path, evaluate=Keeping(), stop=20).history
    first = frame.iloc[0]
    left = f"{first['architecture'].replace('-', '')}-{first['seed']}.pt"
    foreign = {"123456-9.pt", ".123456-9.pt.4711"}
    for name in (left, f".{left}.4711", f".{left}.0123456789abcdef.part", *foreign):
        (tmp_path / "weights" / name).touch()
    result = search(tmp_path, evaluate=Keeping(), resume=True)
    assert weights(tmp_path) == expected(result) | {"123456-9.pt"}
    assert {path.name for path in (tmp_path / "weights").glob(".*")} == {".123456-9.pt.4711"}


def test_weights_that_no_trial_of_the_log_has_are_never_removed(tmp_path: Path) -> None:
    result = search(tmp_path, evaluate=Keeping(), stop=20)
    for folder in (tmp_path / "weights", tmp_path / "weights/deeper"):
        folder.mkdir(exist_ok=True)
        (folder / "resnet.pt").write_bytes(b"precious")
    result = search(tmp_path, evaluate=Keeping(), resume=True)
    assert weights(tmp_path) == expected(result) | {"resnet.pt"}
    assert (tmp_path / "weights/deeper/resnet.pt").read_bytes() == b"precious"


@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_in_place_of_the_folder_of_weights_is_refused_and_nothing_behind_it_is_touched(
    dangling: bool, tmp_path: Path
) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    frame = search(run, evaluate=Keeping(), stop=20).history
    if not dangling:
        other.mkdir()
        for _, row in frame.iterrows():  # also under the names of this run's own
            (other / f"{row['architecture'].replace('-', '')}-{row['seed']}.pt").write_bytes(b"precious")
    (run / "weights").rename(tmp_path / "moved")
    (run / "weights").symlink_to(other)
    before = {path.name: path.read_bytes() for path in other.glob("*")}
    with pytest.raises(ForeignFileError, match="weights is a symbolic link"):
        search(run, evaluate=Keeping(), resume=True)
    assert {path.name: path.read_bytes() for path in other.glob("*")} == before
    assert other.exists() is not dangling


def test_a_link_that_takes_the_place_of_the_folder_of_weights_meanwhile_is_not_followed(
    tmp_path: Path,
) -> None:
    run, other = tmp_path / "run", tmp_path / "other"

    def swap(state: SearchState) -> None:
        if len(state.results) == 10 and not other.exists():
            (run / "weights").rename(other)
            (run / "weights").symlink_to(other)

    search(run, evaluate=Keeping(), budget=40, callbacks=[swap])
    assert not [path for path in other.iterdir() if not path.name.endswith(".pt")]
    assert len(list(other.iterdir())) >= 10


@pytest.mark.parametrize("halving", [RULE, None])
def test_weights_are_kept_only_on_request(halving: Halving | None, tmp_path: Path) -> None:
    loop = LoopSettings(halving=halving, fidelity=None if halving else 2, evaluations=30)
    nas.search(Grid(), OBJECTIVES, Keeping(), loop=loop, out=tmp_path, keep_weights=False, algorithm="moead")
    assert not (tmp_path / "weights").exists()


def test_the_schedule_ends_at_the_last_rung_with_a_folder_or_without(tmp_path: Path) -> None:
    seen: set[float | None] = set()

    class Spy(Keeping):
        def keeping(self, folder: str | None, horizon: float | None) -> Keeping:
            seen.add(horizon)
            return super().keeping(folder, horizon)

    search(None, evaluate=Spy(), budget=20)
    search(tmp_path, evaluate=Spy(), budget=20)
    assert seen == {18}


# -- before a search -----------------------------------------------------------------------------------------


class Unprepared(Keeping):
    """An evaluator whose data are missing."""

    error: Exception = nas.NasError("no images in /nowhere")

    def prepare(self) -> None:
        raise self.error

    def __call__(self, trial: Trial) -> Any:
        raise AssertionError("nothing may be evaluated")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (nas.NasError("no images in /nowhere"), "^no images in /nowhere"),
        (KeyError("x"), r"evaluator: prepare\(\) failed: KeyError"),
    ],
)
def test_a_broken_evaluator_is_detected_before_the_search(
    error: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Unprepared, "error", error)
    monkeypatch.setattr(Unprepared, "keeping", lambda self, folder, horizon: self)
    with pytest.raises(nas.NasError, match=said):
        search(tmp_path / "run", evaluate=Unprepared())
    assert not (tmp_path / "run").exists()


def test_a_finished_run_rewrites_its_files_without_data(tmp_path: Path) -> None:
    search(tmp_path, evaluate=Keeping())
    before = (tmp_path / "front.csv").read_bytes()
    (tmp_path / "front.csv").unlink()
    search(tmp_path, evaluate=Unprepared(), resume=True)
    assert (tmp_path / "front.csv").read_bytes() == before
    assert read_history(tmp_path)[0]["status"].eq("ok").all()


def test_a_problem_without_halving_has_one_budget() -> None:
    state = SearchState(Problem(Grid(), OBJECTIVES, rising), LoopSettings(fidelity=4))
    assert state.rungs.budgets == (4.0,)
    assert state.rungs.next(0) is None


def test_data_missing_on_the_driver_do_not_stop_a_search_on_a_cluster() -> None:
    problem = Problem(Grid(), OBJECTIVES, Unprepared())
    check_ready(problem, remote=True)
    with pytest.raises(nas.NasError, match="no images"):
        check_ready(problem, remote=False)


# -- the config ----------------------------------------------------------------------------------------------


def loop_of(**keys: Any) -> LoopSettings:
    values = {
        "space": "nasbench201",
        "evaluator": None,
        "objectives": ["params", "madds"],
        "executor": "serial",
    }
    return assemble(check_config(values | keys)).loop


def test_a_config_describes_the_ladder() -> None:
    assert loop_of(halving={"first": 2, "last": 18}).halving == Halving(2, 18, 3)
    assert loop_of().halving is None


@pytest.mark.parametrize(
    ("halving", "said"),
    [
        ({"first": 6, "last": 2}, "halving: expected 0 <= first <= last and last of at least 1, got 6 and 2"),
        ({"eta": 1}, "halving.eta: should be greater than 1"),
        ({"frist": 2}, r"unknown key 'halving.frist' \(did you mean 'first'\?\)"),
        (3, r"halving: should be a mapping such as \{first: 2, last: 18, eta: 3\}, got 3"),
    ],
)
def test_an_invalid_ladder_is_named(halving: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        loop_of(halving=halving)


KILLED = """
import os, sys
from pathlib import Path
import nas
from engine_parts import Grid, Keeping
from nas.engine.loop import LoopSettings
from nas.training import Halving

class Deadly(Keeping):
    def __call__(self, trial):
        values = super().__call__(trial)
        if trial.id == 31:
            os.kill(os.getpid(), 9)  # its weights are on the disk, its result is not
        return values

    def keeping(self, folder, horizon):
        return Deadly(folder, horizon)

loop = LoopSettings(evaluations=60, seed=5, halving=Halving(2, 18, 3))
nas.search(Grid(), ["error", "params"], Deadly(), algorithm="moead", loop=loop, out=Path(sys.argv[1]))
"""


def test_a_killed_driver_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    search(tmp_path / "whole", evaluate=Keeping())
    paths = os.pathsep.join(
        [str(Path(__file__).resolve().parents[1] / "shared"), os.environ.get("PYTHONPATH", "")]
    )
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "run")], env={**os.environ, "PYTHONPATH": paths}
    )
    assert done.returncode == -9
    assert len(weights(tmp_path / "run")) > 0
    search(tmp_path / "run", evaluate=Keeping(), resume=True)
    assert log_of(tmp_path / "run") == log_of(tmp_path / "whole")
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")
    assert (tmp_path / "run/front.csv").read_bytes() == (tmp_path / "whole/front.csv").read_bytes()
