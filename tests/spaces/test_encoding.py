"""Encodings of declared spaces: order by distance, categories by equality, absence as a value of its own."""

from __future__ import annotations

import numpy as np
import pytest

import nas
from nas.core.records import FloatArray
from surrogates.candidates import candidates_for_search, encode, encodings_of
from surrogates.gaussian_process import GaussianProcess


def resnets() -> nas.Space:
    return nas.Space(
        "resnets",
        depth=nas.Integer(1, 3),
        stages=nas.Repeat("depth", width=nas.Integer(0, 4), kind=nas.Choice("a", "b", "c")),
        act=nas.Choice("relu", "silu", "gelu"),
        slope=nas.Integer(0, 2, when={"act": "relu"}),
    )


def mixed(space: nas.Space, *choices: dict[str, object]) -> FloatArray:
    return space.encodings["mixed"]([space.architecture(c) for c in choices])


BASE = {"depth": 1, "stages.0.width": 2, "stages.0.kind": "a", "act": "silu"}
DEEPER = BASE | {"depth": 2, "stages.1.width": 2, "stages.1.kind": "b"}


def test_categories_come_first_then_presence_then_ordered_parameters() -> None:
    space = resnets()
    base, deeper = mixed(space, BASE, DEEPER)
    assert space.first_numeric == 5  # three kinds, the activation, the presence of the slope
    assert base[:5].tolist() == [0, -1, -1, 1, 0]
    assert deeper[:5].tolist() == [0, 1, -1, 1, 0]
    assert base[5:].tolist() == [0, 0.5, -0.25, -0.25, 0.5]  # depth, three widths, slope
    assert deeper[5:].tolist() == [0.5, 0.5, 0.5, -0.25, 0.5]


def covariance(space: nas.Space, first: dict[str, object], second: dict[str, object]) -> float:
    """The prior covariance of two architectures, on the columns of random ones."""
    rng = np.random.default_rng(0)
    drawn = [space.sample(rng) for _ in range(40)]
    X = space.encodings["mixed"](drawn)
    assert space.first_numeric is not None
    process = GaussianProcess(numeric=slice(space.first_numeric, None), max_iterations=1)
    process.fit(X, np.zeros(40))  # a constant target leaves the hyperparameters at their prior
    one, other = (process._features(mixed(space, c)) for c in (first, second))
    distance = process._distances(one, other, process.log_parameters_)
    return float(process._local(one, other, process.log_parameters_, distance)[0, 0])


def test_the_kernel_falls_with_the_distance_of_an_ordered_parameter() -> None:
    values = [covariance(resnets(), BASE, BASE | {"stages.0.width": w}) for w in (2, 3, 4)]
    assert values[0] > values[1] > values[2]


def test_the_kernel_compares_categories_for_equality_alone() -> None:
    values = [covariance(resnets(), BASE, BASE | {"stages.0.kind": k}) for k in "abc"]
    assert values[0] > values[1]
    assert values[1] == pytest.approx(values[2])


def test_the_kernel_takes_absence_as_a_value_of_its_own() -> None:
    space = resnets()
    relu = BASE | {"act": "relu"}
    present = [covariance(space, relu | {"slope": 1}, relu | {"slope": s}) for s in (1, 2)]
    absent = covariance(space, BASE, BASE)
    assert absent == pytest.approx(present[0])  # two absent ones are equal
    other = covariance(space, BASE, relu | {"slope": 1})  # as far as possible in number, and apart
    assert other < covariance(space, BASE, BASE | {"act": "gelu"})  # which leaves the slope absent


def test_a_search_uses_order_where_it_is_declared_and_genes_where_there_is_none() -> None:
    plain = nas.Space("plain", a=nas.Choice("x", "y", "z"), b=nas.Choice(1, 2, 3, ordered=False))
    assert plain.first_numeric is None
    assert "gp-declared" not in candidates_for_search(plain, encodings_of(plain))
    space = resnets()
    found = candidates_for_search(space, encodings_of(space))
    assert [name for name in found if name.startswith("gp-")] == ["gp-declared", "gp-genes", "gp-counts"]
    assert found["gp-declared"].handicap == found["gp-genes"].handicap == 0.0


def test_counts_are_of_active_categories_with_the_same_options() -> None:
    space = resnets()
    rows = space.encodings["counts"]([space.architecture(c) for c in (BASE, DEEPER)])
    assert rows.tolist() == [[1, 0, 0], [1, 1, 0]]  # kinds a, b, c; the activations stand alone
    assert "counts" not in nas.Space("alone", a=nas.Choice("x", "y"), b=nas.Integer(1, 9)).encodings


def test_a_process_on_declared_order_predicts_unseen_options() -> None:
    space = nas.Space("smooth", {f"n{i}": nas.Integer(0, 15) for i in range(4)})
    rng = np.random.default_rng(0)
    drawn = [space.sample(rng) for _ in range(140)]
    y = np.array([sum((g / 15 - 0.3 * i) ** 2 for i, g in enumerate(a.genes)) for a in drawn])
    errors = {}
    for name, candidate in candidates_for_search(space, encodings_of(space)).items():
        if name.startswith("gp-"):
            X = encode(encodings_of(space), candidate.encoding, drawn)
            mean, _ = candidate.make().fit(X[:60], y[:60]).predict(X[60:])
            errors[name] = np.abs(mean - y[60:]).mean()
    assert errors["gp-declared"] < 0.3 * errors["gp-genes"]


class Genes(nas.SearchSpace):
    name = "genes"
    cardinalities = (3,) * 4


def test_a_space_of_plain_categories_is_searched_like_one_hot_genes() -> None:
    def error(trial: nas.Trial) -> dict[str, float]:
        genes = trial.architecture.genes
        return {"error": 5.0 + genes[0] * genes[1] + (genes[2] == 1), "size": 9.0 - sum(genes)}

    declared = nas.Space("declared", {f"g{i}": nas.Choice("a", "b", "c") for i in range(4)})
    rng = np.random.default_rng(0)
    begin = list(dict.fromkeys(declared.sample(rng).genes for _ in range(20)))[:8]
    objectives, settings = [nas.Objective("error"), nas.Objective("size")], {"initial": 8}
    texts = []
    for space in (declared, Genes()):
        found = nas.search(
            space, objectives, error, budget=12, initial=begin, algorithm_settings=settings
        ).history["architecture"]
        texts.append([space.parse(text).genes for text in found])
    assert texts[0] == texts[1]
