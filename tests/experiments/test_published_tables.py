"""Published tables beside counts: what the READMEs show is what the scripts print, and the counts are those of the networks."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from experiments import readme_tables
from experiments.segmentation import counts

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
TABLES = ["segmentation", "detection"]


@pytest.mark.parametrize("name", TABLES)
def test_the_readme_has_the_table_that_the_script_prints(name: str) -> None:
    script = importlib.import_module(f"experiments.{name}.table")
    text = script.README.read_text(encoding="utf-8")
    assert readme_tables.with_block(text, script.BLOCK, script.table()) == text, "run: table.py --write"


@pytest.mark.parametrize("name", [*TABLES, "imagenet"])
def test_every_published_row_has_its_source_and_its_muxnet(name: str) -> None:
    rows = readme_tables.rows(EXPERIMENTS / name / "published.csv")
    names = {row.get("model") or row["network"] for row in rows}
    assert {row["source"] for row in rows} == {readme_tables.SOURCE}
    assert {row["compared_with"] for row in rows} <= {one for one in names if one.startswith("MUXNet")}


@pytest.mark.parametrize("name", TABLES)
def test_the_counts_repeat_the_published_figures_of_the_same_row(name: str) -> None:
    published = readme_tables.rows(EXPERIMENTS / name / "published.csv")
    counted = {row["network"]: row for row in readme_tables.rows(EXPERIMENTS / name / "counts.csv")}
    assert list(counted) == [row["network"] for row in published]
    for row in published:
        found = counted[row["network"]]
        assert float(found["params_published_m"]) == float(row["params_m"])
        assert float(found["madds_published_b"]) == float(row["madds_b"])


@pytest.mark.parametrize("convention", [counts.CONVENTIONS[0], counts.STATED], ids=lambda c: c.name)
def test_counted_segmentation_networks_are_those_of_the_committed_file(convention: counts.Convention) -> None:
    rows = readme_tables.rows(EXPERIMENTS / "segmentation" / "counts_by_convention.csv")
    key = ("MUXNet-m + C1", convention.name)
    row = next(row for row in rows if (row["network"], row["convention"]) == key)
    assert counts.counted("MUXNet-m", "C1", convention) == (int(row["params"]), int(row["madds"]))


def test_a_ratio_is_marked_where_it_differs_from_the_published_one() -> None:
    assert readme_tables.two_ratios(1.588, 1.63) == ("1.6x", "1.63x")
    assert readme_tables.two_ratios(1.588, 1.41) == ("1.6x", "1.41x *")
    assert readme_tables.two_ratios(None, 0.95) == ("", "0.95x")
    assert readme_tables.two_ratios(1.4, None) == ("1.4x", "")


def test_the_text_around_a_table_stays_and_a_missing_place_is_an_error() -> None:
    text = "a\n<!-- t: begin -->\nold\n<!-- t: end -->\nb\n"
    assert readme_tables.with_block(text, "t", "new") == text.replace("old", "new")
    with pytest.raises(ValueError, match="u: begin"):
        readme_tables.with_block(text, "u", "new")


def test_an_empty_cell_is_a_dash() -> None:
    assert readme_tables.markdown(("a", "b", "c"), [("x", "", "y")]).splitlines()[2] == "| x | - | y |"


def test_the_table_of_the_detectors_states_that_nothing_was_selected() -> None:
    from experiments.detection.report import SELECTION

    assert SELECTION in (EXPERIMENTS / "detection" / "results.md").read_text(encoding="utf-8")
