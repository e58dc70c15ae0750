"""`nas.Space`: what follows from a declaration."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import cloudpickle
import numpy as np
import pytest
from space_zoo import ZOO, forbidding, mapped, nested, pinned, resnets, three_deep

import nas
from nas.core.code_files import code_of
from nas.core.errors import ArchitectureError, ConfigError
from nas.spaces.making import make_space
from nas.testing import check_space


@pytest.mark.parametrize("make", ZOO.values(), ids=ZOO)
def test_every_declared_space_keeps_the_contract(make: Any) -> None:
    check_space(make())


@pytest.mark.parametrize("make", ZOO.values(), ids=ZOO)
def test_texts_choices_and_mappings_give_the_same_architecture(make: Any) -> None:
    space, rng = make(), np.random.default_rng(1)
    for _ in range(20):
        architecture = space.canonical(space.sample(rng))
        choices = space.choices(architecture)
        assert choices == architecture
        assert architecture == choices
        assert hash(choices) == hash(architecture)
        assert space.parse(space.format(architecture)) == architecture
        assert space.architecture(choices) == architecture
        assert (
            space.architecture({n: choices.get(n) for n in space.parameters if n in choices}) == architecture
        )
        assert pickle.loads(pickle.dumps(choices)) == choices  # noqa: S301
        again = cloudpickle.loads(cloudpickle.dumps(space))
        assert again.format(architecture) == space.format(architecture)


@pytest.mark.parametrize("name", [name for name in ZOO if name not in ("wide", "many_options", "mapped")])
def test_the_size_is_the_number_of_architectures(name: str) -> None:
    space = ZOO[name]()
    every = list(space.enumerate())
    assert len(every) == len(set(every)) == space.size
    for architecture in every:
        assert space.is_valid(architecture)
        assert space.canonical(architecture) == architecture


def test_large_spaces_are_counted_exactly() -> None:
    assert ZOO["wide"]().size == 4**200
    assert nas.Space("conditional", {
        **{f"s{i}": nas.Choice(True, False) for i in range(60)},
        **{f"d{i}": nas.Integer(1, 5, when={f"s{i}": True}) for i in range(60)},
    }).size == 6**60  # fmt: skip
    assert mapped().size is None


def test_inactive_parameters_are_absent() -> None:
    space = resnets()
    choices = space.choices(
        space.parse("depth=1/width=16/stages.0.kernel=5/stages.0.se=0.25/activation=relu")
    )
    assert [stage.kernel for stage in choices.stages] == [5]
    assert choices.get("dropout") is None
    assert choices.get("dropout", 0.0) == 0.0
    assert "dropout" not in choices
    assert "stages.1.kernel" not in choices
    assert choices.as_dict() == {
        "depth": 1, "width": 16, "stages.0.kernel": 5, "stages.0.se": 0.25, "activation": "relu",
    }  # fmt: skip
    with pytest.raises(
        AttributeError, match=r"'dropout' is inactive with width=16; use get\('dropout', default\)"
    ):
        choices.dropout  # noqa: B018
    with pytest.raises(AttributeError, match=r"unknown parameter 'widht' .did you mean 'width'"):
        choices.widht  # noqa: B018


def test_an_inner_repeat_counts_with_its_own_item() -> None:
    space = nested()
    choices = space.choices(space.architecture({"stages": [{"depth": 0}, {"depth": 2, "blocks": [
        {"kernel": 7, "skip": False}, {"kernel": 3}]}], "width": 8}))  # fmt: skip
    assert [len(stage.blocks) for stage in choices.stages] == [0, 2]
    assert choices.stages[1].blocks[0].skip is False
    assert choices.stages[1].blocks[1].get("skip") is None


def test_equal_networks_are_one_architecture() -> None:
    space = forbidding()
    one, other = (space.architecture({"a": a, "b": b, "c": "x"}) for a, b in ((1, 3), (3, 1)))
    assert space.canonical(one) == space.canonical(other)
    assert not space.is_valid(nas.Architecture("forbidding", (9, 9, 0)))
    with pytest.raises(ArchitectureError, match="forbids this combination"):
        space.parse("a=9/b=9/c=x")


def test_fixing_leaves_the_space_unchanged() -> None:
    space = resnets()
    small = space.fix(width=16)
    assert space.size == 2352
    assert small.size == 2 * (4 + 16 + 64)
    assert "width=16" in small.format(small.sample(np.random.default_rng(0)))
    assert small.parse(
        space.format(space.architecture(small.choices(small.sample(np.random.default_rng(0)))))
    )


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: nas.Space("s"), "expected at least one"),
        (lambda: nas.Space("s", a=nas.Choice()), "at least one option"),
        (lambda: nas.Choice([1, 2]), r"write Choice\(\*options\)"),
        (lambda: nas.Choice(1, 1.0), "1.0 is given twice"),
        (lambda: nas.Choice(object()), "expected a number, a string"),
        (lambda: nas.Choice(float("nan")), "finite"),
        (lambda: nas.Integer(3, 1), "low <= high"),
        (lambda: nas.Float(0, 1, log=True), "0 < low < high"),
        (lambda: nas.Space("s", seed=nas.Choice(1, 2)), "'seed': is a column of every run's table"),
        (lambda: nas.Space("s", {"a b": nas.Choice(1, 2)}), "'a b': expected letters"),
        (lambda: nas.Space("s", genes=nas.Choice(1, 2)), "choose another name"),
        (lambda: nas.Space("s", a=[1, 2]), r"parameter 'a': expected nas.Choice"),
        (lambda: nas.Space("s", a=1, b=nas.Choice(1, 2, when={"aa": 1})), "'b': its condition names 'aa'.*mean 'a'"),
        (lambda: nas.Space("s", a=nas.Choice(1, 2), b=nas.Choice(1, 2, when={"a": 3})), "'b'.*'a' names 3, which is not an option"),
        (lambda: nas.Space("s", a=nas.Choice(1, 2, when={"b": 1}), b=nas.Choice(1, 2, when={"a": 1})), "a, b refer to each other"),
        (lambda: nas.Space("s", r=nas.Repeat("depht", k=1), depth=nas.Integer(1, 2)), "'depht'.*did you mean 'depth'"),
        (lambda: nas.Space("s", d=nas.Choice(1.5, 2), r=nas.Repeat("d", k=1)), "whole number of at least 0"),
        (lambda: nas.Space("s", {"a": 1}, a=2), "'a' is given twice"),
        (lambda: nas.Space("s", {1: nas.Choice(1, 2)}), "parameter 1: expected a name, got int"),
        (lambda: nas.Space("s", [("a", 1)]), "expected a mapping of parameters, got"),
        (lambda: resnets().fix([("depth", 1)]), "fix: expected a mapping of parameters, got"),
        (lambda: resnets().fix({"depth": 1}, depth=2), "fix: parameter 'depth' is given twice"),
        (lambda: resnets().fix(stages=1), "'stages' is a repeat; fix one of its parameters, such as 'stages.kernel'"),
        (lambda: nas.Float(0, 10**400), "expected a number below"),
        (lambda: nas.Float(0, 10**5000), "expected a number below"),
        (lambda: nas.Float(0, 1, log="false"), "log: expected True or False, got 'false'"),
        (lambda: nas.Float(1.0, 1.0 + 1e-12), "6 levels from 1.0 to 1.000000000001 are equal to 10 digits"),
        (lambda: nas.Choice(10**5000, 1), "expected a number below"),
        (lambda: nas.Choice(1, 2, ordered="no"), "ordered: expected True or False, got 'no'"),
        (lambda: nas.Integer(0, 10**5000), "expected a number below"),
        (lambda: nas.Integer(0, 10**50), "at most 100,000 options"),
        (lambda: nas.Space("s", a=nas.Choice(1, 2), b=nas.Choice(1, 2, when={"a": len})), "'b': its condition on 'a': option <built-in"),
        (lambda: nas.Space("s", a=nas.Choice(1, 2), b=nas.Choice(1, 2, when={"a": {1: 2}})), "'b': its condition on 'a': option {1: 2}"),
        (lambda: resnets().parse(3), "architecture 3: expected its text form, got int"),
        (lambda: resnets().architecture({"depth": object()}), "depth: option <object"),
        (lambda: resnets().architecture({"depth": 1, "width": 16, "stages": [3]}), "stages.0: expected a mapping of the item's parameters"),
        (lambda: resnets().architecture({"depth": 1, "width": 16, "stages": [{"kernel": 3}]}), "'stages.0.se' is missing .write None"),
        (lambda: nas.Space("s", z=0, r=nas.Repeat(10**6, i=nas.Repeat("z", x=1))), "'r': a space has at most 10,000 items"),
        (lambda: nas.Space("no spaces", a=1), "space name"),
        (lambda: resnets().fix(width=17), "width: 17 is not an option; expected one of 16, 24, 32, 48"),
        (lambda: resnets().fix(widht=16), "unknown parameter 'widht'"),
        (lambda: resnets().architecture({"depth": 1}), "'width' is missing"),
        (lambda: resnets().parse("depth=9"), "depth: '9' is not an option; expected one of 1, 2, 3"),
        (lambda: nas.Problem(resnets(), [nas.Objective("width", cheap=True, function=lambda c: c.width)]), "'width' is also a parameter"),
    ],
)  # fmt: skip
def test_errors_name_the_parameter_and_the_value(declare: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        declare()


def test_floats_may_differ_from_the_options_by_errors_of_arithmetic() -> None:
    third = nas.Choice(1 / 3, 2.0, 0.0)
    space = nas.Space(
        "s", b=third, x=nas.Float(0.1, 0.5, levels=5), lr=nas.Float(1e-4, 0.1, levels=6, log=True, when={"b": 1 / 3}),
        c=nas.Choice(1, 2, when={"x": 0.1 + 0.2, "b": nas.Float(0, 1, levels=4).options[1]}),
    )  # fmt: skip
    values = {"b": 0.333333333333, "x": 0.1 + 0.2, "lr": 1e-4 * 10 ** (3 / 5), "c": 2}
    found = space.architecture(values)
    assert space.format(found) == "b=0.3333333333333333/x=0.3/lr=0.0003981071706/c=2"
    assert space.parse("b=0.333333333333/x=0.30000000000000004/lr=3.981071706e-4/c=2.0") == found
    assert space.parse("b=2/x=0.3") == space.architecture({"b": 2, "x": 0.3})
    assert space.fix(b=2).size == 5
    assert space.architecture({"b": 0.1 + 0.2 - 0.3, "x": 0.3}) == space.architecture({"b": 0, "x": 0.3})
    near = nas.Space("near", a=nas.Choice(1.0, 1.0 + 1e-7))
    assert near.architecture({"a": 1.0 + 1e-7}).genes == (1,)
    for value in (1.00000005, 1.1):
        with pytest.raises(ArchitectureError, match="is not an option"):
            near.architecture({"a": value})


def test_names_that_are_no_parameter_are_errors() -> None:
    space = resnets()
    c = space.choices(space.fix(depth=2, width=16).sample(np.random.default_rng(0)))
    assert c.get("dropout", 0.5) == 0.5
    assert c.get("stages.2.kernel") is None
    assert c.stages[1].get("kernel") == c.get("stages.1.kernel")
    assert c.get("stages") == c.stages
    with pytest.raises(KeyError, match=r"unknown parameter 'dropuot' .did you mean 'dropout'"):
        c.get("dropuot", 0.0)
    with pytest.raises(
        KeyError, match=r"unknown parameter 'stages.1.kernal' .did you mean 'stages.1.kernel'"
    ):
        c.stages[1].get("kernal")
    with pytest.raises(AttributeError, match=r"unknown parameter 'stage' .did you mean 'stages'"):
        c.stage  # noqa: B018
    with pytest.raises(IndexError, match="repeat 'stages' has 2 active items here, no item 5"):
        c.stages[5]
    assert c.stages[-1] == c.stages[1:][0]


def test_an_architecture_means_the_same_in_a_fixed_space() -> None:
    space = nas.Space(
        "s",
        w=nas.Choice(16, 32, 48),
        k=nas.Choice(1, 2, when={"w": (32, 48)}),
        m=nas.Choice(3, 4, when={"w": 16}),
    )
    fixed = space.fix(w=48)
    assert fixed.size == 2
    assert fixed.cardinalities == space.cardinalities
    for architecture in space.enumerate():
        assert fixed.is_valid(architecture) == (space.choices(architecture)["w"] == 48)
        assert fixed.format(architecture) == space.format(architecture)
    for architecture in fixed.enumerate():
        assert fixed.parse(space.format(architecture)) == architecture
    assert fixed.architecture({"k": 2}) == space.architecture({"w": 48, "k": 2})
    assert fixed.fix(w=48, k=1).size == 1
    for refused in (
        lambda: fixed.parse("w=16/m=3"),
        lambda: fixed.architecture({"w": 16, "m": 3}),
        lambda: fixed.fix(w=16),
    ):
        with pytest.raises(ConfigError, match="parameter 'w' is fixed to 48 in this space, got 16"):
            refused()


def test_search_stays_in_a_fixed_space() -> None:
    space = nas.Space("s", {f"p{i}": nas.Integer(0, 9) for i in range(30)})
    fixed = space.fix({f"p{i}": i % 10 for i in range(28)})
    assert fixed.size == 100
    seen: set[nas.Architecture] = set()

    def error(c: nas.Choices) -> float:
        seen.add(nas.Architecture(c.space, c.genes))
        return float(c.p28 + c.p29)

    for algorithm in ("random", "local-search", "nsga2", "sa-moead"):
        found = nas.search(fixed, [error], algorithm=algorithm, budget=30)
        assert found.summary["evaluations"] == 30
    assert all(map(fixed.is_valid, seen))
    first = next(iter(seen))
    assert all(map(fixed.is_valid, fixed.neighbours(first, np.random.default_rng(0))))


def test_the_fixed_value_may_be_one_that_same_changes() -> None:
    space = nas.Space("s", a=nas.Choice(1, 2, 3), b=nas.Choice(1, 2, 3))
    space.same(lambda c: {"a": 1} if c.b == 1 else {})
    assert space.size == 7
    assert space.fix(a=2).size == 3
    three = nas.Space("s", a=nas.Integer(0, 3), b=nas.Integer(0, 3), c=nas.Integer(0, 3))
    three.same(lambda c: dict(zip("abc", sorted((c.a, c.b, c.c)), strict=True)))
    fixed = three.fix(b=2)
    check_space(fixed)
    assert fixed.size == len({tuple(sorted(a.genes)) for a in three.enumerate() if 2 in a.genes}) == 10
    large = mapped().fix(p1=7)
    check_space(large)
    genes = (0, 7, *[3] * 10)
    assert large.canonical(nas.Architecture("mapped", genes)).genes == genes


def test_architectures_of_another_space_are_refused() -> None:
    space, other = resnets(), nas.Architecture("resnet", (0,) * len(resnets().cardinalities))
    for use in (space.choices, space.format, space.cost, space.build):
        with pytest.raises(ArchitectureError, match="belongs to space 'resnet', expected one of 'resnets'"):
            use(other)
    again = resnets()
    choices = space.choices(space.sample(np.random.default_rng(0)))
    assert again.choices(choices) == choices


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda s: s.forbid(lambda c: np.array([True, False])), r"forbid: expected True or False for \{'a': 1\}, got array"),
        (lambda s: s.forbid(lambda c: "no"), r"forbid: expected True or False for \{'a': 1\}, got 'no'"),
        (lambda s: s.forbid(lambda c: None), r"forbid: expected True or False for \{'a': 1\}, got None"),
        (lambda s: s.same(lambda c: None), r"same: expected a key or a dict .* for \{'a': 1\}, got None"),
        (lambda s: s.same(lambda c: {"a": 7}), r"same: failed for \{'a': 1\}: a: 7 is not an option"),
    ],
)  # fmt: skip
def test_results_of_rules_are_checked(declare: Any, message: str) -> None:
    space = nas.Space("s", a=nas.Choice(1, 2))
    declare(space)
    with pytest.raises(ConfigError, match=message):
        space.size  # noqa: B018
    assert nas.Space("s", a=nas.Choice(1, 2)).forbid(lambda c: np.bool_(c.a == 1)).size == 1


def test_choices_and_their_items_can_be_copied() -> None:
    space = nested()
    choices = space.choices(space.architecture({"stages": [{"depth": 0}, {"depth": 1, "blocks": [
        {"kernel": 7, "skip": False}]}], "width": 8}))  # fmt: skip
    for one in (choices, choices.stages[1], choices.stages[1].blocks[0]):
        for again in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):  # noqa: S301
            assert type(again) is type(one)
            assert again == one
    assert pickle.loads(pickle.dumps(choices.stages))[1].blocks[0].kernel == 7  # noqa: S301


def test_a_space_without_a_valid_network_is_an_error() -> None:
    space = nas.Space("none", a=nas.Integer(0, 9)).forbid(lambda c: True)
    with pytest.raises(ConfigError, match="'none' has no valid network: forbid excludes all 10 combinations"):
        space.sample(np.random.default_rng(0))


def test_errors_of_rules_and_costs_name_the_choices() -> None:
    space = nas.Space("s", a=nas.Choice(1, 2), b=nas.Choice(3, 4, when={"a": 2})).forbid(lambda c: c.b == 3)
    with pytest.raises(ConfigError, match=r"forbid: failed for \{'a': 1\}.*'b' is inactive with a=1"):
        space.is_valid(nas.Architecture("s", (0, 0)))


def test_mutation_reaches_every_architecture() -> None:
    for make in (three_deep, forbidding, pinned):
        space, rng = make(), np.random.default_rng(0)
        now = space.canonical(space.sample(rng))
        seen = {now}
        assert space.size is not None
        for _ in range(80 * space.size):
            now = space.canonical(space.mutate(now, rng))
            seen.add(now)
            if len(seen) == space.size:
                break
        assert len(seen) == space.size


def test_the_code_of_all_functions_of_a_space_is_recorded(tmp_path: Any) -> None:
    (tmp_path / "networks.py").write_text("def build(c):\n    return None\n")
    (tmp_path / "rules.py").write_text("def deep(c):\n    return c.a > 2\n")
    declared = {"parameters": {"a": [1, 2, 3]}, "build": "networks.py:build", "forbid": "rules.py:deep"}
    space = make_space("small", declared, tmp_path)
    assert space.size == 2
    assert set(code_of([space], tmp_path)) == {"networks.py", "rules.py"}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"a": [[16, 32]]},
            r"parameter 'a': expected a list of options, got a list within a list, .*; write \[16, 32\]",
        ),
        (
            {"a": {"float": [0, 1], "log": "false"}},
            "parameter 'a': Float: log: expected True or False, got 'false'",
        ),
        (
            {"r": {"repeat": 2, "when": [3, 5]}},
            "parameter 'r': when is the condition of the repeat.*another name",
        ),
    ],
)
def test_errors_of_a_config_name_the_parameter(parameters: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_space("s", {"parameters": parameters})


def test_parameters_of_a_repeat_may_be_named_as_kinds() -> None:
    inner = {"repeat": 2, "choice": [1, 2], "integer": {"integer": [0, 2]}, "float": 1, "when": {"a": 1}}
    space = make_space("s", {"parameters": {"a": [0, 1], "r": inner}})
    assert space.size == 1 + 6**2


def test_functions_receive_the_choices() -> None:
    space = resnets()
    seen: list[Any] = []

    def error(c: nas.Choices) -> float:
        seen.append(c)
        return float(c.depth + c.width)

    def stages(architecture: nas.Architecture) -> float:
        return float(len(architecture.genes) + len(architecture.stages))  # type: ignore[attr-defined]

    found = nas.search(space, [error, nas.Objective("stages", cheap=True, function=stages)], budget=12)
    assert len(seen) == 12
    assert len(found.front) > 0

    def evaluate(c: nas.Choices) -> dict[str, float]:
        return {"error": c.depth - c.get("dropout", 0.0)}

    assert len(nas.search(space, ["error"], evaluate, budget=12).front) > 0

    def by_trial(trial: nas.Trial) -> dict[str, float]:
        assert trial.choices is not None
        return {"error": float(trial.choices["depth"])}

    assert len(nas.search(space, ["error"], by_trial, budget=12).front) > 0


def test_many_conditions_on_one_parameter_are_counted_at_once() -> None:
    many = {f"stages.{i}.op": "conv" for i in range(60)}
    stages = nas.Repeat(60, op=nas.Choice("conv", "skip"))
    assert nas.Space("s", stages=stages, head=nas.Choice(1, 2, when=many)).size == 2**60 + 1
    switches = {f"s{i}": nas.Choice(True, False) for i in range(40)}
    sizes = {f"d{i}": nas.Integer(1, 5, when={f"s{i}": True, "s0": True}) for i in range(40)}
    assert nas.Space("s", {**switches, **sizes}).size == 6**39 * 5 + 2**39
