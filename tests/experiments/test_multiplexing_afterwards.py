"""Robustness and transfer of the multiplexed networks: the rows, what is continued, and the paired tables."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from multiplexing_parts import random_images

from nas.core.errors import ConfigError

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments" / "multiplexing"))

import corrupted
import decoded
import study
import transferred
from equal_cost import STUDIES, Setting

TINY = study.Plan(
    Setting(32, 2, (4,), (0.5,), (1, 2, 1), (3,), ("width",)), 60, None, 20, 0.05, {"spatial": 2}, 1, "."
)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the two names of CIFAR-10's files, 80 random images, and the plan of one pair of networks."""
    random_images(tmp_path, 32, monkeypatch)
    monkeypatch.setitem(study.PLANS, "paired", TINY)
    return tmp_path


def test_networks_are_evaluated_on_corrupted_images_and_compared_by_seed(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, out = tiny / "weights", tiny / "out"
    options = ["--data", str(tiny), "--weights", str(weights), "--out", str(out)]
    with pytest.raises(ConfigError, match="expected files such as plain@3x3 width 4"):
        corrupted.main(options)
    weights.mkdir()
    how = corrupted.Robustness
    monkeypatch.setattr(
        corrupted, "Robustness", lambda pictures: how(("contrast", "brightness"), (1, 5), min(pictures, 20))
    )
    for seed in (0, 1):
        for variant in STUDIES["spatial"](TINY.setting):
            torch.manual_seed(seed)
            torch.save(variant.build().state_dict(), weights / f"{variant.name}-{seed}.pt")
    corrupted.main(options)
    frame = pd.read_csv(out / "corrupted.csv")
    assert len(frame) == 2 * 2 * (1 + 2 * 2)
    corrupted.main(options)
    assert len(pd.read_csv(out / "corrupted.csv")) == len(frame)
    assert "| 3x3 width 4 | 2 |" in (out / "corrupted.md").read_text()


def test_the_table_of_corruptions_is_paired() -> None:
    rows = [
        ("b", method, seed, corruption, severity, error)
        for seed in range(3)
        for method, more in (("plain", 0.0), ("multiplexed", 1.0))
        for corruption, severity, error in (
            ("none", 0, 10.0),
            ("fog", 1, 20.0 + seed + more),
            ("snow", 1, 40.0 + seed + more),
        )
    ]
    text = corrupted.summary(pd.DataFrame(rows, columns=corrupted.COLUMNS))
    assert "| b | 3 | 31.00 | 32.00 | +1.00 ± 0.00 |" in text


def test_some_classes_are_renumbered_and_counted(tiny: Path) -> None:
    decoded.decode(tiny, tiny / "arrays", {32}, 60, None)
    source = decoded.Decoded(str(tiny / "arrays"), 32)
    splits = transferred.SomeClasses(source, transferred.OTHERS, 3).load()
    assert np.bincount(splits.train.labels).tolist() == [3] * 5
    assert np.bincount(splits.test.labels).tolist() == [2] * 5
    assert splits.class_names == decoded.NAMES[5:]
    assert len(transferred.SomeClasses(source, transferred.FIRST, None).load().train) == 30


def test_the_other_classes_are_learned_from_both_starts(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transferred, "EPOCHS", {None: 1, 50: 1, 500: 1})
    options = ["--data", str(tiny), "--runs", str(tiny / "runs"), "--out", str(tiny / "out"), "--seeds"]
    transferred.main([*options, "0"])
    first = pd.read_csv(tiny / "out" / "transferred.csv")
    assert len(first) == 2 * 2 * 2
    transferred.main([*options, "0", "1"])
    both = pd.read_csv(tiny / "out" / "transferred.csv")
    assert both[:8].equals(first)
    assert set(both["seed"]) == {0, 1}
    assert "| 3x3 width 4 | 500 | pretrained |" in (tiny / "out" / "transferred.md").read_text()
