"""Our CSV files contain no formulas and round-trip."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd

from nas.core.tables import csv_text, read_csv

TEXTS = [
    "-r8/k3",
    "=1+1",
    "@x",
    "'=x",
    "\t=1",
    "\r=1",
    "a;=1",
    "a\r=1",
    'a,"b',
    "+cmd|' /C calc'!A0",
    "NA",
    "-3",
    "007",
    "plain",
]


def test_a_table_of_hostile_texts_round_trips(tmp_path: Path) -> None:
    frame = pd.DataFrame({"architecture": TEXTS, "=error": range(len(TEXTS)), "loss": [-0.5] * len(TEXTS)})
    file = tmp_path / "front.csv"
    file.write_text(csv_text(frame), encoding="utf-8", newline="")
    pd.testing.assert_frame_equal(read_csv(file), frame, check_dtype=False)


def test_no_cell_begins_a_formula_for_any_usual_separator() -> None:
    text = csv_text(pd.DataFrame({"architecture": TEXTS, "=error": range(len(TEXTS))}))
    for cell in (cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row):
        assert cell.lstrip("-").isdecimal() or cell.lstrip(" ")[:1] not in tuple("=+-@\t\r\n")
    for separator in ";\t|":
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            assert all(cell[:1] not in tuple("=+@") for cell in row)


def test_a_table_of_plain_texts_is_written_as_before() -> None:
    frame = pd.DataFrame({"architecture": ["r8/s1", "a,b"], "error": [1.5, -2.0], "none": [None, "x"]})
    assert csv_text(frame) == frame.to_csv(index=False, lineterminator="\n")
