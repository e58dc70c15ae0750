"""baselines.csv, the verdict of the front, and its sentences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from report_parts import THREE, frame_of, table_of

from nas.core.objectives import Limit
from nas.runs.baselines import FILE, Baseline, as_table, read_baselines
from nas.runs.dominance import Verdict, answer, verdicts
from nas.runs.expected import ExpectedValues
from nas.runs.run_folder import RunTable, run_table


def front_of(*points: tuple[float, float, float], **settings: object) -> RunTable:
    """A run with these errors, parameters and multiply-adds."""
    frame = frame_of(THREE, len(points))
    for k, item in enumerate(THREE):
        frame[item.name] = [float(point[k]) for point in points]
    return run_table(frame, THREE, (), 2, **settings)  # type: ignore[arg-type]


def network(name: str, error: float, params: float = 10.0, madds: float = 10.0) -> Baseline:
    return Baseline(name, values={"error": error, "params": params, "madds": madds})


def test_a_file_is_read_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nas.core.tables import csv_text

    rows = [
        Baseline("=cmd|x", "ok", "", "lr=0.1", 3, 7, 1.5, "ab12", "w.pt", {"error": 1.25, "params": 9.0}),
        Baseline("vgg16", "invalid", 'does not fit: "8, 8"', ""),
    ]
    (tmp_path / FILE).write_text(csv_text(as_table(rows)))
    assert read_baselines(tmp_path) == rows


@pytest.mark.parametrize("text", ["", "network\nx\n", "\xff", "a,b\n1,2\n"])
def test_a_damaged_file_has_no_rows(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text, encoding="latin-1")
    assert read_baselines(tmp_path) == []


def test_rows_of_an_unknown_status_are_left_out(tmp_path: Path) -> None:
    frame = as_table([network("a", 1.0), replace(network("b", 1.0), status="better")])
    frame.to_csv(tmp_path / FILE, index=False)
    assert [row.network for row in read_baselines(tmp_path)] == ["a"]


def test_verdicts_count_members_of_the_front() -> None:
    table = front_of((10, 10, 10), (5, 20, 20), (1, 90, 90))
    rows = [network("worse", 11), network("between", 7), network("better", 4, 9, 9), network("equal", 10)]
    found = verdicts(table, [*rows, Baseline("none", "failed")])
    assert [v.dominated_by for v in found] == [1, 0, 0, 0, 0]
    assert [v.dominates for v in found] == [0, 1, 2, 0, 0]
    assert [v.text for v in found[:3]] == [
        "dominated by 1 of the front",
        "not dominated, dominates 1 of the front",
        "not dominated, dominates 2 of the front",
    ]
    assert found[4] == Verdict(judged=False)


def test_only_common_objectives_decide() -> None:
    table = front_of((10, 10, 10), (5, 20, 20))
    assert verdicts(table, [Baseline("a", values={"error": 6.0})])[0].dominated_by == 1


def test_the_answer_names_those_that_are_not_dominated() -> None:
    table = front_of((10, 10, 10), (5, 20, 20))
    text = answer(
        table, [network("a", 11), network("b", 3), replace(network("c", 9, 9, 9), changed="epochs=9")]
    )
    assert text == (
        "The front dominates 1 of 3 baselines. Not dominated: b, c (epochs=9). b, c (epochs=9) dominate members of the front: better than "
        "what the search found. Each baseline was trained once, so small differences are chance."
    )
    assert answer(table, []) == ""
    assert answer(table, [Baseline("v", "invalid", "large")]).startswith(
        "No network was trained: each violates"
    )


def test_a_network_outside_a_limit_is_not_compared_as_an_alternative() -> None:
    table = replace(front_of((10, 10, 10), (5, 20, 20)), limits=(Limit.parse("error <= 10"),))
    found = verdicts(table, [network("a", 12, 1, 1)])[0]
    assert found.text == "outside the limits: error <= 10 (it has 12)"
    text = answer(table, [network("a", 12, 1, 1), network("b", 9.0, 30, 30)])
    assert text.startswith("The front dominates 1 of 1 baseline. 1 violates a limit of the run.")


def test_a_run_without_a_front_says_so() -> None:
    empty = table_of(frame_of(THREE, 2).assign(status="failed"), THREE)
    assert (
        answer(empty, [network("a", 1.0)]) == "The run has no front yet, so there is nothing to compare with."
    )


def test_the_intervals_of_a_noisy_front_say_how_sure_the_answer_is() -> None:
    points = ((10, 10, 10), (5, 20, 20))
    texts = list(frame_of(THREE, 2)["architecture"])
    values = {texts[0]: [10.0, 8.0, 12.0], texts[1]: [5.0, 2.0, 8.0]}
    table = front_of(*points, expected=ExpectedValues(("error",), values, 2, None))
    rows = [network("sure", 13), network("unsure", 11), network("near", 9), network("far", 1)]
    assert [(v.dominated_by, v.surely, v.possibly) for v in verdicts(table, rows)] == [
        (1, 1, 1),
        (1, 0, 1),
        (0, 0, 1),
        (0, 0, 0),
    ]
    assert answer(table, rows).endswith(
        "small differences are chance. 1 of the 2 stays dominated at the worse ends of the front's 90% intervals; the other may be chance. "
        "At the better ends, the front dominates 1 of the 2 others."
    )


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ([11], "This may be chance: at the worse ends of the front's 90% intervals, it is not dominated."),
        (
            [11, 11.5],
            "Each of these 2 verdicts may be chance: at the worse ends of the front's 90% intervals, none of them is dominated.",
        ),
        (
            [13],
            "It stays dominated at the worse ends of the front's 90% intervals, so this is hardly chance.",
        ),
        (
            [13, 14, 15],
            "All 3 stay dominated at the worse ends of the front's 90% intervals, so this is hardly chance.",
        ),
        ([1], "At the better ends of the front's 90% intervals, the front does not dominate it either."),
    ],
)
def test_what_may_be_chance_is_one_plain_sentence(errors: list[float], said: str) -> None:
    texts = list(frame_of(THREE, 2)["architecture"])
    values = {texts[0]: [10.0, 8.0, 12.0], texts[1]: [5.0, 2.0, 8.0]}
    table = front_of((10, 10, 10), (5, 20, 20), expected=ExpectedValues(("error",), values, 2, None))
    text = answer(table, [network(f"n{i}", error) for i, error in enumerate(errors)])
    assert text.endswith(f"Each baseline was trained once, so small differences are chance. {said}")
