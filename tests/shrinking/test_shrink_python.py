"""`nas.shrink` from Python."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import nas
from nas.core.errors import ConfigError, HistoryError
from tests.shared.shrink_parts import Plain, plain

QUICK: dict[str, Any] = {
    "data": "digits",
    "training": {"recipe": {"epochs": 1, "max_pictures": 64}},
    "algorithm": "random",
    "budget": 3,
}


def test_a_trained_module_becomes_a_front(trained: Plain, tmp_path: Path) -> None:
    before = copy.deepcopy(trained.state_dict())
    result = nas.shrink(trained, out=tmp_path / "run", **QUICK)
    assert result.summary["original"]["params"] == 770.0
    assert result.history["architecture"][0] == "resolution=8/conv1=1.0/conv2=1.0"
    assert all(torch.equal(tensor, before[name]) for name, tensor in trained.state_dict().items())
    best = str(result.front["architecture"][0])
    network = nas.load_network(tmp_path / "run", best, space=result.space)
    assert network(torch.zeros(1, 1, 8, 8)).shape == (1, 10)


def test_a_run_continues_with_its_own_original(trained: Plain, tmp_path: Path) -> None:
    nas.shrink(trained, out=tmp_path / "run", **{**QUICK, "budget": 8})
    later = nas.shrink(Plain(), out=tmp_path / "run", resume=True, **{**QUICK, "budget": 9})
    assert later.summary["evaluations"] == 9
    whole = nas.shrink(trained, **{**QUICK, "budget": 9})
    assert list(later.history["architecture"]) == list(whole.history["architecture"])
    assert list(later.history["error"]) == list(whole.history["error"])


def test_a_function_is_trained_first(tmp_path: Path) -> None:
    train = {"epochs": 2, "max_pictures": 64}
    result = nas.shrink(plain, out=tmp_path / "run", train=train, **QUICK)
    assert (tmp_path / "run" / "original" / "original.pt").is_file()
    alone = nas.shrink(plain, train=train, **QUICK)  # without a folder
    assert alone.summary["original"] == result.summary["original"]


def test_weights_replace_those_of_a_module(trained: Plain, tmp_path: Path) -> None:
    torch.save(trained.state_dict(), tmp_path / "trained.pt")
    result = nas.shrink(Plain(), weights=tmp_path / "trained.pt", **QUICK)
    assert result.summary["original"] == nas.shrink(trained, **QUICK).summary["original"]


def test_a_function_of_any_keywords_gets_the_sizes_of_the_data() -> None:
    def make(**sizes: int) -> Plain:
        assert sizes == {"num_classes": 10, "in_channels": 1}
        return Plain(**sizes)

    train = {"epochs": 1, "max_pictures": 64}
    assert nas.shrink(make, train=train, **QUICK).summary["original"]["params"] == 770.0


def test_channels_can_be_ranked_by_the_loss(trained: Plain, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"space module: ranking: unknown 'tailor'.*did you mean 'taylor'"):
        nas.shrink(trained, ranking="tailor", **QUICK)
    result = nas.shrink(trained, ranking="taylor", out=tmp_path / "run", **QUICK)
    ranked = dict(result.space.cutter.orders)
    plainly = nas.shrink(trained, **QUICK).space.cutter.orders
    assert ranked != plainly
    assert {name: sorted(order) for name, order in ranked.items()} == {
        name: sorted(order) for name, order in plainly.items()
    }
    later = nas.shrink(Plain(), ranking="taylor", out=tmp_path / "run", resume=True, **{**QUICK, "budget": 6})
    assert dict(later.space.cutter.orders) == ranked


def test_frozen_parts_stay_frozen_and_are_ranked_too(trained: Plain, tmp_path: Path) -> None:
    partly = copy.deepcopy(trained)
    partly.conv1.requires_grad_(False)
    partly.bn1.requires_grad_(False)
    result = nas.shrink(partly, ranking="taylor", out=tmp_path / "run", **QUICK)
    orders = nas.shrink(trained, ranking="taylor", **QUICK).space.cutter.orders
    assert result.space.cutter.orders == orders
    best = str(result.front["architecture"][0])
    tuned: Any = nas.load_network(tmp_path / "run", best, space=result.space)
    begun: Any = result.space.build(result.space.parse(best))
    assert torch.equal(tuned.conv1.weight, begun.conv1.weight)
    assert not torch.equal(tuned.conv2.weight, begun.conv2.weight)
    with pytest.raises(ConfigError, match="model Plain: the whole network is frozen"):
        nas.shrink(partly.requires_grad_(False), **QUICK)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # old weight_norm
def test_a_network_that_cannot_be_copied_is_refused(trained: Plain) -> None:
    normed = copy.deepcopy(trained)
    torch.nn.utils.weight_norm(normed.conv1)
    with pytest.raises(ConfigError, match=r"model Plain: module 'conv1'.*remove_weight_norm"):
        nas.shrink(normed, **QUICK)


@pytest.mark.slow
def test_workers_of_ray_give_the_same_values(trained: Plain) -> None:
    alone = nas.shrink(trained, loop={"concurrency": 2}, **QUICK)
    on_ray = nas.shrink(trained, loop={"concurrency": 2}, executor={"name": "ray", "workers": 1}, **QUICK)
    assert list(on_ray.history["error"]) == list(alone.history["error"])


def test_wrong_arguments_are_refused_before_any_training(trained: Plain, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="data: expected the images"):
        nas.shrink(trained)
    with pytest.raises(ConfigError, match="10 classes"):
        nas.shrink(Plain(num_classes=7), **QUICK)
    with pytest.raises(ConfigError, match="smallest candidate"):
        nas.shrink(trained, limits=["madds <= 10"], **QUICK)
    with pytest.raises(ConfigError, match="train: not used"):
        nas.shrink(trained, train={"epochs": 1}, **QUICK)
    with pytest.raises(ConfigError, match="no setting 'distilation'"):
        nas.shrink(trained, **{**QUICK, "training": {"distilation": 0.1}})
    with pytest.raises(ConfigError, match=r"expected a torch\.nn\.Module"):
        nas.shrink(lambda: 3, **QUICK)  # type: ignore[arg-type, return-value, unused-ignore]
    with pytest.raises(ConfigError, match="setting 'epoch' is unknown"):
        nas.shrink(trained, **{**QUICK, "training": {"recipe": {"epoch": 1}}})


def test_a_folder_with_a_run_is_refused_before_any_training(trained: Plain, tmp_path: Path) -> None:
    nas.shrink(trained, out=tmp_path / "run", **QUICK)

    def never() -> nn.Module:
        raise AssertionError

    with pytest.raises(HistoryError, match="already holds a run"):
        nas.shrink(never, out=tmp_path / "run", **QUICK)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"algorithm": "nsga2", "budget": 5}, "fewer than the 10 of the initial design of nsga2"),
        ({"algorithm": "nsga"}, "unknown"),
        ({"initial": ["width=1"]}, "initial"),
        ({"loop": {"halving": {"first": 2, "last": 1}}}, "halving"),
        ({"stop": "erorr <= 2"}, "erorr"),
        ({"callbacks": [3]}, "callbacks"),
        ({"warm_start": "nowhere"}, "nowhere"),
    ],
)
def test_a_search_that_cannot_start_is_refused_before_the_original_is_trained(
    tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises((ConfigError, HistoryError), match=said):
        nas.shrink(Plain, out=tmp_path / "run", **{**QUICK, **wrong})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("wrong", ["foo", "evaluate"])
def test_an_argument_that_a_search_lacks_is_refused_before_the_original_is_trained(
    tmp_path: Path, wrong: str
) -> None:
    with pytest.raises(TypeError, match=wrong):
        nas.shrink(Plain, out=tmp_path / "run", **{**QUICK, wrong: 1})
    assert not (tmp_path / "run").exists()
