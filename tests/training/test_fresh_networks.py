"""Networks with lazy layers get their shapes wherever they are built; networks with nothing to train are named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import nas
from nas.core.errors import ConfigError
from nas.core.records import Trial
from nas.core.task_spec import TaskSpec
from nas.testing.networks import NetworkFailed, check_networks
from nas.training import Recipe, TrainingEvaluator
from nas.training.fresh import with_shapes
from nas.training.full import architecture_builder, train_full
from nas.training.judging import judge_weights
from nas.training.latency import architecture_latency
from nas.training.passes import step_seconds
from nas.training.proxies import Proxies

DIGITS = TaskSpec(1, 10, (8, 8))
QUICK = Recipe(epochs=1, max_pictures=60)


def lazy_space() -> nas.Space:
    space = nas.Space("lazy", width=nas.Choice(4, 8))

    @space.build
    def build(c, *, num_classes):
        return nn.Sequential(
            nn.LazyConv2d(c.width, 3, padding=1),
            nn.LazyBatchNorm2d(),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.1),
            nn.LazyLinear(num_classes),
        )

    return space.for_task(DIGITS)


def bare_space() -> nas.Space:
    space = nas.Space("bare", conv=nas.Choice(False, True))

    @space.build
    def build(c, *, num_classes, in_channels):
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.Sequential(nn.Conv2d(in_channels, num_classes, 3), pool) if c.conv else pool

    return space.for_task(DIGITS)


@pytest.fixture
def lazy() -> nas.Space:
    return lazy_space()


def test_lazy_layers_are_trained_and_agree_with_the_cost(lazy: nas.Space) -> None:
    evaluator = TrainingEvaluator(lazy, recipe=QUICK)
    first, second = (evaluator(Trial(i, lazy.parse("width=4"), seed=3)) for i in range(2))
    assert first["loss"] == second["loss"]
    network = evaluator.build(Trial(0, lazy.parse("width=8"), seed=3), evaluator.prepare())
    assert sum(p.numel() for p in network.parameters()) == lazy.cost(lazy.parse("width=8"))["params"]
    assert network.training


def test_lazy_layers_have_shapes_in_checks_times_and_proxies(lazy: nas.Space) -> None:
    architecture = lazy.parse("width=4")
    assert check_networks(lazy, range(2), DIGITS) == []
    assert step_seconds(lazy, architecture, DIGITS, 2, 1, "cpu") > 0
    assert architecture_latency(lazy, resolution=8, rounds=6).with_spread("ms", architecture)["ms"] > 0
    assert Proxies(lazy, names=("synflow",))(Trial(0, architecture, seed=0))["synflow"] > 0


def test_a_full_training_of_lazy_layers_is_read_back(lazy: nas.Space, tmp_path: Path) -> None:
    build = architecture_builder(lazy, lazy.parse("width=4"), {})
    data = TrainingEvaluator(lazy).data
    trained = train_full(build, data, QUICK, tmp_path / "full")
    judged = judge_weights(build, data, trained.weights, None)
    assert trained.test is not None
    assert judged.score.loss == pytest.approx(trained.test.loss, rel=1e-4)


def test_a_search_with_lazy_layers_keeps_weights_and_exports_them(tmp_path: Path) -> None:
    space = lazy_space()
    recipe = {"recipe": {"epochs": 1, "max_pictures": 60, "ema_decay": 0.9}}
    run = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        found = nas.search(space, ["error", "params"], training=recipe, data="digits", budget=2, out=run)
    assert set(found.history["status"]) == {"ok"}
    text = str(found.front["architecture"].iloc[0])
    before = torch.get_rng_state()
    network = nas.load_network(run, text, space)
    assert torch.equal(torch.get_rng_state(), before)
    assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    exported = nas.export_run(
        run, [text], tmp_path / "out", space=space, data="digits", training=recipe, onnx=False
    )
    assert (exported[0].folder / "weights.pt").is_file()


def test_a_lazy_layer_without_input_is_named() -> None:
    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.spare = nn.LazyLinear(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    with pytest.raises(ConfigError, match=r"'spare.weight' has no shape"):
        with_shapes(Unused(), lambda: (1, 3))


def test_a_failing_pass_names_the_shape() -> None:
    with pytest.raises(ConfigError, match=r"shape \(1, 3, 4, 4\)"):
        with_shapes(nn.Sequential(nn.LazyLinear(3), nn.Linear(5, 2)), lambda: (1, 3, 4, 4))


def test_networks_without_trainable_parameters_are_named_with_their_choices() -> None:
    space = bare_space()
    with pytest.raises(ConfigError, match=r"\{'conv': False\} has no trainable parameters.*space\.forbid"):
        TrainingEvaluator(space, recipe=QUICK)(Trial(0, space.parse("conv=False"), seed=0))
    with pytest.raises(NetworkFailed, match=r"'conv': False.*no trainable parameters"):
        check_networks(space, range(8), TaskSpec(10, 10, (8, 8)))
