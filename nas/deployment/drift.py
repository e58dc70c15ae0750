"""Changes of a device's speed: which are believed, and a notice of large ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

FAR = 2.0  # a change of speed by more than this factor makes the latency count as unsteady
ABSURD = 20.0  # a change by more than this factor is an error of the device
_COLUMN = "_drift"  # after the name of a latency


def factor(drift: float) -> float:
    """The drift as a factor of at least 1, whether the device is slower or faster."""
    return max(drift, 1 / drift)


def drift_notice(candidates: Iterable[Mapping[str, float]]) -> str:
    """A sentence with a remedy if the speed of the device changed by more than `FAR` for a candidate; else "".

    `candidates` are the values of successful trials.
    """
    every = list(candidates)
    far = [
        max(factor(v[name]) for name in v if name.endswith(_COLUMN) and v[name] > 0)
        for v in every
        if any(name.endswith(_COLUMN) and v[name] > 0 for name in v)
    ]
    far = [one for one in far if one > FAR]
    if not far:
        return ""
    return (
        f"latency: for {len(far)} of {len(every)} networks the speed of the device had changed by more than a factor of {FAR:g} (at most "
        f"{max(far):.3g}) since its start; their latencies are corrected, but uncertain (columns that end in _raw, _drift and _unsteady). "
        "Check what else runs on the device, its cooling and its power settings"
    )
