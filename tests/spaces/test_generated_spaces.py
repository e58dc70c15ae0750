"""Generated declarations: conditions three deep, repeats of repeats, every type of option."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import nas
from nas.core.records import Architecture
from nas.spaces.parameters import same_value

MOST = 3_000  # gene combinations of a generated space that are enumerated by brute force

plain = st.one_of(
    st.integers(-5, 5), st.floats(-2, 2).map(lambda x: round(x, 3)), st.booleans(), st.none(), st.text(max_size=4)
)  # fmt: skip


def distinct(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if not any(same_value(value, other) for other in found):
            found.append(value)
    return found


options = st.lists(st.one_of(plain, st.tuples(plain, plain)), min_size=1, max_size=3).map(distinct)


@st.composite
def spaces(draw: Any) -> nas.Space:
    """A space of at most a few thousand gene combinations."""
    parameters: dict[str, Any] = {}
    known: dict[str, list[Any]] = {}
    combinations = 1
    for i in range(draw(st.integers(1, 5))):
        when = _when(draw, known)
        kind = draw(st.sampled_from(["choice", "integer", "float", "repeat"]))
        name = f"p{i}"
        if kind == "repeat":
            counts = [
                n for n, v in known.items() if all(type(x) is int and 0 <= x <= 2 for x in v) and max(v) > 0
            ]
            count = draw(st.sampled_from(counts)) if counts else draw(st.integers(1, 2))
            most = max(known[count]) if isinstance(count, str) else count
            inner = {"a": nas.Choice(1, 2), "b": nas.Choice("x", "y", when={"a": 2})}
            if draw(st.booleans()):
                inner = {"n": nas.Integer(0, 1), "in": nas.Repeat("n", k=nas.Choice(3, 5))}
            combinations *= 4**most
            parameters[name] = nas.Repeat(count, when=when, **inner)
        elif kind == "choice":
            values = draw(options)
            parameters[name] = nas.Choice(
                *values, when=when, ordered=draw(st.sampled_from([None, True, False]))
            )
            known[name] = values
            combinations *= len(values)
        elif kind == "integer":
            top = draw(st.integers(0, 2))
            parameters[name] = nas.Integer(0, top, when=when)
            known[name] = list(range(top + 1))
            combinations *= top + 1
        else:
            parameters[name] = nas.Float(0.1, 0.9, levels=2, log=draw(st.booleans()), when=when)
            known[name] = [0.1, 0.9]
            combinations *= 2
        if combinations > MOST:
            break
    names = draw(st.permutations(list(parameters)))  # conditions on what is declared later
    space = nas.Space("generated", {name: parameters[name] for name in names})
    if not draw(st.booleans()):
        return space
    fixed = draw(st.lists(st.sampled_from(space.declaration.genes), max_size=2, unique_by=lambda g: g.name))
    return space.fix({gene.name: draw(st.sampled_from(gene.options)) for gene in fixed})


def _when(draw: Any, known: dict[str, list[Any]]) -> dict[str, Any] | None:
    """A condition on an earlier parameter, which may have one itself."""
    if not known or draw(st.booleans()):
        return None
    name = draw(st.sampled_from(list(known)))
    values = draw(st.lists(st.sampled_from(known[name]), min_size=1, max_size=2))
    return {name: values}


@settings(max_examples=60, deadline=None)
@given(spaces())
def test_enumeration_matches_counting_and_brute_force(space: nas.Space) -> None:
    every = list(space.enumerate())
    assert len(every) == len(set(every)) == space.size
    genes = product(*(range(c) for c in space.cardinalities))
    if np.prod([float(c) for c in space.cardinalities]) <= MOST:
        found = [a for g in genes if space.is_valid(a := Architecture("generated", g))]
        assert set(every) == {space.canonical(a) for a in found}


@settings(max_examples=60, deadline=None)
@given(spaces(), st.integers(0, 2**32))
def test_canonical_texts_and_values_are_inverse(space: nas.Space, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(5):
        drawn = space.sample(rng)
        canonical = space.canonical(drawn)
        assert space.canonical(canonical) == canonical
        assert space.format(drawn) == space.format(canonical)
        assert space.parse(space.format(canonical)) == canonical
        assert space.architecture(space.choices(drawn).as_dict()) == canonical


@settings(max_examples=60, deadline=None)
@given(spaces(), st.integers(0, 2**32))
def test_inactive_parameters_have_no_effect(space: nas.Space, seed: int) -> None:
    rng = np.random.default_rng(seed)
    canonical = space.canonical(space.sample(rng))
    active = space.declaration.active(canonical.genes)
    other = tuple(
        g if on else int(rng.integers(c))
        for g, on, c in zip(canonical.genes, active, space.cardinalities, strict=True)
    )
    changed = Architecture("generated", other)
    assert space.canonical(changed) == canonical
    assert dict(space.choices(changed)) == dict(space.choices(canonical))
    for encode in space.encodings.values():
        assert np.array_equal(encode([changed]), encode([canonical]))


@settings(max_examples=40, deadline=None)
@given(spaces(), st.integers(0, 2**32))
def test_mutation_and_neighbours_reach_every_architecture(space: nas.Space, seed: int) -> None:
    assert space.size is not None
    if space.size > 40:
        return
    rng = np.random.default_rng(seed)
    start = space.canonical(space.sample(rng))
    now, mutated = start, {start}
    for _ in range(400 * space.size):
        now = space.canonical(space.mutate(now, rng))
        mutated.add(now)
        if len(mutated) == space.size:
            break
    assert len(mutated) == space.size
    waiting, walked = [start], {start}
    for architecture in waiting:
        for _ in range(60):  # the options of parameters that become active are random
            new = {space.canonical(a) for a in space.neighbours(architecture, rng)} - walked
            walked |= new
            waiting += new
    assert len(walked) == space.size
