"""The experiment practitioner: which finalists count, the lowest error at a size, MobileNets that a front dominates."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments" / "practitioner"))
import compare_fronts


@pytest.fixture
def rows() -> pd.DataFrame:
    searches = pd.DataFrame(
        {
            "method": ["full", "random"],
            "seed": [0, 0],
            "networks": [json.dumps(["a", "b"]), json.dumps(["c"])],
        }
    )
    columns = ["network", "madds", "latency_ms", "test_error"]
    tested = pd.DataFrame(
        [("a", 0.2e6, 0.03, 60.0), ("b", 3e6, 0.2, 40.0), ("c", 3e6, 0.1, 55.0), ("d", 1e6, 0.1, 50.0)],
        columns=columns,
    )
    mobilenets = pd.DataFrame([("mobilenet_v2", 4e6, 0.5, 50.0)], columns=columns)
    delivered = pd.DataFrame([("b", 1, 3e6, 35.0)], columns=["network", "seed", "madds", "test_error"])
    return compare_fronts.points(searches, tested, mobilenets, delivered)


def test_every_search_has_its_tested_networks(rows: pd.DataFrame) -> None:
    found = rows.groupby("method")["test_error"].apply(list).to_dict()
    assert found == {"full": [60.0, 40.0], "random": [55.0], "delivered": [35.0], "none": [50.0]}
    (left,) = rows[rows["method"] == "delivered"].to_dict("records")
    assert (left["madds"], left["latency_ms"]) == (3e6, 0.2)


def test_the_lowest_error_at_a_size_is_that_of_networks_that_are_not_larger(rows: pd.DataFrame) -> None:
    size = compare_fronts.SIZES[0]
    full = rows[rows["method"] == "full"]
    assert [compare_fronts.lowest(full, size, limit) for limit in (1.0, 3.0)] == [60.0, 40.0]
    assert str(compare_fronts.lowest(full, size, 0.1)) == "nan"


def test_a_mobilenet_is_dominated_by_a_smaller_network_with_a_lower_error(rows: pd.DataFrame) -> None:
    for size in compare_fronts.SIZES:
        found = compare_fronts.dominated(rows, size).set_index("method")
        assert found["dominated"].to_dict() == {"full": 1, "random": 0, "delivered": 1}
        assert set(found["seeds"]) == {1}


def test_the_table_and_the_figure_have_every_method_with_rows(rows: pd.DataFrame, tmp_path: Path) -> None:
    lines = compare_fronts.table(rows, compare_fronts.SIZES[0])
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[2:]] == [
        compare_fronts.NAMES[name] for name in ("full", "delivered", "random", "none")
    ]
    compare_fronts.draw(rows, tmp_path / "fronts.png")
    assert (tmp_path / "fronts.png").stat().st_size > 10_000
