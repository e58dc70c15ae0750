"""The script that runs on devices: what it shares with the client, and the number of its rounds."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas.deployment import device_script
from nas.deployment.connection import PREFIX
from nas.deployment.device import PROTOCOL
from nas.deployment.measured import FEWEST
from nas.training.latency import Timing


class Clock:
    """Time that passes in calls alone."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    process_time = monotonic

    def call(self, *seconds: float) -> Callable[[], None]:
        """A call that takes these seconds in turn, the last ones for good."""
        left = list(seconds)

        def run() -> None:
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(device_script, "time", made)
    return made


def request(**changes: Any) -> dict[str, Any]:
    quick = {"threads": 1, "rounds": 10, "warm_up": 1, "least_seconds": 0, "tolerance": 0.1, "extensions": 2}
    return {**quick, "late": 1e6, **changes}


def test_the_script_and_the_client_agree() -> None:
    assert device_script.PREFIX.encode() == PREFIX
    assert device_script.PROTOCOL == PROTOCOL
    assert device_script.FEWEST == FEWEST
    seconds = [0.9, 1.3, 1.0, 1.1, 1.0, 1.2, 0.8, 1.0, 1.4, 1.2]
    assert device_script.unsteadiness(seconds) == Timing(tuple(seconds)).unsteadiness


def test_the_script_is_read_by_python_3_8() -> None:
    ast.parse(Path(device_script.__file__).read_text(), feature_version=(3, 8))


def test_steady_networks_are_timed_in_turns_for_the_rounds_alone(clock: Clock) -> None:
    found = device_script.time_in_turns([clock.call(1), clock.call(2)], request())
    assert found == [[1] * 10, [2] * 10]


def test_a_run_has_as_many_calls_as_take_the_least_time(clock: Clock) -> None:
    (seconds,) = device_script.time_in_turns([clock.call(1)], request(least_seconds=5))
    assert seconds == [1] * 10
    assert clock.now == 1 + 10 * 5


def test_more_rounds_are_run_while_one_network_is_unsteady(clock: Clock) -> None:
    settles = clock.call(1, 2, 2, 2, 1)
    found = device_script.time_in_turns([clock.call(1), settles], request())
    assert [len(seconds) for seconds in found] == [20, 20]


def test_rounds_end_with_the_extensions(clock: Clock) -> None:
    rises = clock.call(*range(1, 100))
    (seconds,) = device_script.time_in_turns([rises], request())
    assert len(seconds) == 30


def test_fewer_rounds_are_run_where_the_limit_comes_near(clock: Clock) -> None:
    (seconds,) = device_script.time_in_turns([clock.call(1)], request(rounds=1000, late=20))
    assert len(seconds) == 20
    (seconds,) = device_script.time_in_turns([clock.call(1, 9)], request(rounds=1000, late=clock.now + 20))
    assert len(seconds) == device_script.FEWEST


def test_a_network_too_slow_for_the_limit_is_refused(clock: Clock) -> None:
    with pytest.raises(device_script.Refused, match="6 rounds would take about 60 s"):
        device_script.time_in_turns([clock.call(10)], request(late=50))
