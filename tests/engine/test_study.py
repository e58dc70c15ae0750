"""Ask and tell from the user's loop."""

from __future__ import annotations

import asyncio
import math
import pickle
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from engine_parts import Grid, quick
from space_zoo import ZOO
from torch import nn

import nas
from nas.algorithms import ALGORITHMS
from nas.algorithms.moead import MOEADSettings
from nas.algorithms.sa_moead import SAMOEADSettings
from nas.core.errors import ConfigError, HistoryError, NothingToAsk
from nas.runs.history import History
from nas.testing import ToySpace
from nas.training import Halving

pytestmark = pytest.mark.usefixtures("no_plots")
LEAN = SAMOEADSettings(initial=6, surrogate="rbf", whole_space=100, pool=60, growth=0.5)
OBJECTIVES = ["error", "params"]
TIMES = {"seconds", "asked_at", "started", "finished", "told_seconds", "worker"}


@pytest.fixture(autouse=True)
def _no_heartbeats_are_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close the studies of a test: their heartbeats would continue through the tests that follow."""
    opened: list[nas.Study] = []
    begin = nas.Study.__init__

    def remembered(self: nas.Study, *given: Any, **more: Any) -> None:
        begin(self, *given, **more)
        opened.append(self)

    monkeypatch.setattr(nas.Study, "__init__", remembered)
    yield
    for one in opened:
        one.close()


def study(out: Path | None = None, **changes: Any) -> nas.Study:
    arguments: dict[str, Any] = {
        "algorithm": "moead",
        "seed": 3,
        "algorithm_settings": MOEADSettings(population=8),
    }
    return nas.Study(Grid(), OBJECTIVES, out=out, **({"algorithm": "moead", **arguments | changes}))


def drive(made: nas.Study, evaluations: int) -> None:
    """Ask and tell one trial at a time until `evaluations` are told."""
    while len(made._search.state.results) < evaluations:
        trial = made.ask()
        made.tell(trial, quick(trial))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_study_asks_what_a_search_with_the_same_seed_asks(algorithm: str) -> None:
    objectives = ["error"] if algorithm.startswith("regul") else OBJECTIVES
    settings = (
        LEAN if algorithm == "sa-moead" else ALGORITHMS[algorithm].default_settings(len(objectives), 20)
    )
    searched = nas.search(
        Grid(), objectives, quick, algorithm=algorithm, algorithm_settings=settings, seed=7, budget=20,
        loop=nas.LoopSettings(concurrency=1),
    )  # fmt: skip
    made = nas.Study(Grid(), objectives, algorithm=algorithm, algorithm_settings=settings, seed=7)
    for _ in range(20):
        trial = made.ask()
        made.tell(trial, quick(trial))
    left = [name for name in searched.history.columns if name not in TIMES]
    assert list(made.history.columns) == list(searched.history.columns)
    pd.testing.assert_frame_equal(made.history[left], searched.history[left])
    pd.testing.assert_frame_equal(made.front, searched.front)


def test_tables_are_the_same_in_memory_and_in_a_folder(tmp_path: Path) -> None:
    memory, folder = study(limits=["params <= 40"]), study(tmp_path / "s", limits=["params <= 40"])
    for made in (memory, folder):
        first, second, third = made.ask(), made.ask(), made.ask()
        made.tell(second, quick(second))
        made.tell(first, ValueError("no such layer"))
        assert third.id == 2
    left = [name for name in folder.history.columns if name not in TIMES]
    pd.testing.assert_frame_equal(memory.history[left], folder.history[left], check_dtype=False)
    pd.testing.assert_frame_equal(memory.front, folder.front)
    assert list(folder.history["status"]) == ["failed", "ok", "running"]


def test_an_empty_study_has_empty_tables_with_the_usual_columns(tmp_path: Path) -> None:
    for out in (None, tmp_path / "s"):
        made = study(out)
        assert list(made.front.columns) == ["architecture", "error", "params"]
        assert len(made.front) == len(made.history) == 0
        assert {"trial", "architecture", "status"} <= set(made.history.columns)


def test_several_asks_may_be_pending_with_results_in_any_order() -> None:
    outcomes = []
    for _ in range(2):
        made, order = study(), random.Random(1)
        pending: list[nas.StudyTrial] = []
        for _ in range(60):
            if len(pending) < 6:
                pending.append(made.ask())
            if order.random() < 0.6:
                trial = pending.pop(order.randrange(len(pending)))
                made.tell(trial, quick(trial) if trial.id % 5 else RuntimeError("broken"))
        assert [t.id for t in made.pending] == sorted(t.id for t in pending)
        outcomes.append(list(made.history["architecture"]))
        assert len(set(outcomes[-1])) == len(outcomes[-1])
    assert outcomes[0] == outcomes[1]


def test_exact_objectives_are_computed_and_measured_ones_keep_their_units() -> None:
    made = nas.Study(Grid(), ["accuracy", "params"], algorithm="random", seed=1)
    trial = made.ask()
    made.tell(trial, {"accuracy": 91.5})
    row = made.front.iloc[0]
    assert (row["accuracy"], row["params"]) == (91.5, Grid().cost(trial.architecture)["params"])
    assert (trial.text, trial.seed >= 0, trial.budget) == (row["architecture"], True, None)


@pytest.mark.parametrize("value", [5, 5.0, np.float32(5), np.array([5.0]), np.array(5)])
def test_numbers_of_every_kind_are_values_alone_or_by_name(value: Any) -> None:
    made = study()
    made.tell(made.ask(), value)
    made.tell(made.ask(), {"error": value})
    assert list(made.history["error"]) == [5.0, 5.0]


def test_further_numbers_are_kept_and_other_values_do_no_harm() -> None:
    made = study()
    given = {
        "error": 5.0,
        "loss": 0.3,
        "note": "x",
        "none": None,
        "nan": math.nan,
        "big": 10**400,
        "list": [1],
        "seed": 4,
    }
    made.tell(made.ask(), given)
    row = made.history.iloc[0]
    assert (row["status"], row["error"], row["loss"], row["reported_seed"]) == ("ok", 5.0, 0.3, 4)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("no such layer"), "failed"),
        (KeyboardInterrupt(), "failed"),
        (MemoryError(), "out_of_memory"),
        (TimeoutError("an hour"), "timeout"),
        (ValueError("caf\udce9 \x00 [red]"), "failed"),
    ],
)
def test_an_exception_is_a_failed_trial_with_its_reason(
    error: BaseException, status: str, tmp_path: Path
) -> None:
    made = study(tmp_path / "s")
    made.tell(made.ask(), error)
    row = made.history.iloc[0]
    assert row["status"] == status
    assert row["reason"].startswith(type(error).__name__)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan"), 10**400, np.ma.masked])
def test_an_objective_that_is_not_finite_is_a_failed_trial(value: Any) -> None:
    made = study()
    made.tell(made.ask(), {"error": value, "loss": 1.0})
    row = made.history.iloc[0]
    assert row["status"] == "failed"
    assert row["reason"].startswith("error is ")
    assert "expected a finite number" in row["reason"]
    assert made.front.empty


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "error missing; got: nothing"),
        ({"eror": 5.0}, r"error missing \(misspelt as 'eror'\?\)"),
        ({"error": None}, "error: expected a number, got None"),
        ({"error": "5"}, "error: expected a number, got '5'"),
        ({"error": True}, "error: expected a number, got True"),
        ({"error": 1j}, "error: expected a number, got 1j"),
        ({"error": [1.0]}, "error: expected a number"),
        ({"error": np.ones(3)}, "error: expected a number"),
        ({7: 5.0, "error": 5.0}, "expected names of values as text, got 7"),
        (None, "expected a mapping with the measured objectives"),
        ([5.0, 1.0], "expected a mapping with the measured objectives"),
        ("5", "expected a mapping with the measured objectives"),
        (ValueError, "expected a mapping with the measured objectives"),
        (
            {"error": 5.0, "params": 1.0},
            "params = 1, but its exact value is .* for this architecture; omit it",
        ),
    ],
)
def test_a_mistake_in_tell_raises_and_records_nothing(values: Any, said: str, tmp_path: Path) -> None:
    made = study(tmp_path / "s")
    trial = made.ask()
    with pytest.raises(ConfigError, match=said):
        made.tell(trial, values)
    assert list(made.history["status"]) == ["running"]
    made.tell(trial, quick(trial))
    assert list(made.history["status"]) == ["ok"]


def test_an_exact_objective_may_be_given_if_it_is_correct() -> None:
    made = study()
    trial = made.ask()
    made.tell(trial, {"error": 1.0, "params": Grid().cost(trial.architecture)["params"]})
    assert len(made.front) == 1


def test_a_trial_accepts_one_result_and_only_in_its_study() -> None:
    made, other = study(), study(seed=4)
    trial = made.ask()
    made.tell(trial, 1.0)
    with pytest.raises(ConfigError, match="trial 0 already has a result, with status ok"):
        made.tell(trial, 2.0)
    with pytest.raises(ConfigError, match="trial 0 belongs to another study; trial 0 of this one is"):
        made.tell(other.ask(), 2.0)
    with pytest.raises(ConfigError, match="this study has no trial 5; it asked for 1"):
        made.tell(5, 2.0)
    for nonsense in (None, "0", True, trial.architecture):
        with pytest.raises(ConfigError, match="expected a trial from ask"):
            made.tell(nonsense, 2.0)  # type: ignore[arg-type]
    assert list(made.history["error"]) == [1.0]


def test_tell_takes_a_trial_by_its_number_or_by_a_pickled_copy() -> None:
    made = study()
    first, second = made.ask(), made.ask()
    made.tell(first.id, 1.0)
    made.tell(pickle.loads(pickle.dumps(second)), 2.0)  # noqa: S301 (our own)
    assert list(made.history["error"]) == [1.0, 2.0]


def test_architectures_that_violate_a_cheap_limit_are_never_asked() -> None:
    class Careless(nas.Algorithm):
        Settings = dict

        def __init__(self, problem: nas.Problem, rng: np.random.Generator, settings: Any = None) -> None:
            self._space, self._rng = problem.space, rng

        def ask(self, n: int) -> list[nas.Architecture]:
            return [self._space.sample(self._rng) for _ in range(n)]

        def tell(self, observations: Any) -> None:
            pass

    made = study(algorithm=Careless, algorithm_settings=None, limits=["params <= 22"])
    for _ in range(10):
        trial = made.ask()
        assert Grid().cost(trial.architecture)["params"] <= 22
        made.tell(trial, quick(trial))
    assert (made.history["status"] == "invalid").sum() > 10


def test_an_exhausted_space_and_pending_trials_have_different_messages() -> None:
    made = nas.Study(ToySpace((2, 2)), ["params"], algorithm="random")
    trials = [made.ask() for _ in range(2)]
    with pytest.raises(NothingToAsk, match="while the 2 trials are pending"):
        made.ask()
    for trial in trials:
        made.tell(trial, {})
    for _ in range(2):
        with pytest.raises(NothingToAsk, match="every architecture of space 'toy'"):
            made.ask()
    assert (made.history["status"] == "ok").sum() == 2


def test_initial_architectures_come_first_and_a_warm_start_is_known(tmp_path: Path) -> None:
    earlier = study(tmp_path / "earlier", initial=["5-5-5-5-5-5", (0,) * 6])
    assert [earlier.ask().text, earlier.ask().text] == ["5-5-5-5-5-5", "0-0-0-0-0-0"]
    for trial in earlier.pending:
        earlier.tell(trial, quick(trial))
    earlier.close()
    made = study(tmp_path / "new", warm_start=tmp_path / "earlier")
    assert set(made.front["architecture"]) == {"5-5-5-5-5-5", "0-0-0-0-0-0"}
    assert len(made.history) == 0


def test_halving_hands_out_continuations_with_their_budgets() -> None:
    made = study(halving=Halving(1, 3, 3))
    budgets = []
    for _ in range(12):
        trial = made.ask()
        budgets.append(trial.budget)
        made.tell(trial, quick(trial))
    assert budgets[:3] == [1, 1, 1]
    assert 3 in budgets


def test_a_measured_objective_with_a_function_is_computed_unless_given() -> None:
    def width(architecture: nas.Architecture) -> float:
        if architecture.genes[0] == 0:
            raise ValueError("no width")
        return float(max(architecture.genes))

    made = nas.Study(
        Grid(), ["error", width], algorithm="random", initial=[(1, 2, 3, 4, 5, 0), (1,) * 6, (0,) * 6]
    )
    made.tell(made.ask(), {"error": 1.0})
    made.tell(made.ask(), {"error": 1.0, "width": 9.0})
    made.tell(made.ask(), {"error": 1.0})
    assert list(made.history["width"])[:2] == [5.0, 9.0]
    assert list(made.history["status"]) == ["ok", "ok", "failed"]


def test_a_trial_builds_its_network_for_the_task_of_the_study() -> None:
    from nas.core.plugins import registry

    made = nas.Study(
        registry("space")["muxnet-tiny"](),
        ["error", "params"],
        algorithm="random",
        task=nas.TaskSpec(3, 7, (16, 16)),
    )
    trial = made.ask()
    network = trial.build()
    made.tell(trial, {"error": 5.0})
    assert made.front["params"].iloc[0] == sum(p.numel() for p in network.parameters())


def test_a_space_without_networks_raises_an_error() -> None:
    with pytest.raises(ConfigError, match=r"space 'grid' has no build\(architecture\)"):
        study().ask().build()


def test_a_resumed_study_asks_its_pending_trials_first(tmp_path: Path) -> None:
    whole = study()
    made = study(tmp_path / "s")
    for each in (whole, made):
        _, second, third, _ = (each.ask() for _ in range(4))
        each.tell(second, quick(second))
    made.close()
    again = study(tmp_path / "s", resume=True)
    assert [t.id for t in again.pending] == [0, 2, 3]
    again.tell(third, quick(third))  # before it is asked for again
    whole.tell(third, quick(third))
    assert [again.ask().id, again.ask().id] == [0, 3]
    assert again.ask() == whole.ask()
    assert list(again.history["architecture"]) == list(whole.history["architecture"])


class Killed(BaseException):
    """Simulates the end of the process at this point."""


def kill_at(count: int, after: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [count]

    def dying(record: Callable[..., None]) -> Callable[..., None]:
        def recorded(self: History, *arguments: Any) -> None:
            left[0] -= 1
            if left[0] == 0 and not after:
                raise Killed
            record(self, *arguments)
            if left[0] == 0:
                raise Killed

        return recorded

    for name in ("record_ask", "record_result", "record_tell"):
        monkeypatch.setattr(History, name, dying(getattr(History, name)))


@pytest.mark.parametrize("algorithm", ["moead", "sa-moead"])
def test_a_study_killed_at_any_moment_ends_like_an_uninterrupted_one(
    algorithm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: Any = LEAN if algorithm == "sa-moead" else MOEADSettings(population=6)
    same: dict[str, Any] = {
        "algorithm": algorithm,
        "algorithm_settings": settings,
        "initial": ["1-2-3-4-5-0"],
    }
    whole = study(**same)
    drive(whole, 7)
    for count in range(1, 21, 3) if algorithm == "moead" else (19,):
        for after in (False, True):
            folder = tmp_path / f"{count}{after}"
            made = study(folder, **same)
            with monkeypatch.context() as patch:
                kill_at(count, after, patch)
                with pytest.raises(Killed):
                    drive(made, 7)
            made._let_go(unused=False)  # as the end of the process does
            again = study(folder, resume=True, **same)
            drive(again, 7)
            assert list(again.history["architecture"]) == list(whole.history["architecture"]), (count, after)
            pd.testing.assert_frame_equal(again.front, whole.front)
            again._let_go(unused=False)


def test_a_second_study_on_a_folder_is_refused(tmp_path: Path) -> None:
    made = study(tmp_path / "s")
    made.tell(made.ask(), 1.0)
    for resume in (False, True):
        with pytest.raises(HistoryError, match="another search is writing to this run"):
            study(tmp_path / "s", resume=resume)
    made.close()
    with pytest.raises(HistoryError, match="already holds a run"):
        study(tmp_path / "s")
    with pytest.raises(HistoryError, match="seed"):
        study(tmp_path / "s", resume=True, seed=4)
    with pytest.raises(HistoryError, match="no run in"):
        study(tmp_path / "other", resume=True)
    with pytest.raises(ConfigError, match="resume: needs out"):
        study(resume=True)


def test_a_study_that_cannot_begin_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        study(tmp_path / "s", initial=["nonsense"])
    with study(tmp_path / "s"):
        pass
    assert not (tmp_path / "s").exists()


def test_a_closed_study_has_its_files_and_takes_nothing_more(tmp_path: Path) -> None:
    with study(tmp_path / "s") as made:
        drive(made, 5)
        pending = made.ask()
    made.close()
    assert {"front.csv", "history.parquet", "summary.json", "config.json"} <= {
        p.name for p in (tmp_path / "s").iterdir()
    }
    for call in (made.ask, lambda: made.tell(pending, 1.0)):
        with pytest.raises(ConfigError, match="this study is closed; continue it with"):
            call()
    assert len(made.history) == 6
    assert len(made.front) > 0


@pytest.mark.parametrize(("error", "state"), [(KeyboardInterrupt, "interrupted"), (ValueError, "stopped")])
def test_a_loop_that_raises_leaves_the_tables_with_how_it_ended(
    error: Any, state: str, tmp_path: Path
) -> None:
    with pytest.raises(error), study(tmp_path / "s") as made:  # noqa: PT012 (the context is tested)
        made.tell(made.ask(), 1.0)
        raise error
    assert f'"state": "{state}"' in (tmp_path / "s" / "summary.json").read_text()


def test_threads_may_share_a_study(tmp_path: Path) -> None:
    made = study(tmp_path / "s", algorithm="random", algorithm_settings=None)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(8):
                trial = made.ask()
                made.tell(trial, quick(trial))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    made.close()
    assert list(made.history["status"]) == ["ok"] * 32
    assert made.history["architecture"].is_unique


def test_a_relative_folder_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = study(Path("s"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    made.tell(made.ask(), 1.0)
    made.close()
    assert (tmp_path / "s" / "front.csv").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": -1}, "seed: expected a whole number"),
        ({"algorithm": "moed"}, "unknown 'moed'"),
        ({"limits": ["size <= 3"]}, "'size' is not an objective"),
        ({"fidelity": 0}, "fidelity: expected a number above 0"),
    ],
)
def test_invalid_arguments_are_refused(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        study(tmp_path / "s", **changes)
    assert not (tmp_path / "s").exists()


def test_a_single_number_is_the_only_measured_objective_and_numpy_numbers_name_trials_too() -> None:
    def size(architecture: nas.Architecture) -> float:
        return float(sum(architecture.genes))

    study = nas.Study(ToySpace(), ["error", size])
    trial = study.ask()
    study.tell(np.int64(trial.id), 3.0)
    assert study.front[["error", "size"]].to_numpy().tolist() == [[3.0, size(trial.architecture)]]


def test_settings_of_the_algorithm_may_be_a_mapping() -> None:
    study = nas.Study(ToySpace(), ["error"], algorithm="nsga2", algorithm_settings={"population": 4})
    assert study.ask().id == 0
    with pytest.raises(ConfigError, match="no setting 'populaton'"):
        nas.Study(ToySpace(), ["error"], algorithm="nsga2", algorithm_settings={"populaton": 4})


def test_an_objective_that_raises_anything_fails_its_trial() -> None:
    def latency(architecture: nas.Architecture) -> float:
        raise asyncio.CancelledError

    made = nas.Study(Grid(), ["error", nas.Objective("latency", function=latency)], algorithm="random")
    made.tell(made.ask(), {"error": 1.0})
    assert made.history["status"].tolist() == ["failed"]
    assert "CancelledError" in made.history["reason"][0]


def test_a_trial_shows_its_choices_and_the_tables_have_them(tmp_path: Path) -> None:
    def weight(c: Any) -> float:
        return float(c.width)  # the choices

    for out in (None, tmp_path / "run"):
        space = ZOO["resnets"]()
        with nas.Study(space, ["error", weight], out=out, algorithm="random") as made:
            for i in range(3):
                trial = made.ask()
                assert trial.choices is not None
                assert trial.choices == space.choices(space.parse(trial.text))
                assert made.pending[0].choices == trial.choices
                assert list(made.history.columns)[-1] == "dropout"
                assert made.history["depth"].notna().all()
                made.tell(trial, {"error": float(i)})
            assert list(made.front.columns) == ["architecture", "error", "weight", *space.parameters]
            assert (made.front["weight"] == made.front["width"]).all()


def test_a_trial_of_a_space_without_names_has_no_choices() -> None:
    assert study().ask().choices is None


def test_a_target_excludes_networks_and_measures_what_is_not_told(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    space = nas.Space("boards", width=nas.Choice(4, 64))

    @space.build
    def build(c: Any, *, num_classes: int, in_channels: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(in_channels, c.width, 3), nn.Flatten(), nn.LazyLinear(num_classes))

    file = tmp_path / "board.yaml"
    file.write_text("ram: 4 KiB\ninput_size: 8\n")
    names = ["error", "int8_error", "int8_size"]
    with nas.Study(space, names, target=file, algorithm="random", out=tmp_path / "run") as small:
        trial = small.ask()
        assert trial.choices["width"] == 4
        small.tell(trial, {"error": 1.0, "int8_error": 2.0})
        assert small.history["int8_size"].iloc[0] > 1000
    file.write_text("ram: 8 KiB\ninput_size: 8\n")
    with pytest.raises(HistoryError, match="target"):
        nas.Study(space, names, target=file, algorithm="random", out=tmp_path / "run", resume=True)
