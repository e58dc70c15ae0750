"""Valid configs of a comparison, and errors of invalid ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from compare_parts import Compare, config, one_objective, two_objectives

from nas.compare.config import check_comparison, search_config, slug
from nas.compare.folder import remember
from nas.compare.runs import Comparison
from nas.config.assemble import make_problem
from nas.core.errors import ConfigError


def test_a_short_config_gets_the_defaults_that_the_page_states() -> None:
    checked = check_comparison({"problems": [one_objective()], "algorithms": ["moead", "random"]})
    assert (checked.budget, checked.initial, checked.workers, checked.alpha) == (100, 10, 2, 0.05)
    assert checked.seeds == list(range(30))
    assert checked.executor.name == "ray"
    assert checked.checkpoints_of(checked.problems[0]) == (25, 50, 100)
    assert checked.pair == ("moead", "random")


def test_seeds_may_be_a_number_or_a_list() -> None:
    assert check_comparison(config(seeds=3)).seeds == [0, 1, 2]
    assert check_comparison(config(seeds=[7, 5])).seeds == [7, 5]


def test_a_label_is_the_name_unless_there_is_one() -> None:
    chosen = ["moead", {"name": "parts.py:Mine"}, {"name": "moead", "label": "small", "population": 10}]
    checked = check_comparison(config(algorithms=chosen))
    assert checked.labels == ("moead", "Mine", "small")
    assert checked.algorithms[2].settings == {"population": 10}


def test_a_problem_can_set_its_budget_targets_and_checkpoints() -> None:
    own = two_objectives(budget=40, targets=[0.5], checkpoints=[10, 20, 90])
    checked = check_comparison(config(problems=[own, one_objective()]))
    first, second = checked.problems
    assert (checked.budget_of(first), checked.budget_of(second)) == (40, 24)
    assert checked.checkpoints_of(first) == (10, 20, 40)
    assert checked.targets_of(first) == (0.5,)
    assert checked.targets_of(second) == (3.0, 0.1)


def test_shares_of_a_hypervolume_are_not_targets_of_one_objective() -> None:
    alone = {k: v for k, v in one_objective().items() if k != "targets"}
    checked = check_comparison(config(problems=[alone]))
    assert checked.targets_of(checked.problems[0]) == ()


def test_a_run_is_a_search_with_the_problem_the_algorithm_and_the_seed() -> None:
    checked = check_comparison(config())
    search = search_config(checked, checked.problems[0], checked.algorithms[1], 3)
    assert search.algorithm.name == "nsga2"
    assert search.algorithm.settings == {"population": 10}
    assert (search.seed, search.budget.evaluations, search.concurrency) == (3, 24, 1)
    assert not search.keep_weights


def test_names_become_folders() -> None:
    assert slug("NSGA-II <10> / ü") == "nsga-ii-10"
    assert slug("???") == "x"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"problmes": []}, r"unknown key 'problmes' \(did you mean 'problems'\?\)"),
        ({"problems": [two_objectives(evaluater="x")]}, r"'problems.0.evaluater' \(did you mean 'evaluator'\?\)"),
        ({"problems": [two_objectives(reference={"pont": {}})]}, r"'problems.0.reference.pont' \(did you mean 'point'\?\)"),
        ({"problems": [two_objectives(objectives=[{"name": "error", "unti": "%"}])]}, r"did you mean 'unit'"),
        ({"problems": []}, r"problems: .*at least 1"),
        ({"algorithms": ["moead"]}, r"algorithms: .*at least 2"),
        ({"algorithms": ["moead", 3]}, r"algorithms.1: should be a mapping|algorithms.1"),
        ({"algorithms": ["moead", "moead"]}, r"label 'moead' appears twice .*set a label for each"),
        ({"problems": [one_objective(), one_objective(name="Error")]}, r"name 'error' appears twice"),
        ({"seeds": 0}, r"seeds: .*at least 1"),
        ({"seeds": [1, 1]}, r"seeds: expected no duplicates"),
        ({"targets": [95]}, r"targets.0: .*less than or equal to 1"),
        ({"difference": ["moead", "nsga3"]}, r"difference: unknown 'nsga3'"),
        ({"difference": ["moead", "moead"]}, r"difference: expected two algorithms"),
        ({"initial": 25}, r"initial: 25 architectures exceed the evaluations of problem error & params \(24\)"),
        ({"problems": [two_objectives(report={"eror": "test_error"})]}, r"report: unknown 'eror' \(did you mean 'error'\?\)"),
        ({"problems": [two_objectives(reference={"ideal": {"madds": 1}})]}, r"reference.ideal: unknown 'madds'"),
        ({"problems": [two_objectives(reference={"enumerate": True, "front": "x.csv"})]}, r"front and enumerate cannot be combined"),
        ({"problems": [one_objective(reference={"enumerate": True})]}, r"a front needs at least two objectives"),
        ({"problems": [two_objectives(targets=[95.0])]}, r"targets: expected shares above 0 and up to 1"),
    ],
)  # fmt: skip
def test_a_config_that_cannot_be_used_is_explained(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_comparison(config(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"algorithms": ["moead", "moeda"]}, r"unknown 'moeda' \(did you mean 'moead'\?\)"),
        ({"algorithms": ["moead", {"name": "nsga2", "populaton": 3}]}, r"no setting 'populaton' \(did you mean 'population'\?\)"),
        ({"problems": [two_objectives(space="tyo")]}, r"space: unknown 'tyo'"),
        ({"problems": [two_objectives(evaluator="parts.py:nosy")]}, r"did you mean 'noisy'"),
        ({"algorithms": ["moead", {"name": "nsga2", "population": 30}]}, r"24 evaluations are fewer than the 30 of the initial design"),
        ({"problems": [two_objectives(limits=["loss <= 3"])]}, r"'loss' is not an objective"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_explained_before_anything_runs(
    changes: dict[str, Any], message: str, comparison: Compare, tmp_path: Any
) -> None:
    with pytest.raises(ConfigError, match=message):
        comparison(tmp_path, **changes).check()
    assert not list(tmp_path.iterdir())


def test_a_problem_has_a_target(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "board.yaml").write_text("name: board\nram: 512 KiB\n")
    part = {"name": "net", "space": "muxnet-tiny", "objectives": ["error"], "evaluator": "training", "target": "board.yaml"}  # fmt: skip
    checked = check_comparison(config(problems=[part]))
    problem = make_problem(search_config(checked, checked.problems[0], checked.algorithms[1], 3), tmp_path)
    assert [limit.with_source for limit in problem.requirements] == [
        "peak_memory <= 524288 (ram of target 'board')"
    ]
    remember(Comparison(checked, tmp_path, tmp_path / "out"))
    (tmp_path / "board.yaml").write_text("name: board\nram: 256 KiB\n")
    with pytest.raises(ConfigError, match=r"problem net: target: .*524288.* then, .*262144.* now"):
        remember(Comparison(checked, tmp_path, tmp_path / "out"))
