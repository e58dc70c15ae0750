"""`repeated.csv`: written, read back, and read where it is damaged."""

from pathlib import Path

import pytest
from engine_parts import Grid

from nas.runs.history import History
from nas.runs.repeated import FILE, Repeated, read_repeated, write_repeated


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run."""
    History(tmp_path, Grid(), create=True).close()
    return tmp_path


def test_rows_are_read_back(run: Path) -> None:
    rows = [Repeated.of("a,1", "ort_latency", "ms", [1.5, 0.1234567, 2.0]), Repeated.of("b", "x", "", [3.0])]
    assert (rows[0].measurements, rows[0].first, rows[0].median) == (3, 1.5, 1.5)
    assert (rows[0].least, rows[0].largest) == (0.123457, 2.0)
    write_repeated(run, rows)
    assert read_repeated(run) == rows


def test_a_missing_file_has_no_rows_and_damaged_rows_are_left_out(run: Path) -> None:
    assert read_repeated(run) == []
    write_repeated(run, [Repeated.of("a", "latency", "ms", [1.0, 2.0])])
    with (run / FILE).open("a") as file:
        file.write("b,latency,ms,3,1,2\nc,latency,ms,x,1,2,3,4\nd,latency,ms,2,nan,1,1,1\n")
    assert [row.architecture for row in read_repeated(run)] == ["a"]
    (run / FILE).write_bytes(b"\xff\xfe")
    assert read_repeated(run) == []
