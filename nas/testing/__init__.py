"""Contract checks for your own spaces, algorithms, objectives, evaluators and surrogates.

Each returns when the component keeps its contract and raises `AssertionError` naming the violation otherwise.
They need no test framework: call them from a test, a notebook or the interpreter.
"""

from __future__ import annotations

from nas.testing.algorithms import check_algorithm
from nas.testing.measures import check_evaluator, check_objective
from nas.testing.networks import NetworkFailed, check_networks
from nas.testing.spaces import check_space
from nas.testing.surrogates import check_surrogate
from nas.testing.toy import ToySpace, answer, toy_error, toy_problem

__all__ = [
    "NetworkFailed", "ToySpace", "answer", "check_algorithm", "check_evaluator", "check_networks", "check_objective",
    "check_space", "check_surrogate", "toy_error", "toy_problem",
]  # fmt: skip
