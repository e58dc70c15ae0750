"""The order of MUXNet's choices and the conditions of its genes, for an encoding that uses them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.core.records import FloatArray
from nas.spaces.declaration import Condition, Declaration, Gene, Level
from nas.spaces.encoding import Encoding
from search_spaces.muxnet.genes import LEADING, PER_STAGE, STAGE_GENES, choice_names, choice_values
from search_spaces.muxnet.presets import SpaceOptions

_CATEGORIES = ("ir_kernels", "scales")  # mixtures; all other choices are numbers


class OrderedChoices:
    """Encodes settled full vectors of choices (`search_spaces.muxnet.genes`) by order, category and absence.

    Numbers are ordered by size, whatever their place among the choices. Genes of a stage left out are absent, those of
    sp blocks where there are none, and the group factor beside scales.
    """

    def __init__(self, options: SpaceOptions) -> None:
        names, values = choice_names(options), choice_values(options)
        ordered = [name.rpartition(".")[2] not in _CATEGORIES for name in names]
        orders = [
            sorted(range(len(choices)), key=choices.__getitem__) if rises else list(range(len(choices)))
            for rises, choices in zip(ordered, values, strict=True)
        ]
        self._ranks = [np.argsort(order) for order in orders]
        genes = [
            Gene(name, tuple(choices[i] for i in order), rises, tuple(map(self._ranked, conditions)))
            for name, choices, order, rises, conditions in zip(
                names, values, orders, ordered, _conditions(options), strict=True
            )
        ]
        self.declaration = Declaration(genes, Level())
        self._encoding = Encoding(self.declaration)

    def _ranked(self, condition: Condition) -> Condition:
        """A condition on ranks, from one on places among the choices."""
        place, allowed = condition
        return place, frozenset(self._ranks[place][list(allowed)].tolist())

    @property
    def first_numeric(self) -> int:
        """The first column of `mixed` that is a number."""
        return self._encoding.first_numeric

    def mixed(self, vectors: Sequence[Sequence[int]]) -> FloatArray:
        """Categories as numbers, then ordered choices on [0, 1], shape (n, d)."""
        return self._encoding.mixed([self.ranks(full) for full in vectors])

    def ranks(self, full: Sequence[int]) -> tuple[int, ...]:
        """The genes of the declaration: of each choice its place by size."""
        return tuple([int(ranks[choice]) for ranks, choice in zip(self._ranks, full, strict=True)])


def _conditions(options: SpaceOptions) -> list[tuple[Condition, ...]]:
    """For every entry of the full vector: the entries, and their choices, with which it is active."""
    found: list[tuple[Condition, ...]] = [()] * LEADING
    for number, stage in enumerate(options.stages):
        place = {name: LEADING + number * PER_STAGE + i for i, name in enumerate(STAGE_GENES)}
        present = _nonzero(place["width"], stage.widths)
        deep = (*present, *_nonzero(place["depth"], stage.depths))
        unscaled = (place["scales"], frozenset([0]))
        found += [(), present, present, present, deep, deep, deep, deep, (*deep, unscaled)]
    return [*found, ()]


def _nonzero(place: int, choices: Sequence[int]) -> tuple[Condition, ...]:
    allowed = frozenset(i for i, choice in enumerate(choices) if choice)
    return () if len(allowed) == len(choices) else ((place, allowed),)
