"""The parameters of a run as Optuna's distributions, with the values of its architectures."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nas.core.errors import ArchitectureError
from nas.runs.parameters import plain_cell
from nas.spaces.declaration import Gene
from nas.spaces.parameters import Value, value_text
from nas.spaces.space import Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_PLAIN = (bool, int, float, str, type(None))  # choices that Optuna stores
_TOLERANCE = 1e-6  # of levels, relative


@dataclass(frozen=True)
class OptunaParameter:
    """A distribution, and the function of a cell of the run's table that gives the value in it."""

    distribution: BaseDistribution
    value: Callable[[Any], Any]


def optuna_parameters(
    declared: Space | None, names: Sequence[str], tables: Sequence[pd.DataFrame]
) -> dict[str, OptunaParameter]:
    """The parameters by name, in the order of the space.

    Of a declared space with all options. Another space does not record its options: a parameter is then categorical over the values
    in the columns of `tables`.
    """
    genes = {} if declared is None else {gene.name: gene for gene in declared.declaration.genes}
    return {
        name: _declared(genes[name])
        if name in genes
        else _observed([cell for table in tables if name in table for cell in table[name]])
        for name in names
    }


def values_of_row(
    parameters: Mapping[str, OptunaParameter], row: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    """The values and distributions of the parameters that are active in this row."""
    active = {name: row[name] for name in parameters if not _absent(row.get(name))}
    found = {name: parameters[name].value(cell) for name, cell in active.items()}
    return found, {name: parameters[name].distribution for name in found}


def distribution_of(options: Sequence[Value], ordered: bool) -> BaseDistribution:
    """An integer or float distribution with exactly these options where they allow it, else a categorical one.

    Levels with equal ratios, which Optuna cannot state, become a logarithmic range.
    """
    kinds = {type(option) for option in options}
    if ordered and len(options) > 1 and kinds <= {int, float}:
        found = _integers(options) if kinds == {int} else _floats([float(option) for option in options])
        if found is not None:
            return found
    return _distributions().CategoricalDistribution([_choice(option) for option in options])


def _declared(gene: Gene) -> OptunaParameter:
    distribution = distribution_of(gene.options, gene.ordered)
    convert = _choice if hasattr(distribution, "choices") else _number_of(distribution)

    def value(cell: Any) -> Any:
        try:
            return convert(gene.options[gene.index(cell)])
        except ArchitectureError:  # a column of that name which the space does not explain
            return convert(cell)

    return OptunaParameter(distribution, value)


def _observed(cells: Sequence[Any]) -> OptunaParameter:
    found = {(type(cell).__name__, cell): cell for cell in map(plain_cell, cells) if not _absent(cell)}
    choices = [found[key] for key in sorted(found, key=lambda key: (key[0], key[1]))]
    return OptunaParameter(_distributions().CategoricalDistribution(choices or [None]), plain_cell)


def _integers(options: Sequence[int]) -> BaseDistribution | None:
    steps = {after - before for before, after in pairwise(options)}
    if len(steps) > 1 or min(steps) < 1:
        return None
    return _distributions().IntDistribution(options[0], options[-1], step=steps.pop())


def _floats(options: Sequence[float]) -> BaseDistribution | None:
    low, high, make = options[0], options[-1], _distributions().FloatDistribution
    differences, spread = np.diff(options), high - low
    if (differences <= 0).any():
        return None
    if np.ptp(differences) <= _TOLERANCE * spread:
        step = float(f"{spread / (len(options) - 1):.10g}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an upper end that is not a multiple of the step
            stepped = make(low, high, step=step)
        fits = stepped.high == high and all(stepped._contains(option) for option in options)
        return stepped if fits else make(low, high)
    if low > 0 and np.ptp(np.diff(np.log(options))) <= _TOLERANCE * np.log(high / low):
        return make(low, high, log=True)
    return None


def _number_of(distribution: BaseDistribution) -> Callable[[Any], Any]:
    return int if type(distribution).__name__ == "IntDistribution" else float


def _choice(value: Value) -> Any:
    """A value that Optuna stores: the text of a tuple."""
    return value if isinstance(value, _PLAIN) else value_text(value)


def _absent(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell)


def _distributions() -> Any:
    return import_module("optuna.distributions")
