"""Import of a published file: whole and checked, or a clear error and nothing on disk."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from table_files import CELLS, a_run, all_runs, import_runs

from nas.core.errors import ConfigError, DataError
from search_spaces.nasbench101 import table_layout
from search_spaces.nasbench101.cell import parse_cell
from search_spaces.nasbench101.table_cells import hash_of, pack
from search_spaces.nasbench101.table_import import import_tfrecord
from search_spaces.nasbench101.table_store import NASBench101Table
from search_spaces.nasbench101.tfrecord import RunRecord
from search_spaces.nasbench101.tfrecord_write import encode_run, frame, write_tfrecord


def bytes_of(runs: list[RunRecord]) -> bytes:
    return b"".join(frame(encode_run(run)) for run in runs)


def refused(folder: Path, data: bytes) -> str:
    """The message of the data error, after checking that nothing was left."""
    source = folder / "x.tfrecord"
    source.write_bytes(data)
    with pytest.raises(DataError) as caught:
        import_tfrecord(source, folder / "store", partial=True)
    assert [p.name for p in folder.iterdir()] == ["x.tfrecord"]
    return str(caught.value)


def test_the_report_counts_the_images_read(tmp_path: Path):
    report = import_runs(tmp_path, all_runs(budgets=(4, 12, 36, 108)))
    assert (report.cells, report.records, report.budgets) == (5, 60, (4, 12, 36, 108))
    assert report.source_bytes == (tmp_path / "runs.tfrecord").stat().st_size
    assert (report.hashes_checked, report.isomorphic_records) == (5, 0)


def test_the_order_of_records_in_the_file_does_not_matter_but_for_the_runs(tmp_path: Path):
    runs = all_runs(budgets=(4, 108))
    shuffled = [runs[i] for i in np.random.default_rng(3).permutation(len(runs))]
    table = NASBench101Table.open(import_runs(tmp_path, shuffled).out)
    for text in CELLS:
        times = [r.values[0] for r in shuffled if r.cell == a_run(text).cell and r.epochs == 4]
        assert table.runs(text, "training_time", 4) == tuple(times)


def test_progress_ends_at_the_size_of_the_file(tmp_path: Path):
    write_tfrecord(tmp_path / "f", all_runs())
    seen: list[tuple[int, int]] = []
    import_tfrecord(
        tmp_path / "f", tmp_path / "store", lambda done, total: seen.append((done, total)), partial=True
    )
    size = (tmp_path / "f").stat().st_size
    assert seen[0] == (0, size)
    assert seen[-1] == (size, size)


def test_a_part_of_the_benchmark_is_refused_unless_asked_for_and_called_one(tmp_path: Path):
    write_tfrecord(tmp_path / "f", all_runs())
    with pytest.raises(DataError, match=r"5 cells in 15 records, expected 423,624.*cut off"):
        import_tfrecord(tmp_path / "f", tmp_path / "store")
    assert not (tmp_path / "store").exists()
    assert not import_tfrecord(tmp_path / "f", tmp_path / "store", partial=True).whole


def test_an_existing_folder_is_never_touched(tmp_path: Path):
    (tmp_path / "store").mkdir()
    with pytest.raises(ConfigError, match="already exists"):
        import_runs(tmp_path, all_runs())
    assert list((tmp_path / "store").iterdir()) == []


def test_two_hundred_random_byte_flips_are_all_found(tmp_path: Path):
    data = bytes_of(all_runs(CELLS[:2]))
    rng = np.random.default_rng(0)
    for _ in range(200):
        place, flip = int(rng.integers(len(data))), int(rng.integers(1, 256))
        message = refused(tmp_path, data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :])
        assert "record " in message or "this is " in message, message


def test_a_file_cut_off_within_a_record_is_refused(tmp_path: Path):
    frames = [frame(encode_run(r)) for r in all_runs(CELLS[:1])]
    whole = {len(frames[0]), len(frames[0]) + len(frames[1])}
    data = b"".join(frames)
    for length in set(range(1, len(data), 5)) - whole:
        assert "truncated" in refused(tmp_path, data[:length])


def test_a_corrupt_record_is_named_by_number_and_offset(tmp_path: Path):
    frames = [frame(encode_run(r)) for r in all_runs()]
    frames[7] = frames[7][:40] + b"?" + frames[7][41:]
    message = refused(tmp_path, b"".join(frames))
    offset = sum(map(len, frames[:7]))
    assert f"record 7 at byte {offset:,}: the checksum of its data" in message
    assert "download the file again" in message


def test_a_missing_run_is_refused(tmp_path: Path):
    runs = all_runs()
    message = refused(tmp_path, bytes_of(runs[:-1]))
    assert "record 13 " in message
    assert "expected 3" in message


def test_a_missing_budget_is_refused(tmp_path: Path):
    runs = all_runs(budgets=(4, 108))
    message = refused(tmp_path, bytes_of([r for r in runs if (r.epochs, r.cell) != (4, a_run("1-").cell)]))
    assert "0 to 3 runs" in message


def test_a_fourth_run_is_refused(tmp_path: Path):
    runs = all_runs()
    message = refused(tmp_path, bytes_of([*runs, runs[4]]))
    assert "record 15 " in message
    assert "run 4" in message


def test_a_copy_in_place_of_a_run_is_refused(tmp_path: Path):
    runs = all_runs()
    message = refused(tmp_path, bytes_of([*runs[:5], runs[4], *runs[6:]]))
    assert "record 5 " in message
    assert "a copy of record 4" in message


def test_a_hash_of_another_cell_is_refused(tmp_path: Path):
    runs = all_runs()
    wrong = [r._replace(module_hash="0" * 32) for r in runs[3:6]]
    message = refused(tmp_path, bytes_of(runs[:3] + wrong + runs[6:]))
    assert "record 3 " in message
    assert f"does not belong to its cell {CELLS[1]}" in message


def test_another_cell_under_a_known_hash_is_refused(tmp_path: Path):
    runs = all_runs()
    runs[5] = runs[5]._replace(cell=pack(parse_cell("101-2")))
    assert "record 5 " in refused(tmp_path, bytes_of(runs))


def test_an_isomorphic_copy_counts_as_the_same_cell(tmp_path: Path):
    # Two inner vertices in parallel, operations 0 and 1, in either order
    first, second = pack(parse_cell("110011-01")), pack(parse_cell("110011-10"))
    runs = [
        a_run("1-", run=i)._replace(module_hash=hash_of(first), cell=c)
        for i, c in enumerate((first, second, first))
    ]
    report = import_runs(tmp_path, runs)
    assert (report.cells, report.isomorphic_records) == (1, 1)
    table = NASBench101Table.open(report.out)
    assert table.cells() == ["110011-01"]
    assert table.query("110011-10") == table.query("110011-01")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 5}, "5 epochs, expected one of"),
        ({"module_hash": "abcd"}, "32 hex digits"),
        ({"module_hash": "ab " * 10 + "ab"}, "32 hex digits"),
        ({"module_hash": "z" * 32}, "hexadecimal"),
        ({"params": 1}, "1 parameters, but an earlier run has 1,000"),
        ({"values": (1.0, 0.5, 1.5, 0.5, 1.0, 0.5, 0.5, 0.5)}, "validation_accuracy is 1.5"),
        ({"values": (1.0, 0.5, 0.5, float("nan"), 1.0, 0.5, 0.5, 0.5)}, "test_accuracy is nan"),
        ({"values": (float("inf"), 0.5, 0.5, 0.5, 1.0, 0.5, 0.5, 0.5)}, "training_time is inf"),
        ({"values": (1.0, 0.5, 0.5, 0.5, -1.0, 0.5, 0.5, 0.5)}, "training_time is -1"),
    ],
)
def test_an_impossible_number_is_refused_with_its_record(
    tmp_path: Path, change: dict[str, object], words: str
):
    runs = all_runs()
    runs[2] = runs[2]._replace(**change)
    message = refused(tmp_path, bytes_of(runs))
    assert "record 2 at byte" in message
    assert words in message


def test_an_interrupt_while_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_tfrecord(tmp_path / "f", all_runs())
    saved: list[object] = []

    def interrupted(file: object, values: object, **_: object) -> None:
        saved.append(values)
        if len(saved) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(table_layout.np, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        import_tfrecord(tmp_path / "f", tmp_path / "store", partial=True)
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_tfrecord(tmp_path / "f", all_runs())

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(table_layout.np, "save", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left"):
        import_tfrecord(tmp_path / "f", tmp_path / "store", partial=True)
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_a_store_below_a_file_cannot_be_written(tmp_path: Path):
    write_tfrecord(tmp_path / "f", all_runs())
    with pytest.raises(ConfigError, match="cannot be written"):
        import_tfrecord(tmp_path / "f", tmp_path / "f" / "store", partial=True)


def test_the_meta_file_describes_the_store(tmp_path: Path):
    meta = json.loads((import_runs(tmp_path, all_runs()).out / "meta.json").read_text())
    assert (meta["kind"], meta["schema"], meta["source"]) == ("nasbench101-table", 1, "runs.tfrecord")
    assert (meta["cells"], meta["records"], meta["budgets"], meta["runs"]) == (5, 15, [108], 3)
