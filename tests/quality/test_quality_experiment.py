"""The comparison scripts of experiments/quality: what they count, keep and test."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nas
from nas.core.problem import Problem
from nas.core.records import Architecture, Observation
from search_spaces.nasbench201 import NASBench201

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments" / "quality"))

import curves
import peers
import report
from bananas import Bananas
from lookup_tables import LookupTable


class Pairs(nas.SearchSpace):
    """Two genes in any order; equal genes are invalid."""

    name = "pairs"
    cardinalities = (4, 4)

    def is_valid(self, architecture: Architecture) -> bool:
        return super().is_valid(architecture) and len(set(architecture.genes)) == 2

    def canonical(self, architecture: Architecture) -> Architecture:
        return Architecture(self.name, tuple(sorted(architecture.genes)))


class Scripted:
    """Proposes what it was given, then the last for ever, and remembers what it heard."""

    def __init__(self, *genes: tuple[int, int]) -> None:
        self._genes = list(genes)
        self.heard: list[tuple[float, ...] | None] = []

    def ask(self) -> tuple[int, ...]:
        return self._genes.pop(0) if len(self._genes) > 1 else self._genes[0]

    def tell(self, objectives: tuple[float, ...]) -> None:
        self.heard.append(objectives)

    def skip(self) -> None:
        self.heard.append(None)


@pytest.fixture
def table() -> LookupTable:
    pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    values = {Architecture("pairs", p): (9.0 - p[0] - p[1], 1.0 + p[0], 5.0 + p[1]) for p in pairs}
    return LookupTable.make("pairs", Pairs(), values)


def test_only_unique_valid_architectures_count_as_evaluations(table: LookupTable) -> None:
    peer = Scripted((1, 1), (0, 1), (1, 0), (2, 3))
    points = peers.run(lambda *_: peer, table, 0, 2, tell_repeats=True)
    assert points.tolist() == [[8.0, 1.0, 6.0], [4.0, 3.0, 8.0]]


def test_a_peer_is_told_of_repeats_only_where_that_is_wanted(table: LookupTable) -> None:
    for wanted in (True, False):
        peer = Scripted((1, 1), (0, 1), (1, 0), (2, 3))
        peers.run(lambda *_, peer=peer: peer, table, 0, 2, tell_repeats=wanted)
        assert [heard is None for heard in peer.heard] == [True, False, not wanted, False]


def test_a_peer_that_repeats_itself_comes_to_an_end(table: LookupTable) -> None:
    points = peers.run(lambda *_: Scripted((0, 1)), table, 0, 5, tell_repeats=True)
    assert len(points) == 1


def test_the_whole_table_has_all_of_the_true_hypervolume(table: LookupTable) -> None:
    quality = table.quality(np.array(list(table.values.values())))
    assert quality[-1] == pytest.approx(1.0)
    assert (np.diff(quality) >= 0).all()
    assert quality[0] < 1.0


def test_a_stuck_run_keeps_its_quality_up_to_its_budget_and_has_none_beyond() -> None:
    row = curves.row(np.array([0.5, 0.93, 0.96]), budget=50)
    assert (row["at_25"], row["at_50"]) == (0.96, 0.96)
    assert np.isnan(row["at_75"])
    assert (row["to_90"], row["to_95"]) == (2, 3)
    assert np.isnan(row["to_98"])


def test_running_a_method_again_replaces_its_rows_and_no_others(tmp_path: Path) -> None:
    def rows(method: str, quality: float) -> pd.DataFrame:
        kept = curves.row(np.full(50, quality), 50)
        return pd.DataFrame([{"table": "t", "method": method, "seed": s, **kept} for s in range(2)])

    file = tmp_path / "curves.csv"
    curves.merge(file, rows("b", 0.1), ["a", "b"])
    curves.merge(file, rows("a", 0.2), ["a", "b"])
    frame = curves.merge(file, rows("b", 0.3).iloc[:1], ["a", "b"])
    assert frame["method"].tolist() == ["a", "a", "b", "b"]
    assert frame["at_25"].tolist() == [0.2, 0.2, 0.3, 0.1]


def test_a_target_that_most_runs_miss_takes_for_ever() -> None:
    runs = [curves.row(np.full(100, 0.96 if i == 0 else 0.5), 100) for i in range(3)]
    frame = pd.DataFrame([{"table": "t", "method": "moead", "seed": i, **r} for i, r in enumerate(runs)])
    needed = report.effort(frame).set_index("percent")
    assert needed.loc[95, "reached"] == 1
    assert np.isinf(needed.loc[95, "median"])


@pytest.mark.slow
def test_bananas_asks_for_new_valid_cells_and_beats_random_search_on_an_easy_error() -> None:
    def error(architecture: Architecture) -> float:
        return float(sum(gene != 3 for gene in architecture.genes)) + 0.1 * architecture.genes[0]

    def best(algorithm: object) -> float:
        found = nas.search(
            NASBench201(), [nas.Objective("error", function=error)], algorithm=algorithm, budget=60
        )
        assert found.history["architecture"].is_unique
        return float(found.history["error"].min())

    assert best(Bananas) < best("random")


def test_bananas_asks_the_same_for_the_same_seed() -> None:
    def asked() -> list[Architecture]:
        problem = Problem(NASBench201(), [nas.Objective("error", function=lambda a: float(sum(a.genes)))])
        algorithm = Bananas(problem, np.random.default_rng(3))
        for _ in range(3):
            cells = algorithm.ask(10)
            algorithm.tell([Observation(a, np.array([float(sum(a.genes))]), 0.0, True) for a in cells])
        return cells

    assert asked() == asked()
