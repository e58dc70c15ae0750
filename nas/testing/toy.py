"""A small space and problem to test algorithms on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from nas.core.objectives import Limit
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation, Result, Status, Trial
from nas.core.space import SearchSpace, one_hot


class ToySpace(SearchSpace):
    """A space for tests: the last gene means nothing when the first is 0, and genes that are all equal are invalid."""

    name = "toy"

    def __init__(self, cardinalities: tuple[int, ...] = (3, 4, 5, 4, 3, 4)) -> None:
        self.cardinalities = cardinalities

    def is_valid(self, architecture: Architecture) -> bool:
        return super().is_valid(architecture) and len(set(architecture.genes)) > 1

    def canonical(self, architecture: Architecture) -> Architecture:
        genes = architecture.genes
        if genes[0] != 0 or genes[-1] == 0 or not any(genes[:-1]):
            return architecture
        return Architecture(self.name, (*genes[:-1], 0))

    def encode(self, architectures: Sequence[Architecture]) -> FloatArray:
        return one_hot([self.canonical(a).genes for a in architectures], self.cardinalities)

    def cost(self, architecture: Architecture) -> dict[str, float]:
        genes = self.canonical(architecture).genes
        return {"params": 10.0 + sum(genes), "madds": 5.0 + sum(g * (i % 3) for i, g in enumerate(genes))}


def toy_error(trial: Trial) -> dict[str, float]:
    """An error in percent that falls with the genes, by an amount that depends on their neighbours."""
    genes = trial.architecture.genes
    return {"error": 100.0 / (1.0 + sum(genes) + sum(a * b for a, b in pairwise(genes)))}


def toy_problem(
    n_objectives: int = 3, limits: Sequence[str | Limit] = (), space: SearchSpace | None = None
) -> Problem:
    """Error (expensive), params and madds (cheap) of a `ToySpace`: the first 1 to 3 of them."""
    names = ("error", "params", "madds")[:n_objectives]
    return Problem(space or ToySpace(), names, toy_error, limits)


def answer(problem: Problem, architecture: Architecture, number: int = 0, *, ok: bool = True) -> Observation:
    """The observation of an architecture: exact cheap objectives, synthetic measured ones.

    The synthetic values depend on the genes alone, so a check trains nothing.
    """
    trial = Trial(number, architecture, number)
    if not ok:
        return problem.observe(Result(trial, Status.FAILED, error="failed on purpose"))
    values = problem.cheap_values(architecture)
    noise = np.random.default_rng([len(architecture.genes), *architecture.genes]).random(problem.n_objectives)
    for name, value in zip(problem.names, noise.tolist(), strict=True):
        values.setdefault(name, value)
    return problem.observe(Result(trial, Status.OK, values))
