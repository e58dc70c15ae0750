"""What a run fixes for its baselines, and the names of networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nas.baselines.from_run import Given, Terms, terms_of
from nas.baselines.networks import DEFAULT, fitted, names_of
from nas.baselines.space import BaselineSpace
from nas.baselines.training import seed_of
from nas.config.schema import check_config
from nas.core.errors import ConfigError
from nas.core.task_spec import TaskSpec
from nas.engine.search_state import trial_seed
from search_spaces.networks import NETWORKS
from tests.shared.report_parts import some_source

TASK = TaskSpec(3, 10, (32, 32))


def given(**config: Any) -> Given:
    """A run with this config."""
    return Given(
        Path("runs/a"), some_source().table, check_config({"space": "muxnet-tiny", **config}), None, None
    )


def terms(epochs: int | None = None, changes: dict[str, Any] | None = None, **config: Any) -> Terms:
    return terms_of(given(**config), epochs, changes)


@pytest.mark.parametrize(
    ("config", "epochs"),
    [
        ({}, 5),
        ({"evaluator": {"name": "training", "recipe": {"base": "digits"}}}, 60),
        ({"evaluator": {"name": "training", "recipe": {"epochs": 3}}, "fidelity": 7}, 7),
        ({"halving": {"first": 1, "last": 8, "eta": 2}}, 8),
        ({"evaluator": {"name": "shared", "recipe": {"epochs": 4}}}, 4),
        ({"evaluator": {"name": "shared", "final": {"epochs": 12}}}, 12),
    ],
)
def test_a_network_gets_the_epochs_of_a_member_of_the_front(config: dict[str, Any], epochs: int) -> None:
    found = terms(**config)
    assert (found.epochs, found.changed, found.notes) == (epochs, "", ())
    assert found.config.evaluator is not None
    assert found.config.evaluator.name == "training"


@pytest.mark.parametrize(
    ("config", "note"),
    [
        ({"evaluator": {"name": "shared", "final": False}}, "inherited errors"),
        (
            {"space": {"name": "module", "model": "resnet18"}, "evaluator": "tuning"},
            "start from random weights",
        ),
    ],
)
def test_candidates_that_only_inherit_weights_give_no_number_of_epochs(
    config: dict[str, Any], note: str
) -> None:
    with pytest.raises(ConfigError, match="give one: --epochs N"):
        terms(**config)
    found = terms(9, **config)
    assert (found.epochs, found.changed) == (9, "epochs=9")
    assert note in found.notes[0]


def test_a_shrink_run_lends_the_recipe_of_its_original() -> None:
    space = {"name": "module", "model": "resnet18", "train": {"epochs": 30, "lr": 0.3}}
    found = terms(9, space=space, evaluator={"name": "tuning", "data": "digits"})
    assert found.config.evaluator is not None
    assert (found.config.evaluator.settings["data"], found.config.evaluator.settings["recipe"]["lr"]) == (
        "digits",
        0.3,
    )


def test_inherited_starts_are_said() -> None:
    found = terms(evaluator={"name": "shared", "final": {"start": "inherited"}})
    assert "baselines from random ones" in found.notes[0]


def test_changes_of_the_recipe_are_named_and_equal_ones_are_none() -> None:
    assert (
        terms(changes={"lr": 0.5, "augment": ["flip"], "epochs": 9}).changed
        == "epochs=9, lr=0.5, augment=flip"
    )
    assert terms(5, {"lr": 0.05}).changed == ""
    with pytest.raises(ConfigError, match="given twice"):
        terms(3, {"epochs": 4})


def test_objectives_without_a_meaning_for_other_networks_are_left_out_with_their_limits() -> None:
    objectives = ["error", {"name": "area", "cheap": True}, "my.py:joules", "params"]
    found = terms(objectives=objectives, limits=["area <= 3", "params <= 1e6"])
    assert [o.name for o in found.config.objectives] == ["error", "params"]
    assert found.config.limits == ["params <= 1e6"]
    assert list(found.left_out) == ["area", "joules"]
    with pytest.raises(ConfigError, match="no objective of the run exists for other networks: area"):
        terms(objectives=[{"name": "area", "cheap": True}])


@pytest.mark.parametrize(
    "evaluator", [None, {"name": "nasbench101-table", "path": "x"}, "my.py:evaluate", "segmentation"]
)
def test_a_run_without_trainings_of_classifiers_is_refused(evaluator: Any) -> None:
    with pytest.raises(ConfigError, match="does not train classifiers on images"):
        terms(evaluator=evaluator, space="nasbench101")


def test_a_seed_follows_the_rule_of_candidates_and_the_name() -> None:
    assert seed_of(3, "a") != seed_of(3, "b")
    assert seed_of(3, "a") == trial_seed(3, 0xE8B7BE43)  # CRC-32 of "a"


def test_names_are_one_per_width() -> None:
    assert [name for name, _ in names_of(None)] == list(DEFAULT)
    given = ["mobilenet_v2@0.50", "mobilenet_v2@0.5", "mobilenet_v2@1.0", "r8/stem8/ds8/head8"]
    assert [name for name, _ in names_of(given)] == ["mobilenet_v2@0.5", "mobilenet_v2", "r8/stem8/ds8/head8"]
    with pytest.raises(ConfigError, match="expected a list"):
        names_of("resnet18")

    def same() -> None: ...

    def other() -> None: ...

    other.__name__ = "same"
    with pytest.raises(ConfigError, match="two functions are called 'same'"):
        names_of([same, other])


def test_default_networks_are_adapted_to_the_data_and_counted() -> None:
    space = BaselineSpace({name: fitted(name, name, TASK) for name in DEFAULT}, TASK)
    costs = [space.cost(space.of(name)) for name in DEFAULT]
    assert len({cost["params"] for cost in costs}) == len(DEFAULT)
    assert costs[1] == space.cost(space.parse("mobilenet_v2@0.5"))
    network = space.build(space.of("mobilenet_v2@0.5"))
    assert sum(p.numel() for p in network.parameters()) == costs[1]["params"]
    assert "activations" in fitted("resnet18", "resnet18", TASK, traced=True).cost()


def test_a_cell_and_an_architecture_of_a_space_are_networks() -> None:
    for name in ("100110100001001010101-02001", "nasbench201:330333"):
        assert fitted(name, name, TASK).cost()["params"] > 0


def test_other_sizes_of_images_are_said() -> None:
    with pytest.raises(ConfigError, match="it needs square images of one size; the data have 8x16 pixels"):
        fitted("resnet18", "resnet18", TaskSpec(1, 2, (8, 16)))
    with pytest.raises(ConfigError, match=r"several sizes; set a side: recipe\.resolution=SIDE"):
        fitted("resnet18", "resnet18", TaskSpec(1, 2))


def test_every_listed_network_can_be_a_baseline() -> None:
    task = TaskSpec(3, 10, (64, 64))
    for name in NETWORKS:
        assert fitted(name, name, task).cost()["madds"] > 0
