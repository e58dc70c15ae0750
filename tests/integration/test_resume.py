"""Resuming a run: like an uninterrupted one, or refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from engine_parts import QUICK_SETTINGS, Grid, Shuffled, interrupt_at, log_of, quick

import nas
from nas.algorithms import ALGORITHMS
from nas.core.errors import HistoryError
from nas.core.records import Trial
from nas.engine.loop import LoopSettings

pytestmark = pytest.mark.usefixtures("no_plots")
OBJECTIVES = ["error", "params", "madds"]


def search(out: Path, resume: bool = False, stop: int | None = None, **changes: object) -> nas.SearchResult:
    loop = {k: changes.pop(k) for k in ("ordered", "concurrency", "fidelity") if k in changes}
    budget = changes.pop("budget", 60)
    arguments = {"space": Grid(), "objectives": OBJECTIVES, "evaluate": quick, "seed": 5} | changes
    settings = LoopSettings(evaluations=budget, **loop)  # type: ignore[arg-type]
    return nas.search(
        **{"algorithm": "moead", **arguments},
        loop=settings,
        out=out,
        resume=resume,
        callbacks=[interrupt_at(stop)],
    )  # type: ignore[arg-type]


def same(first: Path, second: Path) -> bool:
    fronts = [(folder / "front.csv").read_bytes() for folder in (first, second)]
    return log_of(first) == log_of(second) and fronts[0] == fronts[1]


def test_an_interrupted_search_warns_and_names_the_way_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert search(tmp_path / "run", stop=13).state == "interrupted"
    assert (
        "the search was interrupted after 13 of 60 evaluations; continue it with resume=True"
        in caplog.messages
    )
    caplog.clear()
    assert search(tmp_path / "run", resume=True).state == "finished"
    assert not [text for text in caplog.messages if "interrupted" in text]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_run_stopped_twice_ends_like_an_uninterrupted_run(algorithm: str, tmp_path: Path) -> None:
    what = {"algorithm": algorithm, "objectives": ["error"] if algorithm.startswith("regul") else OBJECTIVES}
    what |= {"algorithm_settings": QUICK_SETTINGS.get(algorithm), "budget": 20}
    search(tmp_path / "whole", **what)
    search(tmp_path / "run", stop=13, **what)
    search(tmp_path / "run", resume=True, stop=14, **what)
    assert search(tmp_path / "run", resume=True, **what).state == "finished"
    assert same(tmp_path / "run", tmp_path / "whole")


@pytest.mark.parametrize("first", [4, 45])
def test_a_finished_run_continued_with_a_larger_budget_equals_a_run_with_that_budget(
    first: int, tmp_path: Path
) -> None:
    settings = {"algorithm_settings": ALGORITHMS["nsga2"].Settings(population=4), "algorithm": "nsga2"}
    search(tmp_path / "whole", **settings)
    search(tmp_path / "run", budget=first, **settings)
    search(tmp_path / "run", resume=True, stop=first + 5, **settings)
    search(tmp_path / "run", resume=True, **settings)
    assert same(tmp_path / "run", tmp_path / "whole")


def test_resuming_evaluates_nothing_twice(tmp_path: Path) -> None:
    evaluated: list[int] = []

    def count(trial: Trial):
        evaluated.append(trial.id)
        return quick(trial)

    search(tmp_path, evaluate=count, budget=30)
    search(tmp_path, evaluate=count, resume=True, budget=60)
    search(tmp_path, evaluate=count, resume=True, budget=60)
    assert sorted(evaluated) == list(range(60))


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    search(tmp_path)
    before = {
        name: (tmp_path / name).read_bytes() for name in ("front.csv", "summary.json", "history.parquet")
    }
    search(tmp_path, resume=True)
    assert before == {name: (tmp_path / name).read_bytes() for name in before}


def test_a_smaller_budget_only_exports_again(tmp_path: Path) -> None:
    search(tmp_path, budget=40)
    assert search(tmp_path, resume=True, budget=20).summary["evaluations"] == 40


def test_an_exhausted_run_stays_exhausted(tmp_path: Path) -> None:
    tiny = {"space": Grid(choices=3, genes=3), "algorithm": "nsga2"}
    search(tmp_path / "whole", **tiny)
    search(tmp_path / "run", stop=20, **tiny)
    assert search(tmp_path / "run", resume=True, **tiny).state == "exhausted"
    assert search(tmp_path / "run", resume=True, **tiny).state == "exhausted"
    assert same(tmp_path / "run", tmp_path / "whole")


def test_results_out_of_order_before_the_stop_are_kept(tmp_path: Path) -> None:
    def slow_worker(seed: int):
        return lambda evaluate, required: Shuffled(evaluate, 6, seed)

    search(tmp_path / "whole")
    for stop in (10, 25, 40, None):
        search(tmp_path / "run", resume=stop != 10, stop=stop, executor=slow_worker(stop or 0))
    assert same(tmp_path / "run", tmp_path / "whole")


def test_an_unordered_run_replays_and_continues(tmp_path: Path) -> None:
    for stop in (10, 30, None):
        executor = lambda evaluate, required, seed=stop or 0: Shuffled(evaluate, 4, seed)  # noqa: E731
        result = search(tmp_path, resume=stop != 10, stop=stop, executor=executor, ordered=False)
    assert result.summary["evaluations"] == 60
    told = [row[3] for row in log_of(tmp_path)]
    assert sorted(told) == list(range(1, 61))
    assert told != sorted(told)
    assert search(tmp_path, resume=True, ordered=False).state == "finished"  # the whole log replays


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run to copy and continue."""
    out = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        search(out, stop=20)
    return out


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 6}, "seed: 5 then, 6 now"),
        ({"algorithm": "random"}, "algorithm: 'moead' then, 'random' now"),
        ({"limits": ["params <= 30"]}, r"limits: \[\] then, \['params <= 30'\] now"),
        ({"objectives": ["error", "params"]}, "objectives: .*'min madds'.* then"),
        ({"space": Grid(choices=7)}, r"cardinalities: \[6, 6, 6, 6, 6, 6\] then, \[7, 7"),
        ({"concurrency": 4}, "concurrency: 8 then, 4 now"),
        ({"ordered": False}, "ordered: True then, False now"),
        ({"fidelity": 3.0}, "fidelity: None then, 3.0 now"),
        (
            {"algorithm_settings": ALGORITHMS["moead"].Settings(population=15)},
            r"algorithm_settings\.population: 10 then, 15 now",
        ),
    ],
)
def test_another_configuration_is_refused_and_the_difference_named(
    changes: dict[str, object], named: str, stopped: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(stopped, out)
    before = str(log_of(out))  # nan is equal to none
    with pytest.raises(HistoryError, match=f"started with another configuration .*{named}"):
        search(out, resume=True, **changes)
    assert str(log_of(out)) == before
    if "seed" in changes:
        assert search(out, resume=True).state == "finished"  # nothing is broken by the attempt


def test_a_space_whose_costs_changed_is_refused(tmp_path: Path) -> None:
    search(tmp_path, stop=20)
    with pytest.raises(HistoryError, match=r"had params = \d+ when the run was started and has \d+ now"):
        search(tmp_path, resume=True, space=Grid(scale=2.0))


def test_a_run_that_ended_before_its_first_ask_is_started_again(tmp_path: Path) -> None:
    from nas.runs.history import History

    History(tmp_path, Grid(), create=True).close()
    with pytest.raises(HistoryError, match="ended before its first evaluation; start it again"):
        search(tmp_path, resume=True)
    assert search(tmp_path).state == "finished"
