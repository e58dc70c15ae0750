from __future__ import annotations

import contextlib
import dataclasses
import gc
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch
from torch import nn

from nas.core.errors import ConfigError, DataError, EvaluationError
from nas.core.records import Architecture, Trial
from nas.training import Recipe, TrainingDiverged, TrainingEvaluator, evaluate_test
from nas.training.data import Digits
from nas.training.data import load as load_data
from nas.training.from_config import training

HERE = Path(__file__).resolve().parent
QUICK = Recipe(epochs=2, subset=0.5)


def measured(values):
    """The values that depend on the trial alone."""
    return {k: v for k, v in values.items() if "seconds" not in k}


def test_three_epochs_on_the_digits_pass_ninety_percent(space, architecture):
    values = TrainingEvaluator(space, recipe=Recipe(epochs=3))(Trial(0, architecture, seed=1))
    assert values["error"] < 10
    assert values["top5_error"] < 2
    assert 0 < values["soft_error"] < 15
    share, images = values["error"] / 100, len(TrainingEvaluator(space).prepare().validation)
    expected = 100 * (2 * share * (1 - share) / images) ** 0.5
    assert values["error_sampling"] == values["accuracy_sampling"] == pytest.approx(expected, rel=0.1)


def test_the_soft_error_is_the_mean_probability_of_the_wrong_classes(space, architecture):
    evaluator = TrainingEvaluator(space, recipe=QUICK)
    prepared = evaluator.prepare()
    network = evaluator.build(Trial(0, architecture, seed=1), prepared).eval()
    score = evaluator.task.judge(network, prepared.validation, prepared, contextlib.nullcontext)
    (images, labels), *_ = prepared.validation.batches([torch.arange(len(prepared.validation))], None)
    with torch.no_grad():
        right = network(images).softmax(1)[torch.arange(len(labels)), labels]
    assert score.values()["soft_error"] == pytest.approx(100 * float(1 - right.mean()), rel=1e-4)


def test_the_losses_and_the_soft_error_are_companions_unless_others_are_named(space, architecture):
    evaluator = TrainingEvaluator(space, recipe=QUICK)
    assert evaluator.companions == ("loss", "soft_error", "train_loss")
    assert set(evaluator.companions) <= evaluator(Trial(0, architecture, seed=1)).keys()
    assert TrainingEvaluator(space, companions=("loss",)).companions == ("loss",)
    other = training(space=space, proxies=["naswot"], companions=["loss"])
    assert other.companions == ("loss", "naswot")


@pytest.mark.parametrize(
    "changes",
    [
        {"optimiser": "adamw", "lr": 3e-3},
        {"optimiser": "rmsprop", "lr": 1e-3, "eps": 1e-3, "schedule": "step", "decay_epochs": 1},
        {"ema_decay": 0.95},
        {"channels_last": False, "clip": 1.0, "schedule": "constant", "nesterov": False},
        {"augment": ["crop"], "label_smoothing": 0.1, "resolution": 12},
    ],
    ids=lambda c: next(iter(c)),
)
def test_every_kind_of_recipe_learns(space, architecture, changes):
    recipe = dataclasses.replace(Recipe(epochs=4), **changes)
    assert TrainingEvaluator(space, recipe=recipe)(Trial(0, architecture, seed=1))["error"] < 25


def test_the_same_trial_gives_the_same_values_twice(space, architecture):
    evaluator = TrainingEvaluator(space, recipe=dataclasses.replace(QUICK, augment=("crop", "flip", "erase")))
    first = evaluator(Trial(0, architecture, seed=5))
    evaluator(Trial(1, Architecture("tiny-test", (0, 0)), seed=9))
    assert measured(evaluator(Trial(2, architecture, seed=5))) == measured(first)


@pytest.mark.slow
def test_a_fresh_process_gives_the_same_values(space, architecture):
    code = (
        f"import sys; sys.path.insert(0, {str(HERE)!r})\n"
        "from conftest import TinySpace\nfrom nas.core.records import *\nfrom nas.training import *\n"
        "e = TrainingEvaluator(TinySpace(), recipe=Recipe(epochs=2, subset=0.5))\n"
        "v = e(Trial(7, Architecture('tiny-test', (1, 1)), 5))\n"
        "print(repr((v['error'], v['loss'], v['train_loss'])))"
    )
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    values = TrainingEvaluator(space, recipe=QUICK)(Trial(0, architecture, seed=5))
    assert fresh.strip() == repr((values["error"], values["loss"], values["train_loss"]))


def test_another_seed_gives_another_training(space, architecture):
    evaluator = TrainingEvaluator(space, recipe=QUICK)
    first, second = (evaluator(Trial(0, architecture, seed=s))["loss"] for s in (1, 2))
    assert first != second


def test_the_callers_random_state_and_threads_are_left_alone(space, architecture):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    before = torch.get_num_threads()
    TrainingEvaluator(space, recipe=QUICK)(Trial(0, architecture, seed=5))
    assert torch.equal(torch.rand(4), expected)
    assert torch.get_num_threads() == before


def test_training_runs_on_the_threads_asked_for(architecture, space):
    seen = []

    class Spy(type(space)):
        def build(self, architecture, **sizes):
            seen.append(torch.get_num_threads())
            return super().build(architecture, **sizes)

    tiny = Recipe(epochs=1, max_pictures=64)
    TrainingEvaluator(Spy(), recipe=tiny, threads=2)(Trial(0, architecture, seed=5))
    assert seen == [2]


def test_the_budget_is_the_number_of_epochs(space, architecture):
    evaluator = TrainingEvaluator(space, recipe=QUICK)
    assert evaluator(Trial(0, architecture, seed=1, budget=3))["epochs"] == 3
    assert evaluator(Trial(0, architecture, seed=1))["epochs"] == 2


@pytest.mark.parametrize("budget", [0, -1, 1.5])
def test_a_budget_that_is_not_a_number_of_epochs_is_refused(space, architecture, budget):
    with pytest.raises(ConfigError, match="whole number of epochs"):
        TrainingEvaluator(space, recipe=QUICK)(Trial(0, architecture, seed=1, budget=budget))


def test_divergence_is_an_error_with_its_place(space, architecture):
    wild = dataclasses.replace(QUICK, lr=1e18, warmup_epochs=0.0)
    with pytest.raises(TrainingDiverged, match="epoch 1"):
        TrainingEvaluator(space, recipe=wild)(Trial(0, architecture, seed=1))


def test_a_network_of_the_wrong_width_is_an_error(space, architecture):
    class Wrong(type(space)):
        def build(self, architecture, *, num_classes=10, in_channels=3):
            return super().build(architecture, num_classes=num_classes + 1, in_channels=in_channels)

    with pytest.raises(EvaluationError, match=r"expected \(.*, 10\)"):
        TrainingEvaluator(Wrong(), recipe=QUICK)(Trial(0, architecture, seed=1))


def test_a_space_that_cannot_build_is_refused_when_the_evaluator_is_made():
    with pytest.raises(ConfigError, match="cannot build"):
        TrainingEvaluator(object())


def test_the_space_chooses_the_resolution_if_it_has_one(space, architecture):
    shapes = set()

    class Sized(type(space)):
        def resolution(self, architecture):
            return 6

        def build(self, architecture, **sizes):
            network = super().build(architecture, **sizes)
            network.register_forward_pre_hook(lambda m, x: shapes.add(tuple(x[0].shape[2:])))
            return network

    TrainingEvaluator(Sized(), recipe=QUICK)(Trial(0, architecture, seed=1))
    assert shapes == {(6, 6)}


@pytest.mark.parametrize("side", [6, 8, 20])
def test_the_recipe_sets_the_side_of_the_images(space, architecture, side):
    prepared = TrainingEvaluator(space, recipe=Recipe(resolution=side)).prepare(architecture)
    for feed in (prepared.train, prepared.validation):
        x, y = next(feed.batches([torch.arange(5)], None))
        assert x.shape == (5, 1, side, side)
        assert y.shape == (5,)


def test_images_that_are_enlarged_are_transformed_at_their_own_size(space):
    seen = []
    feed = TrainingEvaluator(space, recipe=Recipe(resolution=32)).prepare().train

    def spy(x):
        seen.append(tuple(x.shape))
        return x

    next(feed.batches([torch.arange(3)], None, spy))
    assert seen == [(3, 1, 8, 8)]


def test_batches_hold_the_normalised_images_of_the_data_set(space):
    splits = load_data(Digits())
    feed = TrainingEvaluator(space).prepare().train
    x, y = next(feed.batches([torch.tensor([4, 2])], None))
    expected = (splits.train.images[[4, 2]] - splits.mean[0]) / splits.std[0]
    assert torch.allclose(x, torch.from_numpy(expected).float(), atol=1e-5)
    assert y.tolist() == splits.train.labels[[4, 2]].tolist()


def test_selecting_never_sees_the_test_images(space, architecture):
    """The values of a trial are the same for any test images."""

    @dataclasses.dataclass(frozen=True)
    class Spoilt:
        def load(self):
            whole = load_data(Digits())
            return dataclasses.replace(
                whole, test=whole.test.select(torch.zeros(3, dtype=torch.int64).numpy())
            )

    values = [
        measured(TrainingEvaluator(space, d, QUICK)(Trial(0, architecture, 1))) for d in (Digits(), Spoilt())
    ]
    assert values[0] == values[1]


def test_the_report_evaluates_on_the_test_images(space, architecture):
    evaluator = TrainingEvaluator(space, recipe=Recipe(epochs=3))
    trial = Trial(0, architecture, seed=1)
    score = evaluator.test(trial)
    assert score.pictures == len(load_data(Digits()).test)
    assert evaluate_test(evaluator, trial)["test_error"] == score.error < 10
    share = [e / 100 * n for e, n in zip(score.class_errors, class_sizes(), strict=True)]
    assert sum(share) / score.pictures * 100 == pytest.approx(score.error)


def class_sizes():
    test = load_data(Digits()).test
    return [int((test.labels == c).sum()) for c in range(10)]


def test_data_without_validation_images_cannot_select(space, architecture):
    with pytest.raises(DataError, match="no validation image"):
        TrainingEvaluator(space, Digits(validation=0.0), QUICK)(Trial(0, architecture, seed=1))


def test_a_constant_rate_continued_is_the_training_that_never_stopped(space, architecture, tmp_path):
    recipe = Recipe(
        schedule="constant", lr=0.02, subset=0.5, ema_decay=0.9, augment=("crop",), warmup_epochs=0.0
    )
    straight = TrainingEvaluator(space, recipe=recipe)(Trial(0, architecture, seed=4, budget=4))
    keeping = TrainingEvaluator(space, recipe=recipe, weights_dir=str(tmp_path))
    keeping(Trial(0, architecture, seed=4, budget=1))
    continued = keeping(Trial(9, architecture, seed=4, budget=4))
    assert continued["trained_epochs"] == 3
    assert (continued["error"], continued["loss"]) == (straight["error"], straight["loss"])


def test_a_budget_that_was_reached_already_trains_nothing(space, architecture, tmp_path):
    evaluator = TrainingEvaluator(space, recipe=QUICK, weights_dir=str(tmp_path))
    first = evaluator(Trial(0, architecture, seed=4))
    again = evaluator(Trial(1, architecture, seed=4))
    assert again["trained_epochs"] == 0
    assert (again["error"], again["train_loss"]) == (first["error"], first["train_loss"])


def test_a_lower_budget_neither_uses_nor_replaces_weights_that_went_further(space, architecture, tmp_path):
    evaluator = TrainingEvaluator(space, recipe=QUICK, weights_dir=str(tmp_path))
    trial = Trial(0, architecture, seed=4, budget=2)
    evaluator(trial)
    kept = evaluator.weights_file(trial).read_bytes()
    assert evaluator(Trial(1, architecture, seed=4, budget=1))["trained_epochs"] == 1
    assert evaluator.weights_file(trial).read_bytes() == kept


def test_weights_of_another_recipe_are_not_continued(space, architecture, tmp_path):
    TrainingEvaluator(space, recipe=QUICK, weights_dir=str(tmp_path))(Trial(0, architecture, 4, budget=1))
    other = dataclasses.replace(QUICK, lr=0.01)
    values = TrainingEvaluator(space, recipe=other, weights_dir=str(tmp_path))(
        Trial(0, architecture, 4, budget=2)
    )
    assert values["trained_epochs"] == 2


def test_the_evaluator_travels_through_cloudpickle(space, architecture):
    from ray import cloudpickle

    evaluator = TrainingEvaluator(space, recipe=QUICK)
    blob = cloudpickle.dumps(evaluator)
    assert len(blob) < 20_000
    assert cloudpickle.loads(blob).recipe == QUICK


def test_importing_the_package_loads_no_torch():
    code = "import sys, nas.training; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def grown(evaluator, architecture, count):
    """Resident megabytes gained over `count` trainings, after a few that fill the caches."""
    process = psutil.Process()
    for i in range(count + 5):
        if i == 5:
            gc.collect()
            before = process.memory_info().rss
        evaluator(Trial(i, architecture, seed=i))
    gc.collect()
    return (process.memory_info().rss - before) / 2**20


def test_averaged_weights_change_what_is_measured_and_not_the_training(space, architecture):
    plain, averaged = (
        TrainingEvaluator(space, recipe=Recipe(epochs=1, subset=0.2, ema_decay=decay))(
            Trial(0, architecture, seed=3)
        )
        for decay in (0.0, 0.9)
    )
    assert averaged["train_loss"] == plain["train_loss"]
    assert averaged["loss"] != plain["loss"]


@pytest.mark.slow
def test_memory_stays_flat_over_thirty_trainings(space, architecture):
    evaluator = TrainingEvaluator(space, recipe=Recipe(epochs=1, subset=0.2, ema_decay=0.9))
    assert grown(evaluator, architecture, 30) < 12


@pytest.mark.slow
def test_memory_stays_flat_over_a_hundred_trainings(space, architecture):
    class Leaky(nn.Module):
        """A network with a reference cycle, which only the collector frees."""

        def __init__(self, inner):
            super().__init__()
            self.inner, self.me = inner, [self]

        def forward(self, x):
            return self.inner(x)

    class Cyclic(type(space)):
        def build(self, architecture, **sizes):
            return Leaky(super().build(architecture, **sizes))

    assert grown(TrainingEvaluator(Cyclic(), recipe=Recipe(epochs=3)), architecture, 100) < 25
