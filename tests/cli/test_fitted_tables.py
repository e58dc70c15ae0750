"""Tables of architectures in terminals of any width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from nas.cli.show import READABLE, architecture_table, fits, fitted, number
from nas.core.objectives import Objective

ARCHITECTURE = "r8/stem8s1/se0.25/ds8:v0/ir16:k5s2e4/sp:k5e3p0.75m-0+/ir16:k3.5e3/head32"
FOUR = (
    Objective("error", "%"),
    Objective("params", "parameters"),
    Objective("madds", "multiply-adds"),
    Objective("latency", "milliseconds"),
)


def printed(
    width: int, objectives=FOUR, further: dict[str, str] | None = None, text: str = ARCHITECTURE
) -> str:
    """Two rows with their values, as a terminal of this width shows them."""
    view = architecture_table("Pareto front", objectives)
    for name in further or {}:
        view.add_column(name, no_wrap=True)
    for architecture in (text, f"x{text}"):
        view.add_row(architecture, *(["1,234,567"] * len(objectives)), *(further or {}).values())
    out = io.StringIO()
    console = Console(file=out, width=width)
    console.print(fitted(view, console))
    return out.getvalue()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("n", [1, 4, 10])
def test_the_architecture_and_every_number_can_be_read_at_any_width(width: int, n: int) -> None:
    objectives = tuple(Objective(f"objective{i}", "multiply-adds") for i in range(n))
    out = printed(width, objectives, {"distance": "error 1.2 worse\nparams 3 better", "score": "0.123"})
    assert out.count("1,234,567") == 2 * n
    assert max(map(len, out.splitlines())) <= width
    if width > 12:
        column = [line.split("│")[1].strip() for line in out.splitlines() if line.startswith("│")]
        listed = "".join(line.strip() for line in out.splitlines())
        assert ARCHITECTURE in "".join(column) or ARCHITECTURE in listed


def test_with_four_objectives_and_a_preference_the_architecture_keeps_its_room() -> None:
    out = printed(120, further={"distance": "error 1.2 worse", "score": "0.123", "": "best"})
    widest = max(len(line.split("│")[1].strip()) for line in out.splitlines() if line.startswith("│"))
    assert widest >= READABLE or f"1  {ARCHITECTURE}" in out


def test_a_wide_terminal_keeps_one_table_with_units_in_the_header() -> None:
    out = printed(200)
    assert "params (parameters)" in out
    assert ARCHITECTURE in out


def test_short_architectures_need_no_more_than_their_length() -> None:
    out = printed(80, text="1-2-3")
    assert "│ 1-2-3" in out


def test_a_table_with_a_least_width_keeps_its_header_whole() -> None:
    view = architecture_table("Pareto front", FOUR)
    view.add_row("1-2-3", *["1,234,567"] * 4)
    consoles = {width: Console(file=io.StringIO(), width=width) for width in range(40, 200)}
    narrowest = min(width for width, console in consoles.items() if fits(view, console))
    whole = min(
        width for width, console in consoles.items() if fits(view, console, least=len("architecture"))
    )
    assert whole - narrowest == len("architecture") - len("1-2-3")


def test_a_number_that_is_missing_is_an_empty_cell() -> None:
    assert number(float("nan")) == ""
    assert number(float("inf")) == "inf"
    assert number(12_345.0) == "12,345"
