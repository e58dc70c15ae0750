"""Errors of an algorithm: its name, the wrong gene, the saved results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nas
from nas.core.errors import AlgorithmError, ArchitectureError
from nas.testing.toy import ToySpace, toy_error


class Faulty(nas.Algorithm):
    """Proposes valid architectures, then one that is not; it has no `Settings`."""

    last: Any = None

    def __init__(self, problem: nas.Problem, rng: np.random.Generator, settings: Any = None) -> None:
        self._space = problem.space
        self._asked = 0

    def ask(self, n: int) -> list[nas.Architecture]:
        self._asked += 1
        if self._asked <= 3:
            return [nas.Architecture(self._space.name, (1, self._asked, 0, 0, 0, 0))]
        return self.then()

    def then(self) -> Any:
        return [nas.Architecture(self._space.name, self.last)]

    def tell(self, observations: Any) -> None:
        pass


class Raises(Faulty):
    def then(self) -> Any:
        raise ZeroDivisionError("on purpose")


class AsksTheSpace(Faulty):
    def then(self) -> Any:
        raise ArchitectureError("genes (9,): expected 6 from 0 to 4")


class Text(Faulty):
    def then(self) -> Any:
        return ["1-2-0-0-0-0"]


class RaisesInTell(Faulty):
    def then(self) -> Any:
        return []

    def tell(self, observations: Any) -> None:
        raise KeyError("lost")


def faulty(genes: tuple[Any, ...]) -> type[Faulty]:
    return type("Invalid", (Faulty,), {"last": genes})


@pytest.mark.parametrize(
    ("algorithm", "message"),
    [
        (faulty((9, 0, 0, 0, 0, 1)), r"algorithm Invalid asked for the genes \(9, .*\): gene 0 is 9, expected 0 to 2 in space 'toy'"),
        (faulty((1, -1, 0, 0, 0, 1)), "gene 1 is -1, expected 0 to 3"),
        (faulty((1, 2)), "expected 6 genes for space 'toy', got 2"),
        (faulty((1, 1, 1, 1, 1, 1)), "space 'toy' excludes this combination"),
        (Faulty, "algorithm Faulty asked for the genes None: expected a tuple of whole numbers"),
        (faulty((1, 0.5, 0, 0, 0, 0)), "algorithm Invalid asked for .* expected whole numbers"),
        (Text, "algorithm Text asked for '1-2-0-0-0-0': expected a nas.Architecture"),
        (Raises, r"algorithm Raises: ask failed: ZeroDivisionError: on purpose \(.*test_asking.py"),
        (AsksTheSpace, r"algorithm AsksTheSpace: ask failed: genes \(9,\)"),
        (RaisesInTell, "algorithm RaisesInTell: tell failed: KeyError"),
    ],
)  # fmt: skip
def test_the_error_names_the_algorithm_and_the_cause(algorithm: type[Faulty], message: str) -> None:
    with pytest.raises(AlgorithmError, match=message):
        nas.search(ToySpace(), ["error"], toy_error, algorithm=algorithm, budget=8, seed=0)


def test_the_results_so_far_are_saved_and_the_fixed_algorithm_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {"algorithm": Raises, "budget": 8, "seed": 0, "loop": {"concurrency": 1}, "out": tmp_path / "run"}
    with pytest.raises(
        AlgorithmError, match=r"The 3 results so far are saved in .*run: fix the cause, then resume"
    ):
        nas.search(ToySpace(), ["error"], toy_error, **kept)  # type: ignore[arg-type]
    monkeypatch.setattr(Raises, "then", lambda self: [])
    found = nas.search(ToySpace(), ["error"], toy_error, **kept, resume=True)  # type: ignore[arg-type]
    assert found.summary["evaluations"] == 3
