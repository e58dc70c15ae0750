"""Architectures by the values of their parameters, for spaces with names and without a declaration."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from nas.core.errors import ArchitectureError
from nas.spaces.declaration import Declaration, Gene, Level
from nas.spaces.parameters import Value, same_value

Options = tuple[tuple[str, tuple[Value, ...]], ...]


def genes_by_name(
    options: Options, values: Mapping[str, Any], choices: Callable[[tuple[int, ...]], Mapping[str, Any]]
) -> tuple[int, ...]:
    """The genes with these values, 0 for parameters without one.

    `options` are the name and the options of each gene; `choices` returns the active parameters of a vector of genes. Inactive parameters
    must be absent, None or NaN. Raises `ArchitectureError` for an unknown, missing or inactive parameter, or a value that the
    others exclude, and names it.
    """
    if not isinstance(values, Mapping):
        raise ArchitectureError(f"expected a mapping of parameters to values, got {values!r:.200}")
    declaration = _declaration(options)
    given = {name: value for name, value in values.items() if not _is_nothing(value)}
    for name in given:
        if name not in declaration.places:
            raise ArchitectureError(declaration.unknown(str(name)))
    genes = tuple(gene.index(given[gene.name]) if gene.name in given else 0 for gene in declaration.genes)
    active = choices(genes)
    for gene, g in zip(declaration.genes, genes, strict=True):
        name, value = gene.name, gene.options[g]
        if name in given and name not in active:
            raise ArchitectureError(
                f"parameter {name!r} is inactive with these values; remove it (got {given[name]!r})"
            )
        if name in given and not same_value(active[name], value):
            raise ArchitectureError(
                f"parameter {name!r}: {value!r} does not fit the other values; {active[name]!r} would"
            )
        if name not in given and name in active:
            raise ArchitectureError(f"parameter {name!r} is missing")
    return genes


@lru_cache(maxsize=16)
def _declaration(options: Options) -> Declaration:
    return Declaration([Gene(name, found, True) for name, found in options], Level())


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
