"""Tables that a script keeps in a README, between two comments; shared by the scripts of several experiments."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Sequence
from pathlib import Path

SOURCE = "MUXConv (CVPR 2020), slides of its authors"  # column `source` of published.csv


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def markdown(header: Sequence[str], cells: Sequence[Sequence[str]], texts: int = 1) -> str:
    """A table as Markdown: the first `texts` columns and the last are texts, the others numbers; a dash for an empty cell."""
    marks = [*["---"] * texts, *["---:"] * (len(header) - texts - 1), "---"]
    lines = [header, marks, *([cell or "-" for cell in line] for line in cells)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def ratio(value: float | None, other: float | None) -> float | None:
    """`value / other`; None if either is unknown."""
    return None if value is None or other is None else value / other


def two_ratios(published: float | None, counted: float | None) -> tuple[str, str]:
    """A published ratio to one decimal and a counted one to two, such as `1.6x` and `1.64x`; empty where unknown.

    The second has a `*` if it differs from the first when rounded alike.
    """
    said = "" if published is None else f"{published:.1f}x"
    found = "" if counted is None else f"{counted:.2f}x"
    differs = published is not None and counted is not None and f"{counted:.1f}x" != said
    return said, f"{found} *" if differs else found


def number(text: str) -> float | None:
    """The number in a cell of a CSV file; None for an empty cell."""
    return float(text) if text else None


def with_block(text: str, name: str, block: str) -> str:
    """`text` with `block` between its comments `<!-- NAME: begin -->` and `<!-- NAME: end -->`.

    Raises `ValueError` unless each comment occurs once.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"expected {begin} and {end} once each")
    before, rest = text.split(begin)
    return f"{before}{begin}\n{block}\n{end}{rest.split(end)[1]}"


def command(description: str, readme: Path, name: str, make: Callable[[], str]) -> None:
    """The command line of a script: print the table, or with --write put it in the README."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--write", action="store_true", help=f"put the table in {readme.name}")
    block = make()
    if parser.parse_args().write:
        text = readme.read_text(encoding="utf-8")
        readme.write_text(with_block(text, name, block), encoding="utf-8")
    else:
        print(block)
