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
from nas.core.errors import ArchitectureError
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


def test_choices_and_their_items_can_be_copied() -> None:
    space = nested()
    choices = space.choices(space.architecture({"stages": [{"depth": 0}, {"depth": 1, "blocks": [
        {"kernel": 7, "skip": False}]}], "width": 8}))  # fmt: skip
    for one in (choices, choices.stages[1], choices.stages[1].blocks[0]):
        for again in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):  # noqa: S301
            assert type(again) is type(one)
            assert again == one
    assert pickle.loads(pickle.dumps(choices.stages))[1].blocks[0].kernel == 7  # noqa: S301


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
