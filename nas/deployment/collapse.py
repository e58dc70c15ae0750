"""Say when quantisation ruins the accuracy of many candidates."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping

POINTS = 10.0  # percent of error beyond the float network's


def collapse_notice(candidates: Iterable[Mapping[str, float]]) -> str:
    """A sentence with a remedy if `int8_error` exceeds `error` by more than `POINTS` in a quarter of the candidates; else "".

    `candidates` are the values of successful trials; those without both values do not count.
    """
    pairs = [(v["error"], v["int8_error"]) for v in candidates if "error" in v and "int8_error" in v]
    lost = [(error, int8) for error, int8 in pairs if int8 > error + POINTS]
    if not lost or 4 * len(lost) < len(pairs):
        return ""
    before, after = (statistics.median(column) for column in zip(*lost, strict=True))
    return (
        f"int8: the error of {len(lost)} of {len(pairs)} networks rises by more than {POINTS:g} points in 8 bits (these: from "
        f"{before:.1f}% to {after:.1f}% in the median); keep sensitive layers in floating point (float_layers), or calibrate on more images "
        "(int8: {calibration: 512} in the target's file)"
    )
