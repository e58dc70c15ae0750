"""The sentence about networks whose accuracy quantisation ruins."""

from __future__ import annotations

from nas.deployment.collapse import collapse_notice


def test_many_ruined_networks_are_reported_with_a_remedy() -> None:
    values = [{"error": 10.0, "int8_error": 60.0}] * 3 + [{"error": 10.0, "int8_error": 10.5}] * 7
    said = collapse_notice(values)
    assert said.startswith("int8: the error of 3 of 10 networks rises by more than 10 points")
    assert "from 10.0% to 60.0%" in said
    assert "float_layers" in said


def test_few_or_none_are_not() -> None:
    assert (
        collapse_notice([{"error": 10.0, "int8_error": 60.0}] + [{"error": 10.0, "int8_error": 9.0}] * 9)
        == ""
    )
    assert collapse_notice([{"error": 10.0}]) == ""
    assert collapse_notice([]) == ""
