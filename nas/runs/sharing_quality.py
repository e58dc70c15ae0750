"""The notes of a search by inherited weights: how well inherited errors agree with those of own trainings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas.core.records import Note

SHARING = "sharing"  # the kind of these notes
_IN_SUMMARY = {"sharing_tau": "tau", "sharing_partial_tau": "partial", "sharing_bias": "bias"}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 90% interval; NaN where unknown."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return (
            "unknown" if math.isnan(self.value) else f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"
        )


@dataclass(frozen=True, slots=True)
class SharingQuality:
    """Agreement of inherited and own values of `networks` networks, after `told` results.

    `tau` is Kendall's rank correlation of the errors, `partial` that given the costs, `bias` the mean of inherited minus own errors in
    percentage points; `loss_tau` and `loss_partial` are those of the losses. If not `trusted`, new candidates are trained. `text` is
    the sentence about this decision; "" in later notes.
    """

    told: int
    networks: int
    trusted: bool
    tau: Estimate
    partial: Estimate
    bias: Estimate
    loss_tau: Estimate
    loss_partial: Estimate
    text: str

    def __str__(self) -> str:
        bias = "unknown" if math.isnan(self.bias.value) else f"{self.bias.value:+.1f} points"
        return f"tau {self.tau}, given the costs {self.partial}, bias {bias}, {self.networks} networks"


def sharing_qualities(notes: Sequence[Note]) -> list[SharingQuality]:
    """Those of the notes of this kind, in their order; values that a note lacks are NaN, 0 or empty."""
    return [_quality(note) for note in notes if note.kind == SHARING]


def decision(found: Sequence[SharingQuality]) -> SharingQuality | None:
    """The newest with a sentence; None without one."""
    return next((one for one in reversed(found) if one.text), None)


def sharing_summary(notes: Sequence[Note]) -> dict[str, Any]:
    """The entries of summary.json, by the note of the decision, whose networks are not selected, else by the newest one.

    Empty without a note. Unknown values are None.
    """
    found = sharing_qualities(notes)
    if not found:
        return {}
    decided = decision(found)
    shown = decided or found[-1]
    entries: dict[str, Any] = {}
    for key, name in _IN_SUMMARY.items():
        part: Estimate = getattr(shown, name)
        entries[key] = _known(part.value)
        entries[f"{key}_interval"] = [_known(part.low), _known(part.high)]
    return {**entries, "sharing_networks": shown.networks, "sharing_trusted": decided and found[-1].trusted}


def _quality(note: Note) -> SharingQuality:
    values = note.values
    names = ("tau", "partial", "bias", "loss_tau", "loss_partial")
    parts = {
        name: Estimate(*(_number(values, name + end) for end in ("", "_low", "_high"))) for name in names
    }
    networks = _number(values, "networks")
    return SharingQuality(
        note.told,
        0 if math.isnan(networks) else int(networks),
        bool(values.get("trusted", True)),
        text=str(values.get("text", "")),
        **parts,
    )


def _number(values: Mapping[str, Any], name: str) -> float:
    value = values.get(name)
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else math.nan


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
