"""Differences between algorithms that the page states."""

from __future__ import annotations

from pathlib import Path

import pytest
from compare_parts import Compare, make_runs, one_objective, two_objectives, write_tiny_figures

from nas.compare.conditions import conditions
from nas.compare.report import write_report

EVOLUTION = {"name": "regularized-evolution", "label": "RE", "population": 4, "sample": 2}


def test_an_algorithm_for_one_objective_is_stated_with_its_objective(
    comparison: Compare, tmp_path: Path
) -> None:
    two, one = two_objectives(name="cells"), one_objective()
    found = comparison(tmp_path, problems=[two, one], algorithms=[EVOLUTION, "moead"])
    (said,) = conditions(found)
    assert said.startswith("cells: RE optimises error alone and records the other objectives")
    assert "scalarized-evolution" in said
    other = {**EVOLUTION, "objective": "params"}
    assert (
        "RE optimises params alone"
        in conditions(comparison(tmp_path, problems=[two], algorithms=[other, "moead"]))[0]
    )


def test_exact_costs_are_stated_where_only_some_know_them(comparison: Compare, tmp_path: Path) -> None:
    def of(algorithms: list[str], **changes: object) -> list[str]:
        return conditions(comparison(tmp_path, problems=[two_objectives(**changes)], algorithms=algorithms))

    (said,) = of(["sa-moead", "moead", "random"])
    assert "sa-moead computes the exact params of candidates" in said
    assert "moead and random see those of evaluated architectures (share_costs: true" in said
    assert of(["sa-moead", "moead"], share_costs=True) == []
    assert of(["nsga2", "moead"]) == []


def test_the_page_and_the_tables_state_the_conditions(
    comparison: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.compare.report.write_figures", write_tiny_figures)
    found = comparison(
        tmp_path, problems=[two_objectives(name="cells")], algorithms=[EVOLUTION, "random"], seeds=1
    )
    make_runs(found)
    write_report(found, lambda text: None)
    for name in ("index.html", "results/tables.md"):
        assert "cells: RE optimises error alone" in (tmp_path / name).read_text(encoding="utf-8"), name
