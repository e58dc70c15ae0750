"""Exact costs for algorithms that do not use them: hopeless proposals are skipped, cost nothing, and the search ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from compare_parts import Compare, make_runs, two_objectives

import nas
from nas.algorithms import ALGORITHMS
from nas.algorithms.peers import PEERS
from nas.compare import shared_costs
from nas.compare.config import check_comparison
from nas.compare.folder import identity
from nas.compare.runs import RunKey, carry_out
from nas.compare.shared_costs import SharedCosts, WithCosts
from nas.core.algorithm import Algorithm
from nas.core.errors import ConfigError
from nas.core.records import Architecture, Observation, Trial
from nas.pareto.archive import non_dominated
from nas.testing.toy import ToySpace, answer, toy_problem

OWN = [name for name in ALGORITHMS if name != "sa-moead"]
KINDS = ["nsga2", "local-search", "random"]  # by population, by neighbours, by drawing
PYMOO = [
    pytest.param(name, marks=[pytest.mark.slow] if name != "pymoo-nsga2" else [])
    for name in PEERS
    if "pymoo" in name
]


class Listed(Algorithm):
    """Proposes a list, and keeps what it is told."""

    def __init__(self, problem: Any, rng: np.random.Generator, settings: Any = None) -> None:
        self.left: list[Architecture] = list(settings or ())
        self.told: list[Observation] = []

    def ask(self, n: int) -> list[Architecture]:
        asked, self.left = self.left[:n], self.left[n:]
        return asked

    def tell(self, observations: Sequence[Observation]) -> None:
        self.told += observations


def costly_is_worse(trial: Trial) -> dict[str, float]:
    """An error that grows with the costs, so that most of the space cannot join the front."""
    return {"error": 1.0 + sum(trial.architecture.genes)}


def cells(*sums: int) -> list[Architecture]:
    """Architectures with 10 parameters more than this."""
    return [
        Architecture("toy", (1, 0, 0, 0, 0, n - 1)) if n < 4 else Architecture("toy", (2, 0, 4, 0, 0, n - 6))
        for n in sums
    ]


def seen(architecture: Architecture, error: float, violation: float = 0.0, ok: bool = True) -> Observation:
    costs = ToySpace().cost(architecture)
    objectives = np.array([error, costs["params"]]) if ok else np.full(2, np.nan)
    return Observation(architecture, objectives, violation, ok)


def shared(*proposals: Architecture, limits: Sequence[str] = ()) -> tuple[SharedCosts, Listed]:
    problem = toy_problem(2, limits)
    inner = Listed(problem, np.random.default_rng(0), proposals)
    return SharedCosts(inner, problem), inner


def test_only_proposals_that_cannot_join_the_front_are_skipped_and_told_as_failed() -> None:
    small, medium, large, larger = cells(1, 2, 3, 7)
    algorithm, inner = shared(medium, large, small, larger)
    assert algorithm.ask(1) == [medium]  # nothing is known yet
    algorithm.tell([seen(medium, 5.0)])
    assert algorithm.ask(3) == [small]
    assert [(o.architecture, o.ok, o.violation) for o in inner.told] == [
        (medium, True, 0.0),
        (large, False, np.inf),
        (larger, False, np.inf),
    ]
    assert np.isnan(inner.told[1].objectives).all()


def test_an_infeasible_or_failed_result_makes_no_proposal_hopeless() -> None:
    small, medium, large = cells(1, 2, 3)
    algorithm, _ = shared(large, medium, limits=["error <= 3"])
    algorithm.tell([seen(small, 5.0, violation=0.5)])
    assert algorithm.ask(1) == [large]
    algorithm.tell([seen(small, 0.0, ok=False)])
    assert algorithm.ask(1) == [medium]


def test_after_many_skipped_proposals_the_next_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_costs, "ASKS", 3)
    first, *others = cells(1, 2, 3, 7, 8)
    algorithm, inner = shared(first, *others)
    algorithm.tell([seen(*algorithm.ask(1), 5.0)])
    assert algorithm.ask(1) == [others[2]]
    assert [o.architecture for o in inner.told] == [first, *others[:2]]
    assert algorithm.ask(5) == []  # the last is hopeless, and no other is left


@pytest.mark.parametrize("name", [*KINDS, *PYMOO])
def test_searches_of_a_space_of_hopeless_proposals_end_and_evaluate_few_of_them(name: str) -> None:
    found: dict[bool, pd.DataFrame] = {}
    made_by = {**ALGORITHMS, **PEERS}[name]
    for share in (False, True):
        run = nas.search(
            ToySpace((3, 4, 4)), ["error", "params", "madds"], costly_is_worse,
            algorithm=WithCosts(made_by, name) if share else made_by,
            algorithm_settings=made_by.default_settings(3, 40),
            loop=nas.engine.loop.LoopSettings(evaluations=40, seed=1, concurrency=1),
        )  # fmt: skip
        found[share] = run.history[["error", "params", "madds"]]
    useless = {share: len(table) - len(non_dominated(table.to_numpy())) for share, table in found.items()}
    assert useless[True] < useless[False]
    assert len(found[True]) < len(found[False])


def test_an_algorithm_that_knows_costs_stays_as_it_is() -> None:
    problem, rng = toy_problem(2), np.random.default_rng(0)
    assert type(WithCosts(ALGORITHMS["sa-moead"], "a")(problem, rng)) is ALGORITHMS["sa-moead"]
    for name in OWN:
        assert isinstance(WithCosts(ALGORITHMS[name], name)(problem, rng), SharedCosts)


def test_a_problem_without_cheap_objectives_is_refused(comparison: Compare, tmp_path: Path) -> None:
    problem = two_objectives(objectives=["error"], reference={}, report={}, share_costs=True)
    with pytest.raises(ConfigError, match="share_costs: no objective of this problem is cheap"):
        comparison(tmp_path, problems=[problem]).check()


def test_a_comparison_shares_costs_by_problem_and_an_interrupted_run_continues(
    comparison: Compare, tmp_path: Path
) -> None:
    problems = [two_objectives(), two_objectives(name="shared", share_costs=True)]
    keys = {"problems": problems, "algorithms": ["nsga2", "random"], "seeds": 2}
    whole = comparison(tmp_path / "whole", **keys)
    assert not make_runs(whole).failed
    first = RunKey("error & params", "random", 0)
    logs = {key: asked(whole.folder(key)) for key in whole.every_run()}
    assert any(
        logs[key] != logs[key._replace(problem="shared")] for key in logs if key.problem == first.problem
    )
    key = RunKey("shared", "nsga2", 1)
    part = comparison(tmp_path / "part", **keys)

    def stop(state: Any) -> None:
        if state.evaluated == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(part, key, [stop])
    assert not part.done(key)
    carry_out(part, key)
    assert asked(part.folder(key)) == logs[key]


def asked(run: Path) -> list[str]:
    """The architectures of a run, in order."""
    return pd.read_parquet(run / "history.parquet").sort_values("trial")["architecture"].tolist()  # type: ignore[no-any-return]


def test_a_comparison_from_before_continues_and_a_changed_rule_is_refused() -> None:
    def of(**changes: Any) -> dict[str, Any]:
        values = {"problems": [two_objectives(**changes)], "algorithms": ["random", "moead"]}
        return identity(check_comparison(values))["problems"]["error & params"]

    assert "share_costs" not in of()
    assert of(share_costs=True)["share_costs"] is True


@pytest.mark.parametrize("name", KINDS)
def test_with_costs_proposals_stay_valid_and_new(name: str) -> None:
    problem = toy_problem(2)
    algorithm = WithCosts(ALGORITHMS[name], name)(
        problem, np.random.default_rng(3), ALGORITHMS[name].default_settings(2, 30)
    )
    asked: list[Architecture] = []
    while len(asked) < 30 and (found := algorithm.ask(2)):
        asked += found
        algorithm.tell([answer(problem, a) for a in found])
    assert len(set(asked)) == len(asked) > 8  # the rest of the space is hopeless
    assert all(problem.space.is_valid(a) and problem.space.canonical(a) == a for a in asked)
