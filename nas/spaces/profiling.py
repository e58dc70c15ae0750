"""Random architectures of a space in numbers: distribution of costs, share within limits, its parameters as a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.core.objectives import Limit
from nas.core.records import Architecture, FloatArray
from nas.core.space import HasEnumeration, SearchSpace
from nas.spaces.declaration import Gene
from nas.spaces.parameters import options_text, value_text
from nas.spaces.space import Space

QUARTILES = ("min", "25%", "median", "75%", "max")
_Z95 = 1.959963984540054  # half the width of a central 95% interval, in standard deviations
_SHOWN = 6  # values of a condition


@dataclass(frozen=True)
class ParameterRow:
    """A parameter of a declared space as text: its kind, its options, and the condition under which it is active."""

    name: str
    kind: str
    options: str
    condition: str


def parameter_rows(space: SearchSpace) -> list[ParameterRow]:
    """The parameters of a declared space; empty for other spaces."""
    if not isinstance(space, Space):
        return []
    genes = space.declaration.genes
    return [ParameterRow(g.name, _kind(g), _options(g), _condition(g, genes)) for g in genes]


def _kind(gene: Gene) -> str:
    if len(gene.allowed) == 1:
        return "fixed"
    return "ordered" if gene.ordered else "category"


def _options(gene: Gene) -> str:
    options = [gene.options[v] for v in gene.allowed]
    if gene.ordered and len(options) > _SHOWN:
        return f"{value_text(options[0])}, {value_text(options[1])}, ..., {value_text(options[-1])} ({len(options):,})"
    return options_text(options)


def _condition(gene: Gene, genes: Sequence[Gene]) -> str:
    parts = []
    for j, allowed in gene.conditions:
        other = genes[j]
        if allowed.issuperset(other.allowed) and set(other.conditions) <= set(gene.conditions):
            continue  # always true with the other conditions, such as of the first item of a repeat
        texts = [value_text(other.options[v]) for v in other.allowed if v in allowed]
        rest = f" or {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
        parts.append(f"{other.name} = {' or '.join(texts[:_SHOWN]) or 'never'}{rest}")
    return ", ".join(parts)


@dataclass(frozen=True)
class Drawn:
    """Architectures, and their costs by name, each (n,). `whole`: they are the whole space, each once."""

    architectures: tuple[Architecture, ...]
    costs: Mapping[str, FloatArray]
    whole: bool

    def quartiles(self, name: str) -> dict[str, float]:
        """Least, lower quartile, median, upper quartile and largest value of a cost."""
        found = np.quantile(self.costs[name], (0.0, 0.25, 0.5, 0.75, 1.0), method="nearest")
        return dict(zip(QUARTILES, found.tolist(), strict=True))

    def at_quartiles(self, name: str) -> list[Architecture]:
        """The architectures at the quartiles of a cost, the least first."""
        order = np.argsort(self.costs[name], kind="stable")
        places = np.rint(np.linspace(0, len(order) - 1, len(QUARTILES))).astype(int)
        return [self.architectures[order[place]] for place in places]

    def within(self, limits: Sequence[Limit]) -> Share:
        """The share of the architectures that meet all limits on their costs."""
        fits = np.ones(len(self.architectures), dtype=bool)
        for limit in limits:
            fits &= np.array([limit.excess(float(v)) == 0.0 for v in self.costs[limit.objective]])
        return Share(int(fits.sum()), len(fits), self.whole)


@dataclass(frozen=True)
class Share:
    """`count` of `total` architectures. `whole`: they are all, so the share is exact."""

    count: int
    total: int
    whole: bool

    @property
    def share(self) -> float:
        return self.count / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the share in the space, drawn at random (Wilson, JASA 22, 1927); the share if exact."""
        if self.whole:
            return self.share, self.share
        n, z2 = self.total, _Z95**2
        centre = (self.share + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z95 / (1 + z2 / n) * math.sqrt(self.share * (1 - self.share) / n + z2 / (4 * n * n))
        return max(0.0, centre - half), min(1.0, centre + half)


def draw(
    space: SearchSpace, costs: Callable[[Architecture], Mapping[str, Any]], count: int, seed: int
) -> Drawn:
    """Draw `count` architectures with their `costs`; all of them, in a space that has no more.

    Drawn independently, as `sample` does, so an architecture may come twice. Raises what `costs` raises.
    """
    size = space.size
    whole = isinstance(space, HasEnumeration) and size is not None and size <= count
    if whole:
        architectures = list(space.enumerate())  # type: ignore[attr-defined]
    else:
        rng = np.random.default_rng(seed)
        architectures = [space.canonical(space.sample(rng)) for _ in range(count)]
    known = {a: dict(costs(a)) for a in dict.fromkeys(architectures)}
    rows = [known[a] for a in architectures]
    names = [name for name in rows[0] if all(name in row for row in rows)] if rows else []
    table = {name: np.array([float(row[name]) for row in rows]) for name in names}
    return Drawn(tuple(architectures), table, whole)
