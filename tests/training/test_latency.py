"""Latency: turns, warming up, the self-check, and the objective of searches."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

import nas
from nas.config.assemble import assemble
from nas.config.schema import check_config
from nas.core.errors import ConfigError
from nas.core.objectives import OBJECTIVES
from nas.core.space import SearchSpace
from nas.training import latency
from nas.training.latency import LatencySettings, Timing, UnsteadyTiming, input_size, steady, time_in_turns
from search_spaces.muxnet import MUXNetSpace
from search_spaces.nasbench101 import NASBench101

pytestmark = pytest.mark.usefixtures("no_plots")

QUICK = {"rounds": 6, "warm_up": 1, "extensions": 0, "tolerance": 1000.0}


class FakeClock:
    """A clock that only calls move on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def taking(self, seconds: Iterator[float]) -> Callable[[], None]:
        def call() -> None:
            self.now += next(seconds)

        return call


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    fake = FakeClock()
    monkeypatch.setattr(latency.time, "thread_time", fake)
    return fake


def forever(*values: float) -> Iterator[float]:
    while True:
        yield from values


def test_contenders_take_turns_and_warming_up_is_not_counted() -> None:
    order: list[str] = []
    calls = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    found = time_in_turns(calls, LatencySettings(6, warm_up=2, least_seconds=0, extensions=0))
    assert "".join(order) == "ab" * 8
    assert [len(t.seconds) for t in found.values()] == [6, 6]


def test_the_figure_is_the_median_of_the_counted_runs(clock: FakeClock) -> None:
    slow_start = iter([9.0, 9.0, 9.0, *[2.0] * 14, 50.0])
    found = time_in_turns({"a": clock.taking(slow_start)}, LatencySettings(rounds=15, extensions=0))
    assert found["a"].median == pytest.approx(2.0)
    assert found["a"].milliseconds == pytest.approx(2000.0)


def test_short_calls_are_repeated_until_a_run_lasts_long_enough(clock: FakeClock) -> None:
    settings = LatencySettings(rounds=6, warm_up=1, least_seconds=1.0, extensions=0)
    calls = iter([0.25] * 25)
    found = time_in_turns({"a": clock.taking(calls)}, settings)
    assert next(calls, None) is None
    assert found["a"].seconds == (0.25,) * 6


def test_an_unsteady_contender_is_measured_for_longer(clock: FakeClock) -> None:
    values = iter([1.0, *[1.0, 2.0] * 4, *[1.0] * 100])
    settings = LatencySettings(rounds=8, warm_up=1, tolerance=0.05, extensions=9)
    found = time_in_turns({"a": clock.taking(values)}, settings)
    assert len(found["a"].seconds) > 8
    assert steady(found, 0.05)["a"].median == 1.0


def test_an_unsteady_timing_is_refused_with_its_values(clock: FakeClock) -> None:
    settings = LatencySettings(rounds=10, extensions=1)
    found = time_in_turns(
        {"good": clock.taking(forever(1.0)), "bad": clock.taking(forever(1.0, 3.0))}, settings
    )
    with pytest.raises(UnsteadyTiming, match="latency of bad: 2e\\+03 ms in 20 runs"):
        steady(found, settings.tolerance)


def test_a_machine_that_grew_slower_is_noticed_though_each_half_is_steady() -> None:
    assert Timing((1.0,) * 20 + (1.3,) * 20).drift == pytest.approx(0.3 / 1.15)
    with pytest.raises(UnsteadyTiming, match="drifted by 26%"):
        steady({"net": Timing((1.0,) * 20 + (1.3,) * 20)}, 0.2)


def test_the_interval_covers_the_median_at_its_nominal_rate() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(2000):
        low, high = Timing(tuple(rng.exponential(size=25))).interval
        covered += low <= np.log(2) <= high
    assert 0.94 <= covered / 2000 <= 0.995


def test_one_thread_on_a_cpu_is_timed_by_the_processor_and_all_else_by_the_wall() -> None:
    assert LatencySettings().clock == "processor"
    assert LatencySettings(threads=2).clock == "wall"
    assert LatencySettings(device="cuda").clock == "wall"


@pytest.mark.parametrize(
    "values",
    [
        {"rounds": 5},
        {"rounds": 10**9},
        {"warm_up": 0},
        {"warm_up": 10**9},
        {"extensions": 101},
        {"tolerance": 0},
        {"threads": 0},
        {"rounds": 7.5},
        {"least_seconds": 1e9},
        {"least_seconds": "long"},
    ],
    ids=str,
)
def test_settings_that_cannot_be_used_are_refused_by_name(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        LatencySettings(**values)


def test_a_network_is_timed_in_evaluation_and_its_mode_and_the_threads_are_put_back() -> None:
    import torch

    modes: list[tuple[bool, int]] = []

    class Probe(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            modes.append((self.training, torch.get_num_threads()))
            return x

    probe, threads = Probe(), torch.get_num_threads()
    settings = LatencySettings(threads=threads + 1, **QUICK)
    latency.network_latency(probe, (1, 1, 2, 2), settings)
    assert set(modes) == {(False, threads + 1)}
    assert probe.training
    assert torch.get_num_threads() == threads


def test_the_objective_measures_architectures_of_a_space_on_a_worker() -> None:
    space = NASBench101.digits()
    settings = LatencySettings(**QUICK)
    latency_of = functools.partial(latency.architecture_latency, **dataclasses.asdict(settings))
    timed = dataclasses.replace(OBJECTIVES["latency"], for_space=latency_of)
    problem = nas.Problem(space, [timed, "params"])
    function = cloudpickle.loads(cloudpickle.dumps(problem.objectives[0].function))
    value = function(space.sample(np.random.default_rng(0)))
    assert np.isfinite(value)
    assert value > 0
    assert problem.measured == {"latency"}


def test_a_config_gives_the_objective_its_settings() -> None:
    config = check_config(
        {
            "space": {"name": "nasbench101", "image_size": 8, "in_channels": 1},
            "objectives": ["params", {"name": "latency", "settings": {"batch": 4, "rounds": 7}}],
            "evaluator": None,
        }
    )
    function: Any = assemble(config).problem.objectives[1].function
    assert function.batch == 4
    assert function.settings == LatencySettings(rounds=7)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"name": "latency", "settings": {"round": 7}},
            "no setting 'round'; it has: batch, resolution, rounds",
        ),
        (
            {"name": "latency", "settings": {"batch": 0}},
            "batch: expected a whole number of at least 1, got 0",
        ),
        ({"name": "params", "settings": {"batch": 1}}, "'params': takes no settings"),
    ],
    ids=["unknown", "value", "objective"],
)
def test_settings_of_the_objective_are_refused_before_anything_is_spent(
    entry: dict[str, Any], message: str
) -> None:
    config = check_config({"space": "nasbench101", "objectives": ["params", entry], "evaluator": None})
    with pytest.raises(ConfigError, match=message):
        assemble(config)


def test_a_space_whose_networks_cannot_be_made_or_sized_is_refused() -> None:
    class Bare(SearchSpace):
        name = "bare"
        cardinalities = (2,)

    class Buildable(Bare):
        def build(self, architecture: Any, *, num_classes: int = 10, in_channels: int = 3) -> Any:
            raise NotImplementedError

    with pytest.raises(ConfigError, match="has no build"):
        OBJECTIVES["latency"].bound(Bare())
    with pytest.raises(ConfigError, match="give resolution"):
        OBJECTIVES["latency"].bound(Buildable())


def test_an_architecture_s_own_resolution_goes_before_the_space_s_images() -> None:
    space = NASBench101.digits()
    architecture = space.sample(np.random.default_rng(0))
    assert input_size(space, architecture) == (8, 8)

    class Sized:
        image_size = 32

        def __init__(self, wanted: int | None) -> None:
            self.wanted = wanted

        def resolution(self, architecture: Any) -> int | None:
            return self.wanted

    assert input_size(Sized(24), architecture) == (24, 24)
    assert input_size(Sized(None), architecture) == (32, 32)
    tiny = MUXNetSpace("tiny")
    drawn = tiny.sample(np.random.default_rng(0))
    assert input_size(tiny, drawn) == (tiny.spec(drawn).resolution,) * 2


CELLS = {"name": "nasbench101", "image_size": 8, "in_channels": 1, "stem_channels": 4, "cells_per_stack": 1}


@pytest.mark.parametrize("space", [CELLS, "muxnet-tiny"], ids=["cells", "muxnet"])
def test_a_search_minimises_latency_and_its_folder_remembers_it(space: Any, tmp_path: Path) -> None:
    quick = {"name": "latency", "settings": QUICK}
    config = check_config({"space": space, "objectives": ["params", quick], "evaluator": None})
    problem = assemble(config).problem
    found = nas.search(
        problem.space, problem.objectives, None, algorithm="random", budget=3, seed=0, out=tmp_path / "run"
    )
    _, meta = nas.load_run(tmp_path / "run")
    assert meta["objectives"][1]["name"] == "latency"
    assert meta["objectives"][1]["unit"] == "ms"
    assert list(found.history["status"]) == ["ok"] * 3
    assert (found.history["latency"] > 0).all()
