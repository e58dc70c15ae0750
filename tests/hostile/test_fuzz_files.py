"""Damaged files of every kind that is read from a user: tables, images, weights, histories."""

from __future__ import annotations

import io
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fuzzing import damaged, fuzzed, put, refused
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import nas
from nas.runs.history import History
from nas.runs.reading import load_run
from nas.testing.toy import ToySpace, toy_error
from search_spaces.nasbench101.cell import parse_cell
from search_spaces.nasbench101.hashing import cell_hash
from search_spaces.nasbench101.table_cells import pack
from search_spaces.nasbench101.table_import import import_tfrecord
from search_spaces.nasbench101.table_parquet import load_parquet
from search_spaces.nasbench101.table_store import NASBench101Table
from search_spaces.nasbench101.tfrecord import RunRecord, decode_run
from search_spaces.nasbench101.tfrecord_write import encode_run, frame, write_tfrecord
from search_spaces.nasbench201.table import NASBench201Table

CELLS = ("1-", "101-0", "110101-22")


@pytest.fixture(scope="module", autouse=True)
def no_images() -> Iterator[None]:
    """Leave out the plots at the end of a continued search, which take most of the time and are not tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.report.plots.write_plots", lambda folder, table: None)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


def runs() -> list[RunRecord]:
    """Three runs of each of three cells, in the published format."""
    found = []
    for i, text in enumerate(CELLS):
        cell = parse_cell(text)
        for run in range(3):
            numbers = (100.0 + run, 0.9, 0.8, 0.7, 50.0, 0.5, 0.4, 0.3)
            found.append(RunRecord(cell_hash(cell), 108, pack(cell), 1000 + i, numbers))
    return found


def parquet(frame: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.to_parquet(file, index=False)
    return file.getvalue()


def image() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(file, "PNG")
    return file.getvalue()


def store(folder: Path) -> Path:
    """An imported table, made once."""
    made = folder / "whole"
    if not made.exists():
        write_tfrecord(folder / "whole.tfrecord", runs())
        import_tfrecord(folder / "whole.tfrecord", made, partial=True)
    return made


def read_store(path: Path) -> None:
    table = NASBench101Table.open(path)
    for text in table.cells():
        table.runs(text, "validation_accuracy")
        table.hash_of(text)


TFRECORD = b"".join(frame(encode_run(run)) for run in runs())


@fuzzed
@given(data=damaged([TFRECORD]))
def test_a_damaged_tfrecord_file_is_imported_or_refused_and_leaves_nothing(folder: Path, data: bytes) -> None:
    out = folder / "imported"
    if refused(import_tfrecord, put(folder, "runs.tfrecord", data), out, None):
        assert not out.exists()
    shutil.rmtree(out, ignore_errors=True)


@fuzzed
@given(data=damaged([encode_run(run) for run in runs()[:3]]))
def test_a_damaged_record_with_a_right_checksum_is_imported_or_refused(folder: Path, data: bytes) -> None:
    """Recompute checksums, which would keep most damage from the decoder."""
    others = b"".join(frame(encode_run(run)) for run in runs()[1:])
    path = put(folder, "fixed.tfrecord", frame(data) + others)
    refused(lambda: import_tfrecord(path, folder / "fixed", partial=True))
    shutil.rmtree(folder / "fixed", ignore_errors=True)


@fuzzed
@given(data=st.data())
def test_a_damaged_table_store_is_read_or_refused(folder: Path, data: st.DataObject) -> None:
    whole, path = store(folder), folder / "damaged-store"
    file = data.draw(st.sampled_from(sorted(p.name for p in whole.iterdir())))
    content = data.draw(damaged([(whole / file).read_bytes()]))
    shutil.copytree(whole, path)
    put(path, file, content)
    try:
        refused(read_store, path)
    finally:
        shutil.rmtree(path)


def competition_files() -> dict[str, bytes]:
    hashes = [cell_hash(parse_cell(text)) for text in CELLS]
    cells = pd.DataFrame(
        {
            "module_hash": hashes,
            "adjacency": [text.partition("-")[0] for text in CELLS],
            "ops": [text.partition("-")[2] for text in CELLS],
            "params": [1, 2, 3],
            "flops": [4, 5, 6],
            "test_error": [0.1, 0.2, 0.3],
        }
    )
    samples = pd.DataFrame({"module_hash": hashes, "val_error": [0.1, 0.2, 0.3]})
    return {"cells.parquet": parquet(cells), "val_error_samples.parquet": parquet(samples)}


@fuzzed
@given(data=st.data())
def test_a_damaged_parquet_table_is_read_or_refused(folder: Path, data: st.DataObject) -> None:
    path = folder / "competition"
    path.mkdir(exist_ok=True)
    good = competition_files()
    for name, content in good.items():
        put(path, name, content)
    name = data.draw(st.sampled_from(sorted(good)))
    put(path, name, data.draw(damaged([good[name]])))
    refused(load_parquet, path)


def test_undamaged_tables_are_read(folder: Path) -> None:
    path = folder / "good"
    path.mkdir()
    for name, content in competition_files().items():
        put(path, name, content)
    assert len(load_parquet(path)) == len(NASBench101Table.open(store(folder))) == len(CELLS)
    assert decode_run(encode_run(runs()[0])) == runs()[0]


ARCHS = parquet(pd.DataFrame({"ops": ["00-00-00"], "cifar10_val_acc_12": [50.0]}))


@fuzzed
@given(data=damaged([ARCHS]))
def test_a_damaged_nasbench201_table_is_refused(folder: Path, data: bytes) -> None:
    assert refused(NASBench201Table.open, put(folder, "archs.parquet", data))


@fuzzed
@given(data=st.data())
def test_damaged_parquet_images_are_loaded_or_refused(folder: Path, data: st.DataObject) -> None:
    from nas.training.data.parquet import Parquet

    images = [image() if i else data.draw(damaged([image()])) for i in range(20)]
    good = parquet(pd.DataFrame({"jpeg": images, "label": [0, 1] * 10}))
    path = put(folder, "pictures.parquet", data.draw(damaged([good]) | st.just(good)))
    source = Parquet(str(path), validation=0.2, test=0.2)
    refused(source.load)
    refused(source.check)


@fuzzed
@given(data=damaged([bytes([label] + [label] * 3072) for label in range(10)]))
def test_damaged_cifar_files_are_loaded_or_refused(folder: Path, data: bytes) -> None:
    from nas.training.data.cifar import Cifar10

    for number in range(1, 6):
        put(folder, f"data_batch_{number}.bin", b"".join(bytes([n] + [n] * 3072) for n in range(10)))
    put(folder, "data_batch_2.bin", data)
    put(folder, "test_batch.bin", data)
    put(folder, "batches.meta.txt", data[:200])
    source = Cifar10(str(folder))
    refused(source.load)
    refused(source.check)


def weights() -> bytes:
    import torch

    file = io.BytesIO()
    tensors = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.zeros(2)}
    torch.save({"schema": 1, "model": "muxnet_xs", "state_dict": tensors, "epochs": 3}, file)
    return file.getvalue()


def our_weights(path: Path) -> object:
    from nas.training.weights import read

    return read(path)


def a_checkpoint(path: Path) -> object:
    from search_spaces.muxnet.weights import load_checkpoint

    return load_checkpoint(path)


def the_authors_checkpoint(path: Path) -> object:
    from search_spaces.muxnet.weights import convert_checkpoint

    return convert_checkpoint(path, "muxnet_xs")


@pytest.mark.parametrize("read", [our_weights, a_checkpoint, the_authors_checkpoint])
@fuzzed
@given(data=st.data())
def test_damaged_weights_are_read_or_refused(
    folder: Path, read: Callable[[Path], object], data: st.DataObject
) -> None:
    refused(read, put(folder, "weights.pt", data.draw(damaged([weights()]))))


def history(folder: Path) -> Path:
    """A finished run of a few evaluations, its log in one file."""
    run = folder / "run"
    if not run.exists():
        nas.search(ToySpace(), ["error", "params"], toy_error, algorithm="moead", budget=12, seed=1, out=run)
        with sqlite3.connect(run / "history.sqlite") as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return run / "history.sqlite"


def read_back(run: Path) -> None:
    load_run(run)


def go_on(run: Path) -> None:
    nas.search(
        ToySpace(), ["error", "params"], toy_error, algorithm="moead", budget=14, seed=1, out=run, resume=True
    )


@pytest.mark.parametrize("read", [read_back, go_on])
@fuzzed
@given(data=st.data())
def test_a_damaged_history_is_read_or_refused(
    folder: Path, read: Callable[[Path], None], data: st.DataObject
) -> None:
    content = data.draw(damaged([history(folder).read_bytes()], most=8))
    run = folder / "damaged-run"
    run.mkdir()
    put(run, "history.sqlite", content)
    try:
        refused(read, run)
    finally:
        shutil.rmtree(run)


TEXTS = [
    "{}",
    "[]",
    "null",
    "nan",
    "-1",
    "1e999",
    '"<script>"',
    '{"error": "x"}',
    '{"error": NaN}',
    "\x00",
    "",
]
COLUMNS = [
    ("meta", "value"), ("trials", "architecture"), ("trials", "seed"), ("trials", "budget"), ("trials", "asked_at"),
    ("results", "status"), ("results", '"values"'), ("results", "seconds"), ("results", "error"), ("log", "event"),
    ("log", "trial"), ("log", "seconds"),
]  # fmt: skip


@pytest.mark.parametrize("read", [read_back, go_on])
@fuzzed
@given(
    place=st.sampled_from(COLUMNS), text=st.sampled_from(TEXTS) | st.text(max_size=8), row=st.integers(0, 40)
)
def test_a_history_with_a_wrong_entry_is_read_or_refused(
    folder: Path, read: Callable[[Path], None], place: tuple[str, str], text: str, row: int
) -> None:
    """Complete pages with wrong content, as another program may write them."""
    run = folder / "edited-run"
    run.mkdir()
    shutil.copy(history(folder), run / "history.sqlite")
    table, column = place
    db = sqlite3.connect(run / "history.sqlite")
    try:
        rows = [r[0] for r in db.execute(f"SELECT rowid FROM {table} ORDER BY rowid")]
        db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (text, rows[row % len(rows)]))
        db.commit()
    except (sqlite3.Error, UnicodeEncodeError):
        db.rollback()  # the file itself refuses it
    db.close()
    try:
        refused(read, run)
    finally:
        shutil.rmtree(run)


@fuzzed
@given(
    rows=st.lists(
        st.sampled_from(["DELETE FROM trials", "DELETE FROM results", "DELETE FROM log"]), max_size=2
    )
)
def test_a_history_that_lost_rows_is_read_or_refused(folder: Path, rows: list[str]) -> None:
    run = folder / "short-run"
    run.mkdir()
    shutil.copy(history(folder), run / "history.sqlite")
    db = sqlite3.connect(run / "history.sqlite")
    for statement in rows:
        db.execute(f"{statement} WHERE rowid % 3 = 1")
    db.commit()
    db.close()
    try:
        refused(read_back, run)
        refused(go_on, run)
    finally:
        shutil.rmtree(run)


def test_an_undamaged_history_is_read_and_continues(folder: Path) -> None:
    run = folder / "good-run"
    run.mkdir()
    shutil.copy(history(folder), run / "history.sqlite")
    read_back(run)
    go_on(run)
    assert len(History(run, ToySpace(), create=False).trials()) == 14
