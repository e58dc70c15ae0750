"""A trial whose process was killed between saving its weights and recording its result reports its training."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_training_search import QUICK, RULE, SizedTiny

import nas
from nas.core.records import Result, Trial
from nas.engine.loop import LoopSettings
from nas.executors import SerialExecutor
from nas.training import Halving, TrainingEvaluator
from nas.training.data import Digits

pytestmark = pytest.mark.usefixtures("no_plots")
TIMES = {"seconds", "asked_at", "started", "finished", "told_seconds", "train_seconds"}


class Killed(SerialExecutor):
    """As if the process were killed when the result of trial `victim` is there but not recorded."""

    victim = -1

    def collect(self, timeout: float | None = None) -> list[Result]:
        results = super().collect(timeout)
        if any(r.trial.id == self.victim for r in results):
            raise KeyboardInterrupt
        return results


def search(out: Path, halving: Halving | None, victim: int = -1, resume: bool = False) -> nas.SearchResult:
    def executor(evaluate, required):
        made = Killed(evaluate, required=required)
        made.victim = victim
        return made

    space = SizedTiny()
    loop = LoopSettings(evaluations=8, seed=1, concurrency=3, halving=halving)
    return nas.search(
        space, ["error", "params"], TrainingEvaluator(space, Digits(), QUICK),
        algorithm="random", loop=loop, out=out, executor=executor, resume=resume,
    )  # fmt: skip


@pytest.mark.parametrize("halving", [None, RULE], ids=["fixed", "halving"])
def test_a_kill_between_saving_weights_and_recording_the_result_leaves_the_history_of_a_run_that_never_was_killed(
    halving: Halving | None, tmp_path: Path
) -> None:
    whole = search(tmp_path / "whole", halving).history
    victims = [1] if halving is None else [0, int(whole.index[whole["budget"] > 1][0])]
    for victim in victims:
        assert search(tmp_path / f"run{victim}", halving, victim).state == "interrupted"
        again = search(tmp_path / f"run{victim}", halving, resume=True).history
        columns = [c for c in whole.columns if c not in TIMES]
        assert again[columns].to_dict() == whole[columns].to_dict()
        assert again["trained_epochs"][victim] >= 1
        assert again["train_seconds"][victim] > 0.1 * whole["train_seconds"][victim]


def test_a_trial_that_is_made_again_reports_the_time_of_its_training(tmp_path: Path) -> None:
    space = SizedTiny()
    evaluator = TrainingEvaluator(space, Digits(), QUICK, weights_dir=str(tmp_path))
    trial = Trial(3, nas.Architecture(space.name, (1, 1)), seed=4)
    first, again = evaluator(trial), evaluator(trial)
    assert again == first
    assert (
        evaluator(Trial(4, trial.architecture, seed=4))["trained_epochs"] == 0
    )  # another trial trains nothing
