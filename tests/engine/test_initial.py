"""Initial architectures given by the user."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from engine_parts import Grid, quick
from space_zoo import ZOO

import nas
from nas.algorithms import ALGORITHMS
from nas.algorithms.peers import PEERS
from nas.algorithms.sa_moead import SAMOEADSettings
from nas.core.errors import ConfigError, HistoryError
from nas.testing import ToySpace
from nas.testing.toy import toy_error
from nas.training import Halving
from search_spaces.nasbench201 import NASBench201

pytestmark = pytest.mark.usefixtures("no_plots")
LEAN = SAMOEADSettings(initial=6, surrogate="rbf", whole_space=100, pool=60, growth=0.5)
GIVEN = ["5-5-5-5-5-5", "0-0-0-0-0-0", "1-2-3-4-5-0"]


def search(**changes: Any) -> nas.SearchResult:
    arguments: dict[str, Any] = {"space": Grid(), "objectives": ["error", "params"], "evaluate": quick}
    return nas.search(
        **({"algorithm": "moead", **arguments | {"budget": 16, "algorithm": "random", "seed": 3} | changes})
    )


def asked(result: nas.SearchResult) -> list[str]:
    return list(result.history.sort_values("trial")["architecture"])


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, *PEERS])
def test_every_algorithm_evaluates_the_given_ones_first_and_nothing_twice(algorithm: str) -> None:
    settings = LEAN if algorithm == "sa-moead" else None
    changes: dict[str, Any] = {"objectives": ["error"]} if algorithm.startswith("regul") else {}
    if algorithm in PEERS and algorithm.startswith(("optuna", "syne")):
        pytest.importorskip("optuna" if algorithm.startswith("optuna") else "syne_tune")
    given = GIVEN[:2] if algorithm == "optuna-gp" else GIVEN
    found = search(
        space=Grid(6, 6),
        algorithm=algorithm,
        algorithm_settings=settings,
        initial=given,
        budget=14,
        **changes,
    )
    assert asked(found)[: len(given)] == given
    assert len(set(asked(found))) == len(asked(found)) == 14


@pytest.mark.parametrize("algorithm", ["sa-moead", "moead", "nsga2"])
def test_a_search_with_initial_architectures_resumes_like_an_uninterrupted_one(
    algorithm: str, tmp_path: Path
) -> None:
    settings = LEAN if algorithm == "sa-moead" else None
    same: dict[str, Any] = {"algorithm": algorithm, "algorithm_settings": settings, "initial": GIVEN}
    whole = search(**same, budget=20, out=tmp_path / "whole")

    def stop(state: nas.SearchState) -> None:
        if state.evaluated == 2:
            raise KeyboardInterrupt

    cut = search(**same, budget=20, out=tmp_path / "cut", callbacks=[stop])
    assert cut.state == "interrupted"
    again = search(**(same | {"initial": []}), budget=20, out=tmp_path / "cut", resume=True)
    assert asked(again) == asked(whole)


def test_in_a_small_space_no_algorithm_asks_for_initial_architectures_again() -> None:
    every = [f"{a}-{b}" for a in range(3) for b in range(3)]
    for algorithm in ("moead", "nsga2", "local-search", "random", "scalarized-evolution"):
        found = search(
            space=Grid(3, 2), algorithm=algorithm, initial=every[2:8], budget=50,
            algorithm_settings=None, loop=nas.LoopSettings(concurrency=5),
        )  # fmt: skip
        assert sorted(asked(found)) == every, algorithm
        assert found.state == "exhausted"


def test_they_count_in_the_budget_and_replace_the_initial_design() -> None:
    found = search(algorithm="sa-moead", algorithm_settings=LEAN, initial=GIVEN, budget=6)
    assert len(found.history) == found.summary["evaluations"] == 6
    plain = search(algorithm="sa-moead", algorithm_settings=LEAN, budget=6)
    assert asked(found)[3:] == asked(plain)[3:]


def test_genes_texts_and_architectures_name_the_same() -> None:
    space = Grid()
    forms: list[Any] = [
        ["1-2-3-4-5-0"], [(1, 2, 3, 4, 5, 0)], [[1, 2, 3, 4, 5, 0]], [np.array([1, 2, 3, 4, 5, 0])],
        [nas.Architecture("grid", (1, 2, 3, 4, 5, 0))], np.array([[1, 2, 3, 4, 5, 0]]), pd.Series(["1-2-3-4-5-0"], index=[7]),
    ]  # fmt: skip
    assert {asked(search(space=space, initial=form, budget=1))[0] for form in forms} == {"1-2-3-4-5-0"}


def test_the_canonical_form_is_evaluated() -> None:
    found = search(space=ToySpace(), evaluate=toy_error, initial=[(0, 1, 2, 3, 0, 3)], budget=2)
    assert asked(found)[0] == "0-1-2-3-0-0"


@pytest.mark.parametrize(
    ("initial", "said"),
    [
        ([GIVEN[0], "nonsense"], r"entry 2, 'nonsense'.*6 whole numbers"),
        (["1-2-3"], r"entry 1, '1-2-3'"),
        ([(1, 2, 3)], r"entry 1, \(1, 2, 3\), is not an architecture of space 'grid', which has 6 genes"),
        ([()], r"entry 1, \(\)"),
        ([(1, 2, 3, 4, 5, 6)], r"entry 1.*\[6, 6, 6, 6, 6, 6\] choices"),
        ([(1, 2, 3, 4, 5, True)], r"entry 1.*is not an architecture"),
        ([(1.0, 2, 3, 4, 5, 0)], r"entry 1.*is not an architecture"),
        ([nas.Architecture("grid", (1.0, 2, 3, 4, 5, 0))], r"entry 1.*is not an architecture"),  # type: ignore[arg-type]
        ([nas.Architecture("grid", (True, 2, 3, 4, 5, 0))], r"entry 1.*is not an architecture"),
        ([None], r"entry 1, None"),
        ([{"a": 1}], r"entry 1"),
        (
            [nas.Architecture("other", (0,) * 6)],
            r"entry 1.*belongs to space 'other'; this search uses 'grid'",
        ),
        ([GIVEN[0], (5,) * 6], r"entry 2, \(5, 5, 5, 5, 5, 5\), is the same network as entry 1"),
        ("5-5-5-5-5-5", "expected a list of architectures"),
        (nas.Architecture("grid", (0,) * 6), "expected a list of architectures"),
        (7, "expected a list of architectures"),
    ],
)
def test_an_invalid_initial_architecture_is_named_before_any_work(
    initial: Any, said: str, tmp_path: Path
) -> None:
    def never(trial: nas.Trial) -> dict[str, float]:
        raise AssertionError

    with pytest.raises(ConfigError, match=said):
        search(initial=initial, evaluate=never, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_one_that_breaks_a_limit_is_refused_with_the_limit_and_its_value() -> None:
    with pytest.raises(ConfigError, match=r"entry 1.*breaks the limit params <= 30 \(it has params = 40\)"):
        search(initial=GIVEN[:1], limits=["params <= 30"])


def test_more_than_the_budget_is_refused() -> None:
    with pytest.raises(ConfigError, match="2 evaluations are fewer than the 3 architectures of initial"):
        search(initial=GIVEN, budget=2)


def test_one_that_a_warm_start_contains_is_refused(tmp_path: Path) -> None:
    search(initial=GIVEN, budget=4, out=tmp_path / "earlier")
    with pytest.raises(ConfigError, match=r"entry 1.*was measured already: warm_start contains it"):
        search(initial=GIVEN[:1], warm_start=tmp_path / "earlier")


def test_halving_starts_them_on_the_first_rung() -> None:
    found = search(initial=GIVEN, budget=9, loop=nas.LoopSettings(halving=Halving(1, 3, 3)))
    assert list(found.history["budget"])[:3] == [1, 1, 1]


def test_a_resumed_run_has_them_in_its_log_and_takes_no_others(tmp_path: Path) -> None:
    search(initial=GIVEN, budget=4, out=tmp_path / "run")
    more = search(budget=8, out=tmp_path / "run", resume=True)
    assert asked(more)[:3] == GIVEN
    with pytest.raises(HistoryError, match="initial"):
        search(initial=GIVEN[:2], budget=9, out=tmp_path / "run", resume=True)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["initial"] == GIVEN


def named_loss(c: Any) -> float:
    return float(sum((i + 1) * g for i, g in enumerate(c.genes)))


def named(given: Any, space: nas.SearchSpace | None = None, **changes: Any) -> nas.SearchResult:
    return nas.search(
        space or ZOO["resnets"](), [named_loss], algorithm="random", budget=4, initial=given, **changes
    )


NAMED: list[Any] = [
    {
        "depth": 1,
        "width": 32,
        "stages.0.kernel": 5,
        "stages.0.se": None,
        "activation": "silu",
        "dropout": 0.1,
    },
    {"depth": 1, "width": 16, "stages": [{"kernel": 3, "se": 0.25}], "activation": "relu"},
]


def test_mappings_of_parameters_come_first(tmp_path: Path) -> None:
    expected = [
        "depth=1/width=32/stages.0.kernel=5/stages.0.se=None/activation=silu/dropout=0.1",
        "depth=1/width=16/stages.0.kernel=3/stages.0.se=0.25/activation=relu",
    ]
    assert asked(named(NAMED, out=tmp_path / "run"))[:2] == expected
    assert asked(named((), out=tmp_path / "run", resume=True))[:2] == expected
    rows = named(NAMED).history.iloc[:2][list(ZOO["resnets"]().parameters)]
    assert asked(named(rows.to_dict("records")))[:2] == expected
    choices = [ZOO["resnets"]().choices(ZOO["resnets"]().parse(text)) for text in expected]
    assert asked(named(choices))[:2] == expected


def test_a_built_in_space_takes_mappings() -> None:
    values = dict.fromkeys(NASBench201().parameters, "skip_connect")
    assert asked(named([{**values, "edge0-3": "nor_conv_3x3"}], NASBench201()))[0] == "111311"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"width": 33},
            r"initial: entry 2, \{.*\}: width: 33 is not an option; expected one of 16, 24, 32, 48",
        ),
        ({"widht": 33}, r"initial: entry 2, \{.*\}: unknown parameter 'widht' \(did you mean 'width'\?\)"),
        (
            {"dropout": 0.1},
            r"entry 2, .*parameter 'dropout' is inactive with these values; remove it \(got 0.1\)",
        ),
        ({"activation": None}, r"entry 2, .*parameter 'activation' is missing"),
    ],
)
def test_errors_of_a_mapping_name_entry_parameter_and_value(change: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        named([NAMED[0], {**NAMED[1], **change}])


def test_a_mapping_needs_a_space_with_names() -> None:
    with pytest.raises(
        ConfigError, match=r"entry 1, .*: space 'grid' finds no architectures by the names of parameters"
    ):
        search(initial=[{"a": 1}])
    with pytest.raises(
        ConfigError, match=r"initial: expected a list of architectures, got \{'depth': 1\}; give"
    ):
        named({"depth": 1})


def test_a_config_takes_mappings(tmp_path: Path) -> None:
    from nas.config.schema import SearchConfig

    written = [{"depth": 1, "stages": [{"kernel": 3, "se": None}]}, "text", 3, [0, 1]]
    assert SearchConfig.model_validate({"space": "muxnet-tiny", "initial": written}).initial == written
