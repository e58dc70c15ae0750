"""The networks that decide the shapes of shared tensors: the largest, the smallest, and one for every option."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nas.core.records import Architecture
from nas.core.space import SearchSpace, allowed_genes

Size = Callable[[Architecture], tuple[float, ...]]  # of a network, compared entry by entry

_PASSES = 3  # over all genes, for the largest and the smallest network
_OPTIONS = 24  # of a gene that are tried; a gene with more is sampled evenly, both ends included


@dataclass(frozen=True)
class Extremes:
    """The largest and the smallest network that were found."""

    largest: Architecture
    smallest: Architecture


def sampler(space: SearchSpace) -> Callable[[np.random.Generator], Architecture]:
    """Draw canonical architectures: by the space's `sample`, and every other one uniformly where the space offers that.

    A uniform draw is offered by a method `uniform_sampler()`, as in NASBench-101, where `sample` hardly draws large cells.
    """
    uniform = getattr(space, "uniform_sampler", None)
    draws = [space.sample] if uniform is None else [space.sample, uniform()]

    def draw(rng: np.random.Generator) -> Architecture:
        return space.canonical(draws[int(rng.integers(len(draws)))](rng))

    return draw


def find_extremes(
    space: SearchSpace,
    drawn: Sequence[Architecture],
    size: Size,
    holds: Callable[[Architecture], bool] = lambda _: True,
) -> Extremes:
    """Start from the largest and the smallest of some random networks, and change one gene at a time, as far as `holds` does."""
    sizes = [size(a) for a in drawn]
    order = sorted(range(len(drawn)), key=sizes.__getitem__)
    largest = _climb(space, drawn[order[-1]], size, holds)
    smallest = _climb(space, drawn[order[0]], lambda a: tuple(-s for s in size(a)), holds)
    return Extremes(largest, smallest)


def _climb(
    space: SearchSpace, start: Architecture, value: Size, holds: Callable[[Architecture], bool]
) -> Architecture:
    best, reached = start, value(start)
    for _ in range(_PASSES):
        before = reached
        for gene, options in enumerate(allowed_genes(space)):
            for option in _spread(options):
                changed = with_gene(space, best, gene, option)
                if changed is not None and (found := value(changed)) > reached and holds(changed):
                    best, reached = changed, found
        if reached == before:
            break
    return best


def variants(space: SearchSpace, base: Architecture) -> Iterator[Architecture]:
    """All valid changes of one gene, canonical."""
    for gene, options in enumerate(allowed_genes(space)):
        for option in _spread(options):
            changed = with_gene(space, base, gene, option)
            if changed is not None and changed != base:
                yield changed


def enlarged(
    space: SearchSpace, base: Architecture, largest: Architecture, keeps: Callable[[Architecture], bool]
) -> Architecture:
    """`base` with the genes of `largest`, one after another, as far as `keeps` holds."""
    for gene, option in enumerate(largest.genes):
        changed = with_gene(space, base, gene, option)
        if changed is not None and changed != base and keeps(changed):
            base = changed
    return base


def with_gene(space: SearchSpace, base: Architecture, gene: int, option: int) -> Architecture | None:
    """The canonical architecture with another value of one gene; None if it is not valid."""
    if base.genes[gene] == option:
        return None
    changed = Architecture(base.space, (*base.genes[:gene], option, *base.genes[gene + 1 :]))
    return space.canonical(changed) if space.is_valid(changed) else None


def _spread(options: range) -> list[int]:
    if len(options) <= _OPTIONS:
        return list(options)
    places = np.linspace(0, len(options) - 1, _OPTIONS).round().astype(int)
    return [options[i] for i in dict.fromkeys(places.tolist())]
