"""Supernets of the networks within limits on their costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from commands import Done, nas_in

import nas
from nas.core.errors import ConfigError
from nas.sharing import SharedEvaluator, SupernetSettings, supernet
from nas.sharing.distillation import EvenDraw
from nas.sharing.limited import Draws, cost_limits
from nas.sharing.supernet import make_supernet
from nas.training import Recipe
from search_spaces.muxnet import MUXNetSpace
from tests.shared.sharing_parts import DIGITS, declared, small_muxnet, write_user_files
from tests.shared.sharing_parts import few_networks as few_networks

pytestmark = pytest.mark.usefixtures("few_networks", "no_plots")
LIMIT = ("params <= 4000", "madds <= 200000")


def test_draws_meet_the_limits_and_differ() -> None:
    space = MUXNetSpace("tiny", num_classes=10, in_channels=1)
    draw, rng = Draws(space, LIMIT), np.random.default_rng(0)
    found = [draw(rng) for _ in range(30)]
    assert all(draw.holds(a) for a in found)
    assert len(set(found)) > 20
    assert not all(Draws(space, LIMIT).holds(space.sample(rng)) for _ in range(30))


def test_a_supernet_serves_the_networks_within_the_limits() -> None:
    space = declared()
    whole = make_supernet(space, DIGITS, seed=0)
    limited = make_supernet(space, DIGITS, seed=0, limits=("params <= 600",))
    costs = limited.space.cost
    assert (
        costs(limited.extremes.largest)["params"] <= 600 < whole.space.cost(whole.extremes.largest)["params"]
    )
    draw, rng = EvenDraw(limited, 0, ("params <= 600",)), np.random.default_rng(0)
    assert all(costs(draw(rng))["params"] <= 600 for _ in range(50))


def test_within_limits_every_network_is_covered() -> None:
    space, limits = small_muxnet(), ("params <= 3000",)
    limited = make_supernet(space, DIGITS, seed=0, limits=limits)
    draw, rng = Draws(limited.space, limits), np.random.default_rng(1)
    for _ in range(30):
        limited.network(draw(rng))  # no NotCovered


def test_the_shapes_of_a_huge_space_are_those_within_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    def size(limits: tuple[str, ...]) -> int:
        tensors = make_supernet(declared(), DIGITS, seed=0, limits=limits).shared.tensors
        return sum(t.numel() for t in tensors)

    limits = ("params <= 600",)
    assert size(limits) > 0.9 * size(())
    monkeypatch.setattr(supernet, "MOST_ENTRIES", 100)
    assert size(limits) < 0.5 * size(())


def test_limits_that_no_network_meets_and_others_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"no network of space .* within params <= 3 was found"):
        make_supernet(declared(), DIGITS, seed=0, limits=("params <= 3",))
    with pytest.raises(ConfigError, match="limit 'error <= 3': expected a limit on params or madds"):
        Draws(declared(), ("error <= 3",))
    with pytest.raises(ConfigError, match="supernet: limits: expected a list"):
        SupernetSettings(limits="params <= 3")  # type: ignore[arg-type]


def test_only_limits_on_costs_concern_a_supernet() -> None:
    assert cost_limits(["error <= 5", "params <= 1234567", "madds >= 10"]) == (
        "params <= 1234567.0",
        "madds >= 10.0",
    )


def test_a_search_with_limits_has_a_supernet_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    space = declared()
    evaluator = SharedEvaluator(
        space, recipe=Recipe(batch_size=64, max_pictures=128), supernet=SupernetSettings(epochs=1), final=None
    )
    same: dict[str, Any] = {"algorithm": "random", "budget": 4, "seed": 0}
    for limits in ([], ["params <= 600", "error <= 99"], ["error <= 99"]):
        found = nas.search(space, ["error", "params"], evaluate=evaluator, limits=limits, **same)
        assert (found.history["status"] == "ok").sum() == 4
    assert len(list((tmp_path / "runs" / "supernets").iterdir())) == 2


def test_the_command_trains_the_supernet_of_the_search(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    write_user_files(tmp_path, "limits: [params <= 600]\n")
    run: Callable[..., Done] = nas_in(monkeypatch, capsys)
    assert run("supernet", "train", "my.yaml").code == 0
    done = run("search", "my.yaml", "--csv")
    assert "Training the supernet" not in done.out + done.err
    assert (pd.read_csv(tmp_path / "runs" / "mine" / "history.csv")["params"] <= 600).all()
    (folder,) = (tmp_path / "runs" / "supernets").iterdir()
    network = "depth=1/width=4/stages.0.kernel=3/stages.0.operation=conv"
    assert run("supernet", "evaluate", str(folder), network, "--config", "my.yaml").code == 0


def test_networks_without_parameters_are_refused() -> None:
    space = nas.Space("bare", k=nas.Choice(1, 2))
    space.build(lambda c, *, num_classes, in_channels: torch.nn.Flatten())
    with pytest.raises(ConfigError, match="space 'bare': its networks have no parameters"):
        make_supernet(space, DIGITS, seed=0, networks=4)
