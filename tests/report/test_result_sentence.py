"""The first line of a page: the result of the search in one sentence."""

from __future__ import annotations

from dataclasses import replace

from report_parts import ERROR, LATENCY, PARAMS, THREE, failed, frame_of, some_source, source_of, table_of

from nas.core.objectives import Objective
from nas.report.gather import describe
from nas.report.sources import UNDER_WAY, Source
from nas.runs.expected import ExpectedValues


def sentence(*sources: Source) -> str:
    return describe(sources).result


def two() -> Source:
    """Four evaluations, of which three are on the front, and the second is its knee point."""
    frame = frame_of((ERROR, PARAMS), 4)
    frame["error"], frame["params"] = [10.0, 4.0, 3.5, 12.0], [1000.0, 11_731.0, 1_500_000.0, 2000.0]
    frame["told_seconds"] = [20.0, 151.0, 160.0, 170.0]
    return source_of(table_of(frame, (ERROR, PARAMS)))


def test_it_has_the_front_and_its_knee_point_and_when_it_was_found() -> None:
    assert sentence(two()) == (
        "3 of 4 evaluated networks are on the Pareto front, with an error of 3.50% to 10%; its knee point has an error of 4% and 11,731 parameters, "
        "found after 2 min 31 s."
    )


def test_of_a_search_under_way_it_is_the_result_so_far() -> None:
    assert sentence(replace(two(), state=UNDER_WAY)).startswith("So far, 3 of 4 evaluated networks are")


def test_of_one_objective_it_is_the_best_network() -> None:
    frame = frame_of((LATENCY,), 3)
    frame["latency"], frame["told_seconds"] = [2.0, 0.1234, 5.0], [5.0, 3700.0, 3800.0]
    assert sentence(source_of(table_of(frame, (LATENCY,)))) == (
        "The best of 3 evaluated networks has a latency of 0.123 ms, found after 1 h 01 min."
    )


def test_a_maximised_objective_begins_with_its_best_value() -> None:
    item = Objective("accuracy", "%", maximize=True)
    frame = frame_of((item, PARAMS), 2)
    frame["accuracy"], frame["params"] = [90.0, 95.5], [10.0, 20.0]
    assert "with an accuracy of 95.50% to 90%;" in sentence(source_of(table_of(frame, (item, PARAMS))))


def test_expected_values_are_called_expected() -> None:
    frame = frame_of((ERROR, PARAMS), 2)
    frame["error"], frame["params"] = [9.0, 4.0], [1000.0, 2000.0]
    values = {
        text: [value, value - 1, value + 1]
        for text, value in zip(frame["architecture"], (8.5, 4.5), strict=True)
    }
    table = replace(table_of(frame, (ERROR, PARAMS)), expected=ExpectedValues(("error",), values, 2, None))
    assert "with an expected error of 4.50% to 8.50%;" in sentence(source_of(table))


def test_without_a_front_it_gives_the_reason() -> None:
    frame = failed(frame_of(THREE, 3), [0, 1, 2], "ValueError: no")
    assert sentence(source_of(table_of(frame, THREE))) == "The front is empty: no candidate succeeded."


def test_of_several_runs_it_compares_the_hypervolume_and_its_chance() -> None:
    runs = [
        some_source(40, folder=f"runs/{name}", seed=seed) for name, seed in (("a", 7), ("b", 8), ("c", 9))
    ]
    found = sentence(*runs)
    assert found.startswith("Of 3 searches, ")
    assert found.endswith("; differences between single searches may be chance.")
    assert found.index("the largest hypervolume (0.") < found.index("the smallest (0.")
    assert sentence(*runs[:2]).startswith("Of the two searches, ")
    assert " has the larger hypervolume: 0." in sentence(*runs[:2])
