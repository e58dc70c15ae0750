"""A search evaluates its candidates with the weights of a supernet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from commands import Done, nas_in

import nas.training
from nas.core.errors import ConfigError
from nas.core.records import Trial
from nas.sharing import SharedEvaluator, SupernetSettings
from nas.sharing.from_config import shared
from nas.training import Recipe
from search_spaces.nasbench201 import NASBench201
from tests.shared.sharing_parts import declared
from tests.shared.sharing_parts import few_networks as few_networks

pytestmark = pytest.mark.usefixtures("few_networks")
RECIPE = Recipe(batch_size=64, max_pictures=128)
CONFIG = """
space: {name: nasbench201, channels: 4, cells_per_stage: 1}
objectives: [error, params]
evaluator: {name: shared, data: digits, recipe: {batch_size: 64, max_pictures: 128}, supernet: {epochs: 1}, final: false}
executor: serial
algorithm: {name: random}
budget: 4
out: runs/mine
"""


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Done]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.yaml").write_text(CONFIG)
    return nas_in(monkeypatch, capsys)


def test_a_search_trains_its_supernet_and_a_later_one_reuses_it(
    run: Callable[..., Done], tmp_path: Path
) -> None:
    done = run("search", "my.yaml", "--csv")
    assert done.code == 0, done.err
    assert "Training the supernet: 1 epochs" in done.out + done.err
    first = pd.read_csv(tmp_path / "runs" / "mine" / "history.csv")
    assert len(first) == 4
    assert (first["inherited_error"] == first["error"]).all()
    assert first["inherited_loss"].between(0, 100).all()
    again = run("search", "my.yaml", "--csv", "--out", "runs/again")
    assert "Training the supernet" not in again.out + again.err
    (folder,) = (tmp_path / "runs" / "supernets").iterdir()
    named = run(
        *("search", "my.yaml", "--csv", "--out", "runs/named", "--set"),
        f"evaluator.supernet={folder.relative_to(tmp_path)}",
    )
    assert named.code == 0, named.err
    for name in ("again", "named"):
        later = pd.read_csv(tmp_path / "runs" / name / "history.csv")
        assert (later[["architecture", "inherited_error", "inherited_loss"]] == first[["architecture", "inherited_error", "inherited_loss"]]).all(axis=None)  # fmt: skip


def test_a_folder_without_a_supernet_ends_the_search_before_its_first_trial(
    run: Callable[..., Done], tmp_path: Path
) -> None:
    done = run("search", "my.yaml", "--set", "evaluator.supernet=nothing")
    assert done.code == 2
    assert "not the folder of a supernet" in done.sentence


def test_values_do_not_depend_on_the_seed_or_the_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    space = NASBench201(channels=4, cells_per_stage=1)
    evaluator = nas.training.SharedEvaluator(space, recipe=RECIPE, supernet=SupernetSettings(epochs=1))
    evaluator.prepare()
    trials = [Trial(i, space.parse("333333"), seed=i, budget=None) for i in range(2)]
    fresh = SharedEvaluator(space, recipe=RECIPE, supernet=evaluator.folder)
    assert evaluator(trials[0]) == evaluator(trials[1]) == fresh(trials[0])
    assert evaluator.companions == ("loss", "soft_error")
    assert SharedEvaluator(space, final=None).companions == ()


def test_a_space_without_networks_is_refused() -> None:
    with pytest.raises(ConfigError, match="builds no networks"):
        SharedEvaluator(nas.Space("none", width=nas.Choice(1, 2)))
    assert SharedEvaluator(declared()).classifies


def test_an_unknown_setting_of_the_supernet_is_named_with_its_place() -> None:
    with pytest.raises(ConfigError, match="evaluator shared: supernet: no setting 'epoch'"):
        shared(space=NASBench201(), supernet={"epoch": 3})
    with pytest.raises(ConfigError, match=r"supernet: expected a folder or a mapping.*got 5"):
        shared(space=NASBench201(), supernet=5)
    with pytest.raises(ConfigError, match="threads: expected at most 4096"):
        shared(space=NASBench201(), threads=2**31)
