"""A device over ssh that is away for a while, during a search."""

from __future__ import annotations

import pytest

from nas.core.errors import ConfigError
from nas.deployment import device as device_module
from nas.deployment.device import Device
from nas.deployment.faults import DeviceAway, DeviceError


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the measurements return or raise, one after the other."""
    left: list[object] = []

    def measure(self: Device, model: bytes, settings: object = None) -> object:
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(Device, "measure", measure)
    monkeypatch.setattr(device_module, "PAUSE_S", 0.0)
    return left


def test_a_device_that_comes_back_is_measured_on(answers: list[object]) -> None:
    answers += [DeviceAway("off"), DeviceAway("still off"), "measured"]
    assert Device("board").patient_measure(b"") == "measured"


def test_other_faults_and_the_end_of_patience_are_raised(answers: list[object]) -> None:
    answers += [DeviceError("its host key has changed"), DeviceAway("off")]
    with pytest.raises(DeviceError, match="host key"):
        Device("board").patient_measure(b"")
    with pytest.raises(DeviceAway, match="off"):
        Device(patience_s=0).patient_measure(b"")
    with pytest.raises(ConfigError, match="patience_s"):
        Device("board", patience_s=-1)
