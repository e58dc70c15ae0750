"""An architecture whose exact objectives cannot be computed is invalid for the search, which continues without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine_parts import QUICK_SETTINGS, interrupt_at, log_of

import nas
from nas.core.errors import ConfigError

pytestmark = pytest.mark.usefixtures("no_plots")
ALGORITHMS = ("sa-moead", "moead", "nsga2", "local-search", "regularized-evolution", "random")
GENES = 6


def space() -> nas.Space:
    return nas.Space("s", {f"g{i}": nas.Choice(1, 2, 3) for i in range(GENES)})


def bad(c: Any) -> bool:
    return bool(c.g0 == 3 and c.g1 != 1)


def error(c: Any) -> float:
    return 0.1 + sum((value - 2) ** 2 for value in c.values())


def size(c: Any) -> float:
    if bad(c):
        raise ValueError("no such network")
    return float(sum(c.values()))


SIZE = nas.Objective("size", cheap=True, function=size)


def search(**changes: Any) -> nas.SearchResult:
    made = changes.pop("space", None) or space()
    objectives = changes.pop("objectives", [error, SIZE])
    given = {"algorithm": "random", "budget": 24, **changes}
    return nas.search(made, objectives, algorithm_settings=QUICK_SETTINGS.get(given["algorithm"]), **given)


@pytest.fixture(params=["quick", "slow"])
def costs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("nas.core.cheap_values.SLOW_S", 1.0 if request.param == "quick" else 0.0)
    return str(request.param)


@pytest.mark.parametrize("limits", [[], ["size <= 12"]])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_search_leaves_out_architectures_whose_costs_fail(
    algorithm: str, limits: list[str], costs: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = search(algorithm=algorithm, limits=limits)
    rows = found.history[found.history["status"] == "ok"]
    assert len(rows) == 24  # they cost no evaluation
    assert not ((rows["g0"] == 3) & (rows["g1"] != 1)).any()
    left = found.history[found.history["status"] == "invalid"]
    assert set(found.history["status"]) <= {"ok", "invalid"}
    assert left.empty or left["reason"].str.contains("no such network").all()
    if limits or costs == "quick":
        assert left.empty  # never proposed
    assert caplog.text.count("the search leaves out this architecture") <= 1


def test_the_first_failure_is_logged_with_its_choices_and_the_remedy(
    caplog: pytest.LogCaptureFixture,
) -> None:
    search(budget=40)
    (record,) = [r for r in caplog.records if "leaves out" in r.getMessage()]
    text = record.getMessage()
    assert "objective 'size': failed for architecture g0=3/g1=" in text
    assert "ValueError: no such network" in text
    assert "space.forbid" in text


def test_a_build_that_fails_for_some_choices_does_not_end_the_search() -> None:
    nn = pytest.importorskip("torch").nn
    made = nas.Space("nets", width=nas.Integer(1, 12), groups=nas.Choice(1, 2))

    @made.build
    def build(c, *, num_classes, in_channels):
        features = nn.Conv2d(2 * in_channels, c.width, 3, groups=c.groups)  # odd widths fail for two groups
        return nn.Sequential(nn.Conv2d(in_channels, 2 * in_channels, 1), features)

    found = search(space=made, objectives=[ratio, "params"], algorithm="sa-moead", budget=16)
    rows = found.history[found.history["status"] == "ok"]
    assert len(rows) == 16
    assert not ((rows["groups"] == 2) & (rows["width"] % 2 == 1)).any()


def ratio(c: Any) -> float:
    return 1.0 / c.width + 0.1 * c.groups


@pytest.mark.parametrize("algorithm", ["sa-moead", "moead"])
def test_a_stopped_search_continues_like_an_uninterrupted_one(
    algorithm: str, costs: str, tmp_path: Path
) -> None:
    search(algorithm=algorithm, out=tmp_path / "whole")
    search(algorithm=algorithm, out=tmp_path / "part", callbacks=[interrupt_at(9)])
    search(algorithm=algorithm, out=tmp_path / "part", resume=True)
    assert log_of(tmp_path / "part") == log_of(tmp_path / "whole")


def test_a_function_that_always_fails_ends_the_search_with_the_remedy() -> None:
    def depth(c: Any) -> float:
        return float(c.depth)

    with pytest.raises(ConfigError, match=r"objective 'depth'.*; 10 of 10 architectures fail.*space\.forbid"):
        search(objectives=[error, nas.Objective("depth", cheap=True, function=depth)])


def test_a_small_space_whose_every_cost_fails_ends_with_the_error() -> None:
    small = nas.Space("small", a=nas.Choice(1, 2, 3))
    with pytest.raises(ConfigError, match="3 of 3 architectures fail"):
        search(
            space=small,
            objectives=[first, nas.Objective("x", cheap=True, function=lambda c: 1 / 0)],
            budget=3,
        )


def first(c: Any) -> float:
    return float(c.a)


def test_a_function_that_fails_mostly_ends_the_search() -> None:
    def picky(c: Any) -> float:
        if c.g0 != 1:
            raise ValueError("two thirds")
        return 1.0

    with pytest.raises(ConfigError, match=r"two thirds.* of \d\d architectures fail"):
        search(objectives=[error, nas.Objective("picky", cheap=True, function=picky)], budget=100)


def test_an_initial_architecture_whose_cost_fails_is_named() -> None:
    with pytest.raises(ConfigError, match=r"initial: entry 1, .*no such network"):
        search(initial=[{f"g{i}": 3 for i in range(GENES)}])
