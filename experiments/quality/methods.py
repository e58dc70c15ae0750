"""Everything that is compared: our algorithms, straight from the registry, and the outside searches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module

import peers
import pymoo_runs
from lookup_tables import OBJECTIVES, TABLES, LookupTable

import nas
from nas.algorithms import ALGORITHMS
from nas.core.errors import ConfigError
from nas.core.records import FloatArray
from nas.engine.loop import LoopSettings

Run = Callable[[LookupTable, int, int], FloatArray]  # of a table, a seed and a budget


@dataclass(frozen=True)
class Method:
    """A search, how many unique architectures it is given, and the tables that it runs on unless named."""

    run: Run
    budget: int = 1000
    tables: tuple[str, ...] = tuple(TABLES)


def ours(name: str, concurrency: int, table: LookupTable, seed: int, budget: int) -> FloatArray:
    """Objectives in the order of evaluation, shape (n, 3); default settings, so many trials under way."""
    loop = LoopSettings(evaluations=budget, seed=seed, concurrency=concurrency)
    found = nas.search(table.space, table.objectives(), algorithm=name, loop=loop)
    return found.history[list(OBJECTIVES)].to_numpy(dtype="float64")


def outside(module: str, name: str, repeats: bool, table: LookupTable, seed: int, budget: int) -> FloatArray:
    """An outside search that is imported when it is first used; `repeats`: whether it is told what it knows."""
    try:
        make = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error}; experiments/quality/README.md says how to install the peers") from error
    return peers.run(make, table, seed, budget, tell_repeats=repeats)


MAIN = ("nasbench201-cifar10", "nasbench101_5v")  # the only tables of what takes long
BUDGETS = {"sa-moead": 300}  # what it learns from costs it time, and all that it is for lies within these
AT_ONCE = 8  # `NAME@8`: as in `nas search`, eight trials under way

METHODS: dict[str, Method] = {
    **{name: Method(partial(ours, name, 1), BUDGETS.get(name, 1000)) for name in ALGORITHMS},
    **{
        f"{name}@{AT_ONCE}": Method(partial(ours, name, AT_ONCE), BUDGETS.get(name, 1000), MAIN)
        for name in ("sa-moead", "moead")
    },
    **{
        name: Method(partial(pymoo_runs.run, name), tables=MAIN if "moead" in name else tuple(TABLES))
        for name in pymoo_runs.ALGORITHMS
    },
    "optuna-nsga2": Method(partial(outside, "optuna_runs", "nsga2", True), 600),
    "optuna-tpe": Method(partial(outside, "optuna_runs", "tpe", True), 300),
    "optuna-tpe-categorical": Method(partial(outside, "optuna_runs", "tpe_categorical", True), 300),
    "optuna-gp": Method(partial(outside, "optuna_runs", "gp", True), 100, MAIN[:1]),
    "syne-tune-evolution": Method(partial(outside, "syne_tune_runs", "SyneTunePeer", True), 400),
}
