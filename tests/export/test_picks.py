"""Which networks `nas export --pick` means."""

from __future__ import annotations

import re

import pytest
from noisy_parts import search as noisy_search

import nas
from nas.core.errors import ConfigError
from nas.export.picks import choose
from nas.pareto.decision import knee, minimised
from nas.runs.run_folder import RunTable
from nas.testing.toy import ToySpace, toy_error


@pytest.fixture(scope="module")
def table() -> RunTable:
    """A finished search of 60 architectures in three objectives."""
    found = nas.search(
        ToySpace(), ["error", "params", "madds"], toy_error, algorithm="random", budget=60, seed=3
    )
    assert found.table is not None
    assert len(found.table.front) > 6
    return found.table


def only(table: RunTable, text: str):
    (chosen,) = choose(table, [text])
    return chosen


def test_the_knee_is_that_of_the_front(table: RunTable) -> None:
    bend = knee(minimised(table.front, table.objectives))
    assert only(table, "knee").architecture == table.front["architecture"].iloc[bend.index]


@pytest.mark.parametrize("name", ["error", "params", "madds"])
def test_an_objective_alone_is_the_best_in_it(table: RunTable, name: str) -> None:
    chosen = only(table, name)
    assert chosen.row[name] == table.front[name].min()
    assert chosen.reason == f"the lowest {name}"


def test_a_maximised_objective_is_best_where_it_is_highest() -> None:
    def accuracy(trial: nas.Trial) -> dict[str, float]:
        return {"accuracy": 100.0 - toy_error(trial)["error"]}

    found = nas.search(ToySpace(), ["accuracy", "params"], accuracy, algorithm="random", budget=30, seed=1)
    assert found.table is not None
    chosen = only(found.table, "accuracy")
    assert chosen.row["accuracy"] == found.front["accuracy"].max()
    assert chosen.reason == "the highest accuracy"


@pytest.mark.parametrize("bound", ["{0}", "{1}k"])
def test_limits_and_an_objective_are_the_best_within(table: RunTable, bound: str) -> None:
    most = float(table.front["params"].median())
    chosen = only(table, "params<=" + bound.format(most, most / 1000) + ":error")
    within = table.front[table.front["params"] <= most]
    assert chosen.row["error"] == within["error"].min()
    assert chosen.row["error"] > table.front["error"].min()


def test_several_limits_hold_at_once(table: RunTable) -> None:
    most = {name: float(table.front[name].quantile(0.7)) for name in ("params", "madds")}
    chosen = only(table, f"params<={most['params']},madds<={most['madds']}:error")
    assert all(chosen.row[name] <= bound for name, bound in most.items())


def test_a_preference_is_the_best_by_it(table: RunTable) -> None:
    wished = float(table.front["error"].median())
    preference = nas.Preference.parse(f"error={wished}%", table.objectives)
    assert (
        only(table, f"error={wished}%").architecture == nas.pick(table.front, preference).best["architecture"]
    )


def test_an_architecture_is_named_by_how_it_begins(table: RunTable) -> None:
    text = str(table.front["architecture"].iloc[2])
    assert only(table, text).architecture == text
    begins = next(
        text[:n]
        for n in range(1, len(text) + 1)
        if (table.front["architecture"].str.startswith(text[:n])).sum() == 1
    )
    assert only(table, begins).architecture == text


def test_a_beginning_of_several_is_refused_with_examples(table: RunTable) -> None:
    first = str(table.front["architecture"].iloc[0])[0]
    with pytest.raises(ConfigError, match=r"networks of the front begin with it .* use more characters"):
        choose(table, [first])


def test_one_that_left_the_front_is_named_by_its_whole_text(table: RunTable) -> None:
    beaten = next(a for a in table.told["architecture"] if a not in set(table.front["architecture"]))
    assert only(table, beaten).reason == "the requested one (it is not on the front)"


def test_a_network_that_is_meant_twice_comes_once_with_both_reasons(table: RunTable) -> None:
    best = only(table, "error").architecture
    (chosen,) = choose(table, ["error", best])
    assert chosen.reason == "the lowest error; the requested one"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nothing", r"no such network; expected knee"),
        ("", r"no such network"),
        ("eror", r"did you mean 'error'"),
        ("params<1:error", r"none of the \d+ networks of the front meets the limits; the nearest has error"),
        ("error=5%:params", r"expected only limits .* before ':params'"),
        ("latency<3:error", r"'latency' is not an objective"),
        ("params<many:error", r"expected a number"),
    ],
)
def test_a_text_that_means_nothing_is_refused(table: RunTable, text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        choose(table, [text])


def test_the_name_is_safe_for_files_and_differs_where_the_text_does(table: RunTable) -> None:
    from nas.export.picks import Pick

    row = table.front.iloc[0]
    texts = [
        "r8/stem8s1/se0/ds8/ir8:k3s2e2/head16",
        "r8/stem8s1/se0/ds8/ir8:k3s2e2/head32",
        "../../etc/passwd",
        "..",
        "a" * 500,
    ]
    names = [Pick(text, "", row).name for text in texts]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9-][A-Za-z0-9.-]{0,40}", name) for name in names)


def test_a_pick_by_a_noisy_objective_is_by_its_expected_value() -> None:
    table = noisy_search().table
    assert table is not None
    (picked,) = choose(table, ["error"])
    assert picked.reason == "the lowest expected error"
    assert picked.row["error_expected"] == table.front["error_expected"].min()


def _named() -> RunTable:
    """A search of a declared space whose architectures are texts such as width=4/act=relu; act=none fails."""
    space = nas.Space("named", width=nas.Choice(4, 8, 16), act=nas.Choice("relu", "fft", "none"))

    def error(trial: nas.Trial) -> dict[str, float]:
        if trial.architecture.genes[1] == 2:
            raise ValueError("no activation")
        return {"error": 10.0 + sum(trial.architecture.genes), "size": 1.0 - trial.architecture.genes[0]}

    objectives = [nas.Objective(name) for name in ("error", "size")]
    found = nas.search(space, objectives, error, algorithm="random", budget=9, loop={"max_failures": 1.0})
    assert found.table is not None
    return found.table


@pytest.fixture(scope="module")
def named() -> RunTable:
    return _named()


def test_the_text_of_a_declared_architecture_is_not_read_as_a_preference(named: RunTable) -> None:
    chosen = only(named, "width=8/act=fft")
    assert (chosen.architecture, chosen.reason) == (
        "width=8/act=fft",
        "the requested one (it is not on the front)",
    )
    assert only(named, "width=4/act").architecture == "width=4/act=relu"
    assert only(named, "error=10").architecture == "width=4/act=relu"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("width=5/act=fft", "no such network"),
        ("width=8/act=none", "its evaluation failed"),
        ("error=8/act=fft", "this looks like an architecture"),
    ],
)
def test_a_declared_architecture_without_a_match_is_refused_as_one(
    named: RunTable, text: str, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        choose(named, [text])
