"""A latency that cannot be timed steadily never throws a training away: it is kept with its spread."""

from __future__ import annotations

import pytest

import nas
from nas.core.measure import Measure
from nas.core.objectives import Objective
from nas.core.records import Architecture, Trial
from nas.core.space import SearchSpace
from nas.training import latency
from nas.training.latency import ArchitectureLatency, LatencySettings, Timing, UnsteadyTiming

STEADY, WILD, WILDER = (0.002,) * 20, (0.001, 0.003) * 10, (0.001, 0.009) * 10
TRIAL = Trial(0, Architecture("plain", (1, 2)), 0)


class Plain(SearchSpace):
    name, cardinalities = "plain", (3,) * 4


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, ...]]:
    """The seconds of the next timings."""
    queue: list[tuple[float, ...]] = []
    monkeypatch.setattr(ArchitectureLatency, "_timing", lambda self, architecture: Timing(queue.pop(0)))
    return queue


def measure(order: list[str]) -> Measure:
    def train(trial: Trial) -> dict[str, float]:
        order.append("trained")
        return {"error": 5.0}

    return Measure(train, (("latency", ArchitectureLatency(Plain(), 1, 8, LatencySettings())),))


def test_a_steady_latency_is_timed_before_the_training_and_stands_alone(
    timed: list[tuple[float, ...]],
) -> None:
    timed.append(STEADY)
    assert measure([])(TRIAL) == {"error": 5.0, "latency": 2.0}


def test_an_unsteady_latency_keeps_the_trained_error_and_its_spread(timed: list[tuple[float, ...]]) -> None:
    timed += [WILDER, WILDER]
    values = measure([])(TRIAL)
    assert values["error"] == 5.0
    assert values["latency_low"] <= values["latency"] <= values["latency_high"]
    assert values["latency_unsteady"] > 0.1


def test_an_unsteady_latency_is_timed_again_after_the_training(timed: list[tuple[float, ...]]) -> None:
    timed += [WILD, STEADY]
    assert measure([])(TRIAL) == {"error": 5.0, "latency": 2.0}


def test_the_steadier_of_two_unsteady_timings_counts(timed: list[tuple[float, ...]]) -> None:
    timed += [WILD, WILDER]
    assert measure([])(TRIAL)["latency_high"] == pytest.approx(3.0)


def test_a_function_that_fails_costs_no_training() -> None:
    order: list[str] = []

    def broken(architecture: Architecture) -> float:
        raise RuntimeError("no device")

    def train(trial: Trial) -> dict[str, float]:
        order.append("trained")
        return {"error": 5.0}

    with pytest.raises(RuntimeError, match="no device"):
        Measure(train, (("energy", broken),))(TRIAL)
    assert order == []


def test_called_alone_an_unsteady_latency_is_refused(timed: list[tuple[float, ...]]) -> None:
    timed.append(WILDER)
    with pytest.raises(UnsteadyTiming):
        ArchitectureLatency(Plain(), 1, 8, LatencySettings())(TRIAL.architecture)


def test_a_search_with_unsteady_latencies_has_every_result_and_flags_them(
    timed: list[tuple[float, ...]],
) -> None:
    timed += [WILDER] * 40
    objective = Objective(
        "latency", "ms", for_space=lambda space: latency.ArchitectureLatency(space, 1, 8, LatencySettings())
    )
    result = nas.search(
        Plain(), ["error", objective], lambda trial: {"error": float(sum(trial.architecture.genes))},
        algorithm="random", budget=6,
    )  # fmt: skip
    assert (result.history["status"] == "ok").all()
    assert (result.history["latency_unsteady"] > 0.1).all()
