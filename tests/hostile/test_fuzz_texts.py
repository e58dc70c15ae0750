"""Damaged configs, settings, architectures and preferences are refused in our own words."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzzing import damaged, damaged_text, damaged_value, fuzzed, put, refused
from hypothesis import given
from hypothesis import strategies as st

from nas.config.assemble import CONFIGS, assemble
from nas.config.schema import check_config, override, read_config
from nas.core.objectives import Limit, Objective
from nas.pareto.preferences import Preference
from search_spaces import SEARCH_SPACES
from search_spaces.muxnet.models import MODELS
from search_spaces.muxnet.text import format_spec, parse_spec
from search_spaces.nasbench101.cell import parse_cell

CONFIG_FILES = sorted(CONFIGS.glob("*.yaml"))
GOOD = [path.read_bytes() for path in CONFIG_FILES]
KEYS = [
    "space", "space.name", "space.resolutions", "space.max_vertices", "space.stem_channels", "objectives", "limits",
    "algorithm", "algorithm.name", "algorithm.population", "algorithm.initial", "algorithm.prefer", "evaluator",
    "evaluator.data", "evaluator.data.validation", "evaluator.recipe", "evaluator.recipe.epochs", "evaluator.recipe.lr",
    "executor", "executor.workers", "executor.address", "budget", "budget.evaluations", "budget.seconds", "seed",
    "concurrency", "ordered", "fidelity", "halving", "halving.first", "halving.eta", "max_failures", "out",
    "warm_start", "keep_weights", "nonsense", "space.nonsense",
]  # fmt: skip
VALUES = [
    "moead",
    "sa-moead",
    "nasbench101",
    "muxnet-tiny",
    "error",
    ["error"],
    ["params <= 1e6"],
    {"name": "training"},
]
OBJECTIVES = [Objective("error", "%"), Objective("params"), Objective("madds")]
SPACES = ["muxnet-tiny", "muxnet-cifar", "muxnet-imagenet", "nasbench101", "nasbench201"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("texts")


@fuzzed
@given(data=damaged(GOOD))
def test_a_damaged_config_file_is_read_or_refused(folder: Path, data: bytes) -> None:
    path = put(folder, "search.yaml", data)
    refused(lambda: check_config(read_config(path)))


@fuzzed
@given(
    config=st.sampled_from(CONFIG_FILES),
    changes=st.lists(st.tuples(st.sampled_from(KEYS), damaged_value(VALUES)), min_size=1, max_size=3),
)
def test_a_config_with_values_of_any_kind_makes_a_search_or_is_refused(config: Path, changes: list) -> None:
    def make() -> None:
        values = read_config(config)
        for key, value in changes:
            *parents, last = key.split(".")
            place = values
            for parent in parents:
                inner = place.get(parent)
                place[parent] = dict(inner) if isinstance(inner, dict) else {"name": inner}
                place = place[parent]
            place[last] = value
        assemble(check_config(values), Path.cwd())

    refused(make)


@fuzzed
@given(setting=damaged_text([f"{key}=3" for key in KEYS]))
def test_a_damaged_setting_is_taken_or_refused(setting: str) -> None:
    values = read_config(CONFIG_FILES[0])
    refused(lambda: check_config(override(values, [setting])))


@pytest.mark.parametrize("name", SPACES)
@fuzzed
@given(data=st.data())
def test_a_damaged_architecture_is_valid_or_refused(name: str, data: st.DataObject) -> None:
    space = _space(name)
    text = data.draw(damaged_text(_texts(name)))

    def read() -> None:
        architecture = space.parse(text)
        assert space.is_valid(architecture)
        again = space.canonical(space.parse(space.format(space.canonical(architecture))))
        assert again == space.canonical(architecture)

    refused(read)


@fuzzed
@given(text=damaged_text([format_spec(spec) for spec in MODELS.values()]))
def test_a_damaged_muxnet_text_is_a_network_or_refused(text: str) -> None:
    refused(parse_spec, text)


@fuzzed
@given(text=damaged_text(["100110100001001010101-02001", "1-", "110101-22"]))
def test_a_damaged_cell_is_a_cell_or_refused(text: str) -> None:
    refused(parse_cell, text)


@fuzzed
@given(text=damaged_text(["error=5%, params<1M", "error, params=3.4M, madds<218e6", "params<=300k"]))
def test_a_damaged_preference_is_taken_or_refused(text: str) -> None:
    refused(Preference.parse, text, OBJECTIVES)


@fuzzed
@given(text=damaged_text(["madds <= 300e6", "error>=1", "params <1e6"]))
def test_a_damaged_limit_is_taken_or_refused(text: str) -> None:
    refused(Limit.parse, text)


def _space(name: str):  # type: ignore[no-untyped-def]
    if name not in _MADE:
        _MADE[name] = SEARCH_SPACES[name]()
    return _MADE[name]


def _texts(name: str) -> list[str]:
    import numpy as np

    space = _space(name)
    rng = np.random.default_rng(1)
    return _SAMPLED.setdefault(name, [space.format(space.canonical(space.sample(rng))) for _ in range(5)])


_MADE: dict[str, object] = {}
_SAMPLED: dict[str, list[str]] = {}
