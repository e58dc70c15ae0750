"""The result of a device's answer: correction by the reference network, and answers that are nonsense."""

from __future__ import annotations

import re
from typing import Any

import pytest

from nas.deployment.drift import drift_notice
from nas.deployment.faults import Broken, DeviceError, unsupported_operator
from nas.deployment.measured import measured_from


def answer(**changes: Any) -> dict[str, Any]:
    """Ten runs of 2 ms and of the reference's 1 ms, as at the start."""
    found = {
        "seconds": [0.002] * 10,
        "reference": [0.001] * 10,
        "baseline": 0.001,
        "peak_memory": 4096,
        "began": 1.0,
        "ended": 2.0,
    }
    return {"measured": {**found, **changes}}


def test_a_device_at_its_first_speed_is_not_corrected() -> None:
    found = measured_from(answer(), 0.1, "board")
    assert (found.milliseconds, found.raw, found.drift, found.drifted) == (2, 2, 1, False)
    assert (found.low, found.high, found.reference_ms, found.runs) == (2, 2, 1, 10)


@pytest.mark.parametrize(
    ("drift", "drifted"), [(0.6, True), (0.95, False), (1.09, False), (1.25, True), (1.9, True)]
)
def test_a_drift_is_corrected_and_told_where_it_is_above_the_tolerance(drift: float, drifted: bool) -> None:
    found = measured_from(answer(reference=[0.001 * drift] * 10), 0.1, "board")
    assert found.raw == 2
    assert found.milliseconds == found.low == found.high == pytest.approx(2 / drift)
    assert found.drift == pytest.approx(drift)
    assert found.drifted == drifted
    assert found.unsteadiness == 0


@pytest.mark.parametrize("drift", [0.25, 4])
def test_a_drift_far_off_is_flagged(drift: float) -> None:
    found = measured_from(answer(reference=[0.001 * drift] * 10), 0.1, "board")
    assert found.unsteadiness == pytest.approx(3)


@pytest.mark.parametrize("baseline", [1e-9, 0.001 / 21, 0.021])
def test_a_change_of_speed_that_cannot_be_true_is_an_error_of_the_device(baseline: float) -> None:
    with pytest.raises(
        DeviceError, match=r"^board: .* takes 1 ms, .*factor of .*baseline-\*\.json"
    ) as caught:
        measured_from(answer(baseline=baseline), 0.1, "board")
    assert f"took {1e3 * baseline:.4g} ms" in str(caught.value)


@pytest.mark.parametrize("name", ["seconds", "reference"])
def test_too_few_rounds_break_the_connection(name: str) -> None:
    with pytest.raises(Broken, match=r"a result of 5 rounds; expected at least 6: .*'seconds'"):
        measured_from(answer(**{name: [0.001] * 5}), 0.1, "board")


def test_large_changes_of_speed_are_told_with_the_largest() -> None:
    values = [{"ort_latency": 1.0}, {"ort_latency_drift": 0.2}, {"int8_latency_drift": 3.0}, {"x_drift": 1.5}]
    assert re.match(r"latency: for 2 of 4 networks .*at most 5\)", drift_notice(values))
    assert drift_notice([values[0], values[3]]) == drift_notice([]) == ""


def test_without_a_first_time_there_is_no_drift() -> None:
    assert measured_from(answer(baseline=None), 0.1, "board").drift == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"seconds": []},
        {"seconds": "fast"},
        {"seconds": [0.1, float("nan")]},
        {"seconds": [0.1, -1]},
        {"seconds": [0.1, "0.1"]},
        {"seconds": [0.1, True]},
        {"seconds": [0.1, 10**400]},
        {"baseline": 0},
        {"baseline": 5e-324},
        {"peak_memory": -1},
        {"peak_memory": 1.5},
        {"peak_memory": 10**30},
        {"began": None},
    ],
)
def test_nonsense_breaks_the_connection(changes: dict[str, Any]) -> None:
    with pytest.raises(Broken, match="not of the protocol"):
        measured_from(answer(**changes), 0.1, "board")
    with pytest.raises(Broken):
        measured_from({"measured": 1}, 0.1, "board")


@pytest.mark.parametrize(
    ("message", "operator"),
    [
        ("Could not find an implementation for Cast(13) node with name ''", "Cast"),
        ("Load failed: Fatal error: Frobnicate(-1) is not a registered function/op", "Frobnicate"),
        ("Fatal error: ai.onnx:Frobnicate(-1) is not a registered function/op", "Frobnicate"),
        ("Fatal error: my.domain:Frobnicate(-1) is not a registered function/op", "my.domain:Frobnicate"),
        ("No Op registered for Frobnicate with domain_version of 12", "Frobnicate"),
        ("Protobuf parsing failed", None),
    ],
)
def test_the_operator_of_a_refusal_is_named(message: str, operator: str | None) -> None:
    assert unsupported_operator(message) == operator
