"""Fine-tuning of networks with inherited weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
import torch

import nas
from nas.core.errors import ConfigError
from nas.shrinking.evaluator import TuningEvaluator
from nas.spaces import from_module
from nas.spaces.cut_networks import ModuleSpace
from nas.training import Halving, Recipe, TrainingEvaluator
from nas.training.data import Digits
from nas.training.feed import prepare
from tests.shared.shrink_parts import Plain

FAST = Recipe(epochs=1, lr=0.02, warmup_epochs=0.0, max_pictures=64, channels_last=False)


@pytest.fixture
def space(trained: Plain) -> ModuleSpace:
    """A space around a trained network."""
    return from_module(trained, (1, 8, 8), resolutions=[8])


def trial(space: ModuleSpace, budget: float | None, **values: float) -> nas.Trial:
    whole = {"conv1": 1.0, "conv2": 1.0}
    return nas.Trial(0, space.architecture({**whole, **values}), 7, budget)


def without_times(values: Any) -> dict[str, float]:
    return {name: value for name, value in values.items() if "seconds" not in name}


def test_a_budget_of_no_epochs_evaluates_the_inherited_weights_with_statistics_of_batch_norm(
    space: ModuleSpace,
) -> None:
    evaluator = TuningEvaluator(space, recipe=FAST)
    values = evaluator(trial(space, 0))
    assert values["epochs"] == 0.0
    assert "train_loss" not in values
    cut = trial(space, 0, conv1=0.5)
    raw = evaluator.scores_of(evaluator.build(cut, evaluator.prepare()))
    assert evaluator(cut)["loss"] < raw["loss"]


def test_the_statistics_of_the_original_are_unchanged_by_a_candidate(space: ModuleSpace) -> None:
    before = {name: t.clone() for name, t in space.original.state_dict().items()}
    TuningEvaluator(space, recipe=FAST)(trial(space, 1))
    after = space.original.state_dict()
    assert all(torch.equal(t, after[name]) for name, t in before.items())


def test_tuning_lowers_the_loss_of_a_narrower_network(space: ModuleSpace) -> None:
    evaluator = TuningEvaluator(space, recipe=dataclasses.replace(FAST, max_pictures=None))
    narrow = {"conv1": 0.5, "conv2": 0.5}
    assert (
        evaluator(trial(space, 2, **narrow))["soft_error"]
        < evaluator(trial(space, 0, **narrow))["soft_error"]
    )


def test_the_same_trial_gives_the_same_values_also_of_a_pickled_evaluator(space: ModuleSpace) -> None:
    evaluator = TuningEvaluator(space, recipe=FAST)
    again = cloudpickle.loads(cloudpickle.dumps(evaluator))
    one = trial(space, 1, conv1=0.5)
    assert without_times(evaluator(one)) == without_times(again(one))


def test_distillation_changes_the_training_and_0_switches_it_off(space: ModuleSpace) -> None:
    one = trial(space, 1, conv2=0.5)
    with_teacher = TuningEvaluator(space, recipe=FAST)(one)
    alone = TuningEvaluator(space, recipe=FAST, distillation=0.0)(one)
    assert with_teacher["train_loss"] != alone["train_loss"]


def test_the_teacher_alone_teaches_with_a_share_of_1(space: ModuleSpace) -> None:
    evaluator = TuningEvaluator(space, recipe=FAST, distillation=1.0)
    prepared = prepare(Digits(), FAST, torch.device("cpu"), None)
    x, y = next(iter(prepared.train.batches([torch.arange(8)], None)))
    loss = evaluator._loss(prepared, torch.device("cpu"))
    found: Any = loss(space.original.eval(), x, y)
    soft = space.original(x).softmax(1).detach()
    assert float(found.detach()) == pytest.approx(float(-(soft * soft.log()).sum(1).mean()), rel=1e-5)


def test_a_continued_trial_equals_one_that_never_stopped(space: ModuleSpace, tmp_path: Path) -> None:
    keeping = TuningEvaluator(space, recipe=FAST).keeping(str(tmp_path), 2)
    for budget in (0, 1, 2):
        last = keeping(trial(space, budget, conv1=0.5))
    assert last["trained_epochs"] == 1.0
    whole = TuningEvaluator(space, recipe=FAST, horizon=2)(trial(space, 2, conv1=0.5))
    assert last["loss"] == whole["loss"]
    assert last["error"] == whole["error"]


def test_the_values_of_the_original_have_its_scores_and_exact_costs(space: ModuleSpace) -> None:
    values = TuningEvaluator(space, recipe=FAST).original_values()
    assert values["params"] == sum(p.numel() for p in space.original.parameters())
    assert 0 < values["error"] < 60
    assert values["madds"] > 0


def test_a_space_without_an_original_and_a_wrong_share_are_refused(space: ModuleSpace) -> None:
    other = nas.Space("other", width=nas.Choice(4, 8))
    other.build(lambda c, *, num_classes, in_channels: Plain(num_classes, in_channels, c["width"]))
    with pytest.raises(ConfigError, match="no original network"):
        TuningEvaluator(other)  # type: ignore[arg-type]
    for share in (-0.1, 1.5, True, "half"):
        with pytest.raises(ConfigError, match="distillation must be a share"):
            TuningEvaluator(space, distillation=share)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("last", "eta", "budgets"),
    [
        (9, 3.0, (0, 1, 3, 9)),
        (1, 3.0, (0, 1)),
        (2, 3.0, (0, 1, 2)),
        (4, 4.0, (0, 1, 4)),
        (3, 1.5, (0, 1, 2, 3)),
    ],
)
def test_halving_from_0_continues_with_one_epoch(last: int, eta: float, budgets: tuple[int, ...]) -> None:
    assert Halving(0, last, eta).budgets == budgets


def test_halving_begins_without_training_and_continues_the_best(space: ModuleSpace, tmp_path: Path) -> None:
    result = nas.search(
        space,
        ["error", "params"],
        TuningEvaluator(space, recipe=FAST),
        algorithm="random",
        budget=8,
        loop={"concurrency": 1, "halving": {"first": 0, "last": 2}},
        out=tmp_path / "run",
    )
    assert result.summary["budgets"] == {"0": 6, "1": 2}
    again = nas.search(
        space,
        ["error", "params"],
        TuningEvaluator(space, recipe=FAST),
        algorithm="random",
        budget=9,
        loop={"concurrency": 1, "halving": {"first": 0, "last": 2}},
        out=tmp_path / "run",
        resume=True,
    )
    assert again.summary["evaluations"] == 9


def test_halving_from_0_is_refused_for_an_evaluator_that_trains_from_the_start(space: ModuleSpace) -> None:
    with pytest.raises(ConfigError, match="halving: first 0"):
        nas.search(
            space,
            ["error", "params"],
            TrainingEvaluator(space, recipe=FAST),
            algorithm="random",
            budget=4,
            loop={"halving": {"first": 0, "last": 2}},
        )
