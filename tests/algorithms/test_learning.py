"""The plan of tuning and renewing: spread over proposals, and the same when a search is resumed."""

from __future__ import annotations

import pytest

from nas.algorithms._learning import LearningPlan, Moment


def steps(plan: LearningPlan, first: int, n: int) -> list[tuple[int, bool]]:
    """For n asks, one result before each: the number of models tuned and whether the candidates were renewed."""
    found = []
    for known in range(first, first + n):
        now, before = Moment(known, known, known), plan.renewal
        plan.step(now)
        found.append((sum(moment == now for moment in plan.tuned), plan.renewal is not before))
    return found


def test_with_few_results_all_models_learn_at_each_cycle():
    assert steps(LearningPlan(3, first=6, growth=0.1), 4, 5) == [(0, False)] * 2 + [(3, True)] * 3


def test_with_many_results_each_ask_takes_one_step():
    plan = LearningPlan(3, first=6, growth=0.05)
    plan.step(Moment(6, 6, 6))
    assert steps(plan, 200, 12) == [(1, False)] * 3 + [(0, True)] + [(0, False)] * 6 + [(1, False)] * 2


def test_more_objectives_than_groups_share_the_steps():
    plan = LearningPlan(8, first=6, growth=0.05)
    plan.step(Moment(6, 6, 6))
    assert steps(plan, 400, 4) == [(3, False), (3, False), (2, False), (0, True)]


@pytest.mark.parametrize("at_once", [True, False])
def test_the_first_cycle_takes_one_ask_and_others_on_request(at_once: bool):
    plan = LearningPlan(2, 6, 0.05)
    assert steps(plan, 1000, 1) == [(2, True)]
    plan.step(Moment(1100, 1100, 1100), at_once)
    assert (plan.renewal is not None and plan.renewal.at.known == 1100) == at_once


def test_a_renewal_remembers_when_its_models_were_tuned():
    plan = LearningPlan(2, first=6, growth=0.05)
    steps(plan, 6, 300)
    assert plan.renewal is not None
    assert [plan.renewal.at.known - moment.known for moment in plan.renewal.tuned] == [2, 1]
