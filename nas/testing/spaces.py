"""The contract of a search space."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from nas.core.errors import ArchitectureError, ConfigError
from nas.core.records import RESERVED, Architecture
from nas.core.space import (
    HasChoices,
    HasEnumeration,
    HasForTask,
    HasNamedArchitectures,
    HasVariation,
    SearchSpace,
    for_task,
    has_blocks,
    has_cost,
)
from nas.core.task_spec import TaskSpec
from nas.spaces.parameters import plain_value
from nas.testing.claims import check_architecture, check_number, check_pickle, ensure


def check_space(space: SearchSpace, seeds: Iterable[int] = range(30), *, same_cost: bool = True) -> None:
    """Check the contract of a space on one sampled architecture per seed.

    Set `same_cost=False` for a space in which equal networks written in another order may differ slightly in cost
    (NASBench-101 splits channels by vertex); the engine uses only the cost of the canonical one.
    """
    ensure(isinstance(space, SearchSpace), f"expected a SearchSpace, got {type(space).__name__}")
    ensure(bool(space.name), f"{type(space).__name__}.name is empty; it is stored with every architecture")
    cardinalities = space.cardinalities
    ensure(
        len(cardinalities) > 0 and all(c >= 1 for c in cardinalities),
        f"{type(space).__name__}.cardinalities must give at least one choice for each gene, got {cardinalities}",
    )
    seeds = list(seeds)
    sampled = [space.sample(np.random.default_rng(seed)) for seed in seeds]
    again = [space.sample(np.random.default_rng(seed)) for seed in seeds]
    ensure(sampled == again, "sample gives different architectures for the same generator state")
    for architecture in sampled:
        check_architecture(space, architecture, "sample")
        _check_text(space, space.canonical(architecture))
    if isinstance(space, HasChoices):
        _check_names(space, [space.canonical(architecture) for architecture in sampled])
    _check_validity(space, sampled[0])
    _check_encoding(space, sampled)
    check_pickle(space, f"space {space.name!r}")
    if isinstance(space, HasVariation):
        _check_variation(space, sampled)
    if has_cost(space):
        _check_cost(space, sampled, same_cost)
    if has_cost(space) and has_blocks(space):
        _check_blocks(space, sampled)
    if isinstance(space, HasEnumeration):
        _check_enumeration(space)
    if isinstance(space, HasForTask):
        _check_task(space, sampled)


def _check_task(space: SearchSpace, sampled: Sequence[Architecture]) -> None:
    """A task changes costs and networks, never the architectures. The user's settings may refuse a task."""
    try:
        followed = for_task(space, TaskSpec(3, 7, (32, 32)))
    except ConfigError as error:
        ensure("must" not in str(error), str(error))
        return
    for architecture in sampled:
        canonical = space.canonical(architecture)
        ensure(
            followed.canonical(architecture) == canonical
            and followed.format(canonical) == space.format(canonical),
            f"for_task changes the architecture {architecture.genes}",
        )
    check_pickle(followed, f"space {space.name!r} for a task")


def _check_text(space: SearchSpace, canonical: Architecture) -> None:
    text = space.format(canonical)
    ensure(
        isinstance(text, str) and text != "" and not any(c in text for c in ' ,"\n\t'),
        f"format({canonical.genes}) is {text!r}; expected a word without spaces, commas, quotes or line ends",
    )
    back = space.canonical(space.parse(text))
    ensure(
        back == canonical,
        f"parse does not invert format: {canonical.genes} is written {text!r}, which is read as {back.genes}",
    )


def _check_names(space: Any, architectures: Sequence[Architecture]) -> None:
    """The parameters can be columns, and the values of an architecture lead back to it."""
    finds = isinstance(space, HasNamedArchitectures)
    names = list(space.parameters)
    ensure(
        all(isinstance(name, str) and name for name in names) and len(set(names)) == len(names),
        f"parameters must be different names, got {names[:20]}",
    )
    taken = sorted(RESERVED.intersection(names))
    ensure(not taken, f"parameters has {taken}, columns of every run's table")
    for architecture in architectures:
        choices = space.choices(architecture)
        unknown = [name for name in choices if name not in names]
        ensure(not unknown, f"choices({architecture.genes}) has {unknown}, which parameters lacks")
        for name, value in choices.items():
            try:
                plain_value(value)
            except ConfigError as error:
                raise AssertionError(f"choices({architecture.genes}): {name}: {error}") from error
        if finds:
            back = space.canonical(space.architecture(dict(choices)))
            ensure(
                back == architecture,
                f"architecture does not invert choices: {architecture.genes} has {dict(choices)}, which gives {back.genes}",
            )


def _check_validity(space: SearchSpace, valid: Architecture) -> None:
    wrong = (valid.genes[:-1], (*valid.genes, 0), (-1, *valid.genes[1:]), space.cardinalities)
    for genes in wrong:
        ensure(
            not space.is_valid(Architecture(space.name, tuple(genes))),
            f"is_valid accepts {tuple(genes)}, which is not {len(space.cardinalities)} genes within the cardinalities",
        )
    try:
        space.parse("no such architecture")
    except ArchitectureError:
        return
    except Exception as error:
        raise AssertionError(
            f"parse must raise ArchitectureError for an invalid text; it raised {error!r}"
        ) from error
    raise AssertionError("parse accepts 'no such architecture'; it must raise ArchitectureError")


def _check_encoding(space: SearchSpace, architectures: Sequence[Architecture]) -> None:
    for name, encode in {"encode": space.encode, **space.encodings}.items():
        features = encode(architectures)
        ensure(
            isinstance(features, np.ndarray) and features.ndim == 2 and len(features) == len(architectures),
            f"encoding {name!r} must return an array of shape ({len(architectures)}, d), got "
            f"{getattr(features, 'shape', type(features).__name__)}",
        )
        ensure(bool(np.isfinite(features).all()), f"encoding {name!r} has values that are not finite")
        alone = np.vstack([encode([a]) for a in architectures])
        ensure(
            alone.shape == features.shape and np.allclose(alone, features),
            f"encoding {name!r} of an architecture depends on the others in the call",
        )


def _check_variation(space: SearchSpace, sampled: Sequence[Architecture]) -> None:
    vary: Any = space
    shifted = [*sampled[1:], sampled[0]]
    for seed, (first, second) in enumerate(zip(sampled, shifted, strict=True)):
        for method, parents in (("mutate", (first,)), ("crossover", (first, second))):
            child = getattr(vary, method)(*parents, np.random.default_rng(seed))
            check_architecture(space, child, method)
            again = getattr(vary, method)(*parents, np.random.default_rng(seed))
            ensure(child == again, f"{method} gives different children for the same generator state")
    rng = np.random.default_rng(0)
    moved = any(space.canonical(vary.mutate(a, rng)) != space.canonical(a) for a in sampled for _ in range(5))
    ensure(moved or space.size == 1, "mutate never changed any of the sampled architectures")


def _check_cost(space: Any, sampled: Sequence[Architecture], same_cost: bool) -> None:
    for architecture in sampled:
        cost = space.cost(architecture)
        missing = {"params", "madds"} - set(cost)
        ensure(not missing, f"cost must have 'params' and 'madds', it lacks {', '.join(sorted(missing))}")
        for name, value in cost.items():
            check_number(value, f"cost({architecture.genes})[{name!r}]")
        canonical = space.canonical(architecture)
        ensure(
            not same_cost or dict(space.cost(canonical)) == dict(cost),
            f"cost differs between {architecture.genes} ({dict(cost)}) and its canonical form {canonical.genes} "
            f"({dict(space.cost(canonical))})",
        )


def _check_blocks(space: Any, sampled: Sequence[Architecture]) -> None:
    for architecture in map(space.canonical, sampled):
        parts, cost = space.blocks(architecture), space.cost(architecture)
        for name in ("params", "madds"):
            total = sum(getattr(part, name) for part in parts)
            ensure(
                total == cost[name],
                f"the blocks of {architecture.genes} have {total:,} {name} in total; expected {cost[name]:,}, from cost",
            )


def _check_enumeration(space: Any, most: int = 1000) -> None:
    first = list(islice(space.enumerate(), most))
    ensure(len(set(first)) == len(first), "enumerate yields an architecture twice")
    for architecture in first:
        ensure(
            space.is_valid(architecture) and space.canonical(architecture) == architecture,
            f"enumerate yields {architecture.genes}, which is not valid and canonical",
        )
    if space.size is not None and len(first) < most:
        ensure(len(first) == space.size, f"enumerate yields {len(first)} architectures, size is {space.size}")
