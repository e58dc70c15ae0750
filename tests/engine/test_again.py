"""The repeated measurements of the front at the end of a search."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_parts import Grid, quick

import nas
from nas.core.records import Architecture
from nas.deployment.faults import DeviceAway
from nas.runs.repeated import FILE, read_repeated

pytestmark = pytest.mark.usefixtures("no_plots")
MESSAGE = f"device board: no answer; {'a long reason ' * 60}raise timeout_s (120)"


class Latency:
    """A latency whose device is away after some measurements."""

    left = 10**9

    def __call__(self, architecture: Architecture) -> float:
        return self.with_spread("ms", architecture)["ms"]

    def with_spread(self, name: str, architecture: Architecture) -> dict[str, float]:
        if Latency.left == 0:
            raise DeviceAway(MESSAGE)
        Latency.left -= 1
        return {name: float(sum(architecture.genes)) + 1}


def test_a_device_that_is_away_at_the_end_is_told_in_full_and_resuming_measures_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "my run"

    def search(left: int, resume: bool) -> nas.SearchResult:
        monkeypatch.setattr(Latency, "left", left)
        return nas.search(
            Grid(), ["error", nas.Objective("ms", function=Latency())], quick,
            algorithm="random", budget=20, executor="serial", out=out, resume=resume,
        )  # fmt: skip

    members = len(search(20 + 3, resume=False).front)
    assert members > 2
    assert len(read_repeated(out)) == 1
    (told,) = [r.getMessage() for r in caplog.records if "measured again;" in r.getMessage()]
    assert told.startswith(
        f"1 of the front's {members} networks were measured again; the search itself is complete"
    )
    assert told.endswith(f"The reason: {MESSAGE}")
    assert f"nas search --resume '{out}'" in told
    search(10**9, resume=True)
    assert len(read_repeated(out)) == members
    assert (out / FILE).is_file()
