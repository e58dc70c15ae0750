"""The runs of a comparison: ordinary searches with the same beginning, which continue after an interruption and are never mixed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compare_parts import Compare, make_runs, one_objective, two_objectives

from nas.algorithms import ALGORITHMS
from nas.compare import runs as runs_module
from nas.compare.design import SharedDesign, SharedDesignWithRecall, WithDesign, draw_design
from nas.compare.driving import run_missing
from nas.compare.folder import remember
from nas.compare.runs import Comparison, RunKey, carry_out
from nas.core.errors import ConfigError, HistoryError
from nas.runs.files import asked
from nas.runs.history import History
from nas.runs.reading import load_run
from nas.testing.toy import answer, toy_problem

ONE = {"problems": [two_objectives()], "algorithms": ["moead", "random"], "seeds": 2}


def architectures(comparison: Comparison, key: RunKey) -> list[str]:
    return load_run(comparison.folder(key))[0].told["architecture"].tolist()


def test_every_run_is_made_and_is_a_run_folder_that_other_commands_read(made: Comparison) -> None:
    keys = list(made.every_run())
    assert len(keys) == 2 * 3 * 4
    for key in keys:
        assert made.done(key)
        table, meta = load_run(made.folder(key))
        assert len(table.told) == 24
        assert meta["identity"]["algorithm"] == key.algorithm
        assert meta["identity"]["seed"] == key.seed


def test_all_algorithms_begin_with_the_same_design_which_differs_by_seed(made: Comparison) -> None:
    begin = {key: architectures(made, key)[:6] for key in made.every_run() if key.problem == "error & params"}
    for seed in range(4):
        assert len({tuple(first) for key, first in begin.items() if key.seed == seed}) == 1
    assert len({tuple(first) for first in begin.values()}) == 4


def test_trials_of_the_design_have_the_same_seeds_so_that_noise_is_shared(made: Comparison) -> None:
    values = [
        load_run(made.folder(RunKey("error & params", label, 0)))[0].told["error"].tolist()[:6]
        for label in made.config.labels
    ]
    assert values[0] == values[1] == values[2]


def test_a_finished_comparison_runs_nothing_again(made: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_module, "carry_out", lambda *_: pytest.fail("a run was made again"))
    assert run_missing(made, lambda progress: None).earlier == 24


def test_the_same_config_makes_the_same_runs(comparison: Compare, tmp_path: Path) -> None:
    first, second = comparison(tmp_path / "a", **ONE), comparison(tmp_path / "b", **ONE)
    for made in (first, second):
        make_runs(made)
    for key in first.every_run():
        assert architectures(first, key) == architectures(second, key)


LEAN = {"name": "sa-moead", "surrogate": "rbf", "initial": 4, "whole_space": 100, "pool": 100, "growth": 0.5}


@pytest.mark.parametrize("algorithm", ["moead", "sa-moead"])
def test_an_interrupted_run_continues_to_the_same_end(
    algorithm: str, comparison: Compare, tmp_path: Path
) -> None:
    changes = {**ONE, "algorithms": ["moead", LEAN], "seeds": 1}
    whole, cut = comparison(tmp_path / "whole", **changes), comparison(tmp_path / "cut", **changes)
    key = RunKey("error & params", algorithm, 0)
    carry_out(whole, key)

    def stop(state: Any) -> None:
        if state.evaluated == 11:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(cut, key, [stop])
    assert asked(cut.folder(key))
    assert not cut.done(key)
    carry_out(cut, key)
    assert cut.done(key)
    assert architectures(cut, key) == architectures(whole, key)


def test_a_folder_left_before_the_first_evaluation_is_restarted(comparison: Compare, tmp_path: Path) -> None:
    made = comparison(tmp_path, **ONE)
    key = next(made.every_run())
    History(made.folder(key), made.problem_of(made.config.problem(key.problem)).space, create=True).close()
    carry_out(made, key)
    assert made.done(key)


def test_a_run_that_fails_is_named_and_the_others_are_made(comparison: Compare, tmp_path: Path) -> None:
    broken = two_objectives(name="broken", evaluator="parts.py:broken", reference={})
    found = comparison(tmp_path, **{**ONE, "problems": [broken, two_objectives()], "seeds": 1})
    progress = make_runs(found)
    assert len(progress.done) == 2
    assert set(progress.failed) == {RunKey("broken", "moead", 0), RunKey("broken", "random", 0)}
    assert "broken for good" in progress.failed[RunKey("broken", "moead", 0)]


def test_seeds_algorithms_and_problems_may_be_added(comparison: Compare, tmp_path: Path) -> None:
    make_runs(comparison(tmp_path, **{**ONE, "seeds": 1}))
    more = {
        "problems": [two_objectives(), one_objective()],
        "algorithms": ["nsga2", "random", "moead"],
        "seeds": 2,
    }
    more["algorithms"] = [{"name": "nsga2", "population": 10}, "random", "moead"]
    progress = make_runs(comparison(tmp_path, **more))
    assert (progress.earlier, len(progress.done)) == (2, 2 * 3 * 2 - 2)


def test_a_removed_part_may_return_only_unchanged(comparison: Compare, tmp_path: Path) -> None:
    make_runs(comparison(tmp_path, **{**ONE, "seeds": 1}))
    remember(comparison(tmp_path, **{**ONE, "algorithms": ["random", "local-search"]}))
    changed = [{"name": "moead", "population": 12}, "random"]
    with pytest.raises(ConfigError, match=r"algorithm moead: population: None then, 12 now"):
        remember(comparison(tmp_path, **{**ONE, "algorithms": changed}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": 30}, r"problem error & params: budget: 24 then, 30 now"),
        ({"initial": 7}, r"initial: 6 then, 7 now"),
        (
            {"problems": [two_objectives(concurrency=4)]},
            r"problem error & params: concurrency: 1 then, 4 now",
        ),
        (
            {"problems": [two_objectives(evaluator="parts.py:fails_now_and_then")]},
            r"problem error & params: evaluator",
        ),
    ],
)
def test_another_config_for_the_same_folder_is_refused(
    changes: dict[str, Any], message: str, comparison: Compare, tmp_path: Path
) -> None:
    remember(comparison(tmp_path, **ONE))
    with pytest.raises(ConfigError, match=message):
        remember(comparison(tmp_path, **{**ONE, **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {"targets": [0.5]},
        {"alpha": 0.1},
        {"problems": [two_objectives(report={}, time=None, reference={}, checkpoints=[5])]},
        {"problems": [two_objectives(objectives=["error", {"name": "params", "reference": 30}])]},
    ],
)
def test_how_results_are_read_may_change(
    changes: dict[str, Any], comparison: Compare, tmp_path: Path
) -> None:
    remember(comparison(tmp_path, **ONE))
    remember(comparison(tmp_path, **{**ONE, **changes}))


def test_a_damaged_record_is_explained(comparison: Compare, tmp_path: Path) -> None:
    (tmp_path / "compare.json").write_text("{")
    with pytest.raises(HistoryError, match=r"compare\.json: damaged"):
        remember(comparison(tmp_path, **ONE))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_shared_design_replaces_as_many_initial_candidates_of_an_algorithm(name: str) -> None:
    """With a design as large as its initial population, the next candidates depend on the results."""
    problem = toy_problem(2)
    settings = ALGORITHMS[name].default_settings(2, 40)
    n = ALGORITHMS[name](problem, np.random.default_rng(0), settings).initial
    design = draw_design(problem, n, seed=3)
    next_asked = []
    for spoiled in (False, True):
        algorithm = WithDesign(ALGORITHMS[name], name, design)(problem, np.random.default_rng(0), settings)
        assert algorithm.initial == n
        for i, a in enumerate(algorithm.ask(n)):
            algorithm.tell([answer(problem, a, ok=not spoiled or i == 0)])
        next_asked.append([algorithm.ask(1)[0] for _ in range(4)])
        assert not set(next_asked[-1]) & set(design)
    assert name == "random" or next_asked[0] != next_asked[1]


def test_the_algorithm_waits_for_all_results_of_the_design() -> None:
    problem = toy_problem(2)
    design = draw_design(problem, 3, seed=1)
    inner = ALGORITHMS["random"](problem, np.random.default_rng(0))
    algorithm = SharedDesign(inner, design)
    assert algorithm.ask(2) == list(design[:2])
    assert algorithm.ask(2) == [design[2]]
    assert algorithm.ask(1) == []
    algorithm.tell([answer(problem, a) for a in design])
    assert len(algorithm.ask(2)) == 2


def test_only_an_algorithm_that_can_recall_is_asked_to() -> None:
    problem = toy_problem(2)
    design = draw_design(problem, 3, seed=1)
    make = {name: WithDesign(ALGORITHMS[name], name, design) for name in ("moead", "sa-moead")}
    made = {name: m(problem, np.random.default_rng(0)) for name, m in make.items()}
    assert not isinstance(made["moead"], SharedDesignWithRecall)
    assert isinstance(made["sa-moead"], SharedDesignWithRecall)


def test_without_a_design_an_algorithm_begins_as_it_does_by_itself() -> None:
    problem = toy_problem(2)
    plain = ALGORITHMS["moead"](problem, np.random.default_rng(0)).ask(3)
    assert WithDesign(ALGORITHMS["moead"], "moead", ())(problem, np.random.default_rng(0)).ask(3) == plain


def test_a_design_has_different_architectures_within_the_cheap_limits() -> None:
    problem = toy_problem(2, limits=["params <= 18"])
    design = draw_design(problem, 30, seed=0)
    assert len(set(design)) == 30
    assert all(problem.cheap_violation(a) == 0 for a in design)


def test_failures_are_counted_and_the_runs_are_complete(comparison: Compare, tmp_path: Path) -> None:
    problem = two_objectives(evaluator="parts.py:fails_now_and_then", time=None, reference={})
    found = comparison(tmp_path, **{**ONE, "problems": [problem], "seeds": 1})
    assert not make_runs(found).failed
    table, _ = load_run(found.folder(RunKey("error & params", "moead", 0)))
    assert (table.told["status"] == "failed").sum() == sum(i % 5 == 3 for i in range(24))
    shutil.rmtree(tmp_path / "runs")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_ray_makes_the_runs_that_one_process_makes(comparison: Compare, tmp_path: Path) -> None:
    alone = comparison(tmp_path / "alone", **ONE)
    spread = comparison(tmp_path / "spread", **ONE, executor="ray", workers=2)
    for found in (alone, spread):
        assert not make_runs(found).failed
    for key in alone.every_run():
        assert architectures(alone, key) == architectures(spread, key)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_with_ray_as_a_problems_executor_the_trials_are_spread(comparison: Compare, tmp_path: Path) -> None:
    problem = two_objectives(
        evaluator="parts.py:by_two_processes", executor={"name": "ray", "workers": 2}, concurrency=4
    )
    found = comparison(tmp_path, **{**ONE, "problems": [problem], "seeds": 1})
    said: list[str] = []
    remember(found)
    progress = run_missing(found, lambda p: said.append(p.now))
    assert not progress.failed
    assert any("24/24 evaluated" in text for text in said)
    table, _ = load_run(found.folder(RunKey("error & params", "random", 0)))
    assert table.told["worker"].nunique() == 2
