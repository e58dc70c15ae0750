"""Calls of the algorithm: what it raises, and proposals outside the space, are reported with its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nas.core.algorithm import Algorithm
from nas.core.errors import AlgorithmError, ArchitectureError, NasError
from nas.core.records import Architecture, Observation
from nas.core.space import SearchSpace, with_whole_genes
from nas.core.tracebacks import summarize_exception


class NamedCalls:
    """Ask and tell an algorithm, which `name` identifies in errors; `saved` returns a sentence about results on disk."""

    def __init__(self, algorithm: Algorithm, name: str, space: SearchSpace, saved: Callable[[], str]) -> None:
        self._algorithm = algorithm
        self._name = name
        self._space = space
        self._saved = saved

    def ask(self) -> Architecture | None:
        """The next proposal; None if there is none. Raises `AlgorithmError` for one that is not in the space."""
        found = self._call("ask", 1)
        if not found:
            return None
        asked = found[0]
        if not isinstance(asked, Architecture):
            raise self._error(f" asked for {asked!r:.200}: expected a nas.Architecture")
        if wrong := fault(asked, self._space):
            raise self._error(f" asked for the genes {asked.genes!r:.200}: {wrong}")
        return asked

    def tell(self, observations: Sequence[Observation]) -> None:
        """Pass results on. Raises `AlgorithmError` if the algorithm fails."""
        self._call("tell", observations)

    def _call(self, method: str, given: Any) -> Any:
        try:
            return getattr(self._algorithm, method)(given)
        except ArchitectureError as error:  # of the genes that it made
            raise self._error(f": {method} failed: {error}") from error
        except NasError:
            raise
        except Exception as error:
            raise self._error(f": {method} failed: {summarize_exception(error)}") from error

    def _error(self, text: str) -> AlgorithmError:
        return AlgorithmError(f"algorithm {self._name}{text}{self._saved()}")


def fault(architecture: Architecture, space: SearchSpace) -> str:
    """Why an architecture is not in the space; "" if it is."""
    try:
        genes, cardinalities = with_whole_genes(architecture).genes, space.cardinalities
    except ArchitectureError as error:
        return str(error)
    except TypeError:
        return "expected a tuple of whole numbers"
    if len(genes) != len(cardinalities):
        return f"expected {len(cardinalities)} genes for space {space.name!r}, got {len(genes)}"
    for i, (gene, choices) in enumerate(zip(genes, cardinalities, strict=True)):
        if not 0 <= gene < choices:
            return f"gene {i} is {gene}, expected 0 to {choices - 1} in space {space.name!r}"
    if not space.is_valid(architecture):
        return f"space {space.name!r} excludes this combination (is_valid returns False)"
    return ""
