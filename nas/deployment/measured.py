"""The result of a measurement on a device, from the device's answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nas.deployment.drift import ABSURD, FAR, factor
from nas.deployment.faults import Broken, DeviceError, printable
from nas.training.latency import Timing

FEWEST = 6  # rounds, as in device_script.py


@dataclass(frozen=True)
class Measured:
    """The latency and memory of one network on a device.

    `milliseconds` is the median time of a run, `low` and `high` the bounds of the median with 95% confidence; all three
    are divided by `drift`, which corrects them for changes of the device's speed. `raw` is the median as timed.
    `reference_ms` is the median of the reference network in the same rounds, `drift` its ratio to the first one since the
    device's start (above 1: slower); `drifted` is whether it lies further from 1 than the tolerance. `unsteadiness` is
    that of `nas.training.latency.Timing`, and at least the change of speed less one where that is above a factor of 2.
    `peak_memory` is in bytes, beyond the loaded network; None where the system does not count it. `began` and `ended` are
    seconds of the device's clock, `runs` the number of timed runs, `device` a description.
    """

    milliseconds: float
    raw: float
    low: float
    high: float
    unsteadiness: float
    reference_ms: float
    drift: float
    drifted: bool
    peak_memory: int | None
    runs: int
    began: float
    ended: float
    device: str


def measured_from(answer: Mapping[str, Any], tolerance: float, device: str) -> Measured:
    """The result in a device's answer.

    Raises `Broken` for an answer that is not of the protocol or has too few rounds, and `DeviceError` for a change of speed that cannot be true.
    """
    try:
        found = answer["measured"]
        timing, reference = (_timing(found[name]) for name in ("seconds", "reference"))
        rounds = min(len(timing.seconds), len(reference.seconds))
        first = reference.median if found["baseline"] is None else _number(found["baseline"])
        drift = _number(reference.median / first)
        memory = found["peak_memory"]
        began, ended = _number(found["began"]), _number(found["ended"])
        if memory is not None and (type(memory) is not int or not 0 <= memory < 1 << 63):
            raise ValueError
    except (KeyError, TypeError, ValueError, ArithmeticError):
        raise Broken(f"a result that is not of the protocol: {str(dict(answer))[:200]}") from None
    if rounds < FEWEST:
        raise Broken(f"a result of {rounds} rounds; expected at least {FEWEST}: {str(dict(answer))[:200]}")
    far = factor(drift)
    if far > ABSURD:
        raise DeviceError(
            f"{device}: its reference network takes {1e3 * reference.median:.4g} ms, and took {1e3 * first:.4g} ms at first: a change of speed by a "
            f"factor of {far:.4g}, and at most {ABSURD:g} is believed. Check the device; if its first time is wrong, remove the files "
            "baseline-*.json in the folder nas-device-UID of its temporary folder"
        )
    # Every drift is corrected: on a busy machine that spreads repeated times less than correcting large ones alone.
    corrected = 1e3 / drift
    low, high = timing.interval
    return Measured(
        milliseconds=timing.median * corrected,
        raw=timing.milliseconds,
        low=low * corrected,
        high=high * corrected,
        unsteadiness=max(timing.unsteadiness, far - 1 if far > FAR else 0.0),
        reference_ms=reference.milliseconds,
        drift=drift,
        drifted=abs(drift - 1) > tolerance,
        peak_memory=memory,
        runs=len(timing.seconds),
        began=began,
        ended=ended,
        device=device,
    )


def described(name: str, hello: Mapping[str, Any]) -> str:
    """One line about a device, from what it announced."""
    text = (
        f"{hello.get('processor')}, {hello.get('cores')} cores, {hello.get('system')} {hello.get('machine')}, "
        f"onnxruntime {hello.get('onnxruntime')}, Python {hello.get('python')}"
    )
    return f"{name}: {printable(text[:300])}"


def _timing(seconds: Any) -> Timing:
    if not isinstance(seconds, list) or len(seconds) < 2:
        raise ValueError
    return Timing(tuple(_number(value) for value in seconds))


def _number(value: Any) -> float:
    """A finite number above zero. Raises `ValueError` and `OverflowError`."""
    if type(value) not in (int, float) or not 0 < value < math.inf:
        raise ValueError
    return float(value)
