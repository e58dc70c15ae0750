"""The published file format, read: checked against encodings made by hand, not by our own writer."""

from __future__ import annotations

import base64
import json
import math
import struct
from pathlib import Path

import pytest
from table_files import CELLS, a_run, all_runs

from nas.core.errors import DataError
from search_spaces.nasbench101.cell import to_genes
from search_spaces.nasbench101.enumeration import all_cells
from search_spaces.nasbench101.table_cells import pack, pack_genes, text_of, unpack
from search_spaces.nasbench101.tfrecord import decode_run, masked_crc32c, read_frames
from search_spaces.nasbench101.tfrecord_write import encode_run, frame, write_tfrecord


def slow_crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def by_hand(evaluations: int = 3, params: bool = True, skip_last_field: bool = False) -> bytes:
    """The record of cell 110101-22 with the protobuf wire format spelt out."""
    message = b""
    for i in range(evaluations):
        fields = [54.0 * i, 700.0 * i, 0.1 + 0.4 * i, 0.1 + 0.3 * i, 0.1 + 0.2 * i]
        if skip_last_field:
            fields.pop()
        body = b"".join(bytes([n << 3 | 1]) + struct.pack("<d", x) for n, x in enumerate(fields, start=1))
        body += b"\x32\x04ckpt"
        message += b"\x0a" + bytes([len(body)]) + body
    if params:
        message += b"\x10\xfa\x98\x6b"  # varint of 1756282
    message += b"\x19" + struct.pack("<d", 1500.0)
    operations = "input,maxpool3x3,maxpool3x3,output"
    text = base64.encodebytes(message).decode()  # with line breaks, as in Python 2's writer
    assert "\n" in text.strip()
    return json.dumps(
        ["001a6fcc8b38cbc515be788a86bdc804", 108, "0110001000010000", operations, text]
    ).encode()


def edited(position: int, value: object) -> bytes:
    fields = json.loads(encode_run(a_run("110101-22")))
    fields[position] = value
    return json.dumps(fields).encode()


def test_the_checksum_is_the_masked_castagnoli_crc():
    assert slow_crc32c(b"123456789") == 0xE3069283  # the published check value
    for data in (b"", b"123456789", bytes(32), bytes(range(256))):
        crc = slow_crc32c(data)
        assert masked_crc32c(data) == ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) % 2**32


def test_a_record_encoded_by_hand_is_read():
    run = decode_run(by_hand())
    assert run.module_hash == "001a6fcc8b38cbc515be788a86bdc804"
    assert (run.epochs, run.params) == (108, 1756282)
    assert text_of(unpack(run.cell)) == "110101-22"
    assert run.values == pytest.approx((1400.0, 0.9, 0.7, 0.5, 700.0, 0.5, 0.4, 0.3), abs=1e-15)


def test_frames_come_back_in_order_with_number_and_offset(tmp_path: Path):
    data = [b"a", b"", b"ccc"]
    path = tmp_path / "f"
    path.write_bytes(b"".join(map(frame, data)))
    assert list(read_frames(path)) == [(0, 0, b"a"), (1, 17, b""), (2, 33, b"ccc")]


def test_written_values_are_read_again(tmp_path: Path):
    runs = all_runs(budgets=(4, 108))
    write_tfrecord(tmp_path / "f", runs)
    assert [decode_run(f.data) for f in read_frames(tmp_path / "f")] == runs


def test_an_absent_number_reads_as_not_a_number():
    assert math.isnan(decode_run(by_hand(skip_last_field=True)).values[3])
    assert decode_run(by_hand(params=False)).params == -1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[1, 2", "delimiter"),
        (b"\xff\xfe", "decode"),
        (b"[] []", "nothing after"),
        (b"[1, 2]", "5 JSON fields"),
        (b'{"a": 1}', "5 JSON fields"),
        (edited(1, "108"), "text, whole number"),
        (edited(1, True), "text, whole number"),
        (edited(2, "01"), "not a cell"),
        (edited(2, "0" * 81), "not a cell"),
        (edited(2, "0110001000010010"), "above the diagonal"),
        (edited(2, "0120001000010000"), "above the diagonal"),
        (edited(2, "0000000000000000"), "no path"),
        (edited(3, "input,maxpool3x3,conv5x5,output"), "operations"),
        (edited(3, "maxpool3x3,input,maxpool3x3,output"), "operations"),
        (edited(4, "not base64!!"), "base64"),
        (edited(4, "AAA"), "ncorrect padding"),
        (edited(4, base64.b64encode(b"\x0a\xff").decode()), "protobuf"),
        (by_hand(evaluations=2), "3 evaluations"),
    ],
)
def test_bytes_that_are_not_a_record_are_refused_with_the_reason(data: bytes, words: str):
    with pytest.raises(ValueError, match=words):
        decode_run(data)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"PAR1" + b"\x15\x04\x15\x10" * 8, "Parquet"),
        (b"\x1f\x8b\x08\x08" + b"\x51\x31\x31\x01" * 8, "gzip"),
        (b"<!DOCTYPE html><html>404 not found</html>", "HTML"),
        (b"\n\n<?xml version='1.0'?><Error/>", "XML"),
        (b"version https://git-lfs.github.com/spec/v1\n", "LFS"),
        (b"PK\x03\x04" + bytes(range(1, 60)), "zip"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, start: bytes, kind: str):
    (tmp_path / "x.tfrecord").write_bytes(start)
    with pytest.raises(DataError, match=kind):
        list(read_frames(tmp_path / "x.tfrecord"))


def test_random_bytes_are_not_a_tfrecord_file(tmp_path: Path):
    (tmp_path / "x").write_bytes(bytes(range(7, 207)))
    with pytest.raises(DataError, match=r"record 0 at byte 0: the checksum of its length .* not a TFRecord"):
        list(read_frames(tmp_path / "x"))


def test_an_empty_file_is_refused(tmp_path: Path):
    (tmp_path / "x").touch()
    with pytest.raises(DataError, match="empty"):
        list(read_frames(tmp_path / "x"))


@pytest.mark.parametrize("name", ["absent", "."])
def test_what_cannot_be_opened_is_a_data_error(tmp_path: Path, name: str):
    with pytest.raises(DataError, match="cannot be read"):
        list(read_frames(tmp_path / name))


def test_a_record_of_impossible_length_is_not_loaded(tmp_path: Path):
    length = struct.pack("<Q", 1 << 40)
    (tmp_path / "x").write_bytes(length + struct.pack("<I", masked_crc32c(length)))
    with pytest.raises(DataError, match="bytes long"):
        list(read_frames(tmp_path / "x"))


def test_a_wanting_record_is_reported_with_number_and_offset(tmp_path: Path):
    data = frame(b"first") + frame(b"second")
    (tmp_path / "x").write_bytes(data[:-3])
    with pytest.raises(DataError, match=r"record 1 at byte 21: the file ends 3 bytes early.*download"):
        list(read_frames(tmp_path / "x"))


def test_a_length_that_begins_like_another_kind_of_file_is_read(tmp_path: Path):
    (tmp_path / "x").write_bytes(frame(b"x" * ord("<")))
    assert len(list(read_frames(tmp_path / "x"))) == 1


def test_keys_of_cells_and_of_their_genes_agree_and_invert():
    seen = set()
    for i, cell in enumerate(all_cells()):
        if i == 20_000:
            break
        key = pack(cell)
        assert unpack(key) == cell
        assert pack_genes(to_genes(cell)) == key
        seen.add(key)
    assert len(seen) == 20_000


def test_the_test_cells_are_canonical_texts():
    from search_spaces.nasbench101 import NASBench101

    space = NASBench101()
    assert [space.format(space.parse(text)) for text in CELLS] == list(CELLS)
