"""The published NASBench-101 files, read without TensorFlow: framing, JSON, base64, protobuf.

Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019. A file is a sequence
of TFRecord frames (8-byte little-endian length, its checksum, data, the data's checksum); each record is the
JSON list [module hash, epochs, adjacency digits, operations, base64 of a `ModelMetrics` message].
"""

from __future__ import annotations

import binascii
import io
import json
import math
import struct
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import google_crc32c
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory  # type: ignore[import-untyped, unused-ignore]

from nas.core.errors import DataError
from search_spaces.nasbench101.cell import MAX_VERTICES, OPERATIONS, checked, read_cell
from search_spaces.nasbench101.table_cells import pack

ADVICE = "download the file again (docs/nasbench101-data.md)"
MAX_RECORD = 1 << 20  # bytes; real records have about 400, so a longer one is not one of theirs
_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
_JSON = json.JSONDecoder()
_READ_AHEAD = 1 << 20
_FOREIGN = {  # files downloaded instead by mistake
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a gzip archive (unpack it first)",
    b"PK\x03\x04": "a zip archive",
    b"\x89HDF": "an HDF5 file",
    b"SQLite": "an SQLite database",
    b"version https://git-lfs": "a Git LFS pointer, not the file it points to",
    b"<": "an HTML or XML page, probably an error page of the download",
    b"{": "a JSON file",
}


class Frame(NamedTuple):
    """One record as stored: its number from 0, the byte offset where it starts, its data."""

    number: int
    offset: int
    data: bytes


class RunRecord(NamedTuple):
    """One training run of one cell.

    `values` are eight doubles: training time (s), train, validation and test accuracy (fractions) at the end of
    training, then the same four half way.
    """

    module_hash: str
    epochs: int
    cell: int  # packed, see `table_cells.pack`
    params: int
    values: tuple[float, ...]


def masked_crc32c(data: bytes) -> int:
    """The checksum of the TFRecord format: CRC-32C rotated right by 15 bits plus a constant, modulo 2**32."""
    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def fault(path: Path, number: int, offset: int, what: str) -> DataError:
    """The error for an unusable record: its place, its fault, the remedy."""
    return DataError(f"{path}: record {number:,} at byte {offset:,}: {what}; {ADVICE}")


def read_frames(path: Path) -> Iterator[Frame]:
    """Every frame of a TFRecord file in order, both checksums verified, one in memory at a time.

    Raises `DataError` naming the record and its byte offset when the file is empty, cut off, corrupt or of
    another kind.
    """
    try:
        file = io.BufferedReader(path.open("rb", buffering=0), _READ_AHEAD)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    with file:
        _check_kind(path, file.peek(32)[:32])
        read, offset, number = file.read, 0, 0
        while header := read(_HEADER.size):
            if len(header) < _HEADER.size:
                raise fault(path, number, offset, "the file ends within the header: it is truncated")
            length, expected = _HEADER.unpack(header)
            if (found := masked_crc32c(header[:8])) != expected:
                raise fault(path, number, offset, _mismatch("length", expected, found))
            if length > MAX_RECORD:
                raise fault(path, number, offset, f"{length:,} bytes long, expected at most {MAX_RECORD:,}")
            body = read(length + 4)
            if len(body) < length + 4:
                missing = length + 4 - len(body)
                raise fault(path, number, offset, f"the file ends {missing:,} bytes early: it is truncated")
            data = body[:length]
            (expected,) = _CHECKSUM.unpack_from(body, length)
            if (found := masked_crc32c(data)) != expected:
                raise fault(path, number, offset, _mismatch("data", expected, found))
            yield Frame(number, offset, data)
            number += 1
            offset += length + 16
        if number == 0:
            raise DataError(f"{path}: the file is empty; {ADVICE}")


def _mismatch(part: str, expected: int, found: int) -> str:
    return (
        f"the checksum of its {part} is {found:#010x}, but the file has {expected:#010x}: "
        "the file is corrupt or not a TFRecord file"
    )


def _check_kind(path: Path, start: bytes) -> None:
    kind = next((kind for magic, kind in _FOREIGN.items() if start.lstrip().startswith(magic)), None)
    # A frame whose length happens to begin with such a byte has zeros in the length's upper half.
    if kind is not None and start[4:8] != b"\0\0\0\0":
        raise DataError(f"{path}: this is {kind}, expected a TFRecord file; {ADVICE}")


def decode_run(data: bytes) -> RunRecord:
    """One record's data. Raises `ValueError` with its fault; the caller checks ranges."""
    text = data.decode()
    fields, end = _JSON.raw_decode(text)  # a third quicker than json.loads
    if text[end:].strip():
        raise ValueError("expected nothing after the JSON list")
    if not isinstance(fields, list) or len(fields) != 5:
        raise ValueError("expected a list of 5 JSON fields (hash, epochs, adjacency, operations, metrics)")
    module_hash, epochs, adjacency, operations, encoded = fields
    if tuple(map(type, fields)) != (str, int, str, str, str):
        raise ValueError("expected the JSON fields text, whole number, text, text, text")
    metrics = metrics_class()()
    try:
        metrics.ParseFromString(_decode_base64(encoded))
    except message.DecodeError:
        raise ValueError("the metrics are not a protobuf message of the expected kind") from None
    if len(metrics.evaluation_data) != 3:
        raise ValueError(f"expected 3 evaluations (start, half way, end), got {len(metrics.evaluation_data)}")
    _, half, end = metrics.evaluation_data
    values = (
        end.training_time,
        end.train_accuracy,
        end.validation_accuracy,
        end.test_accuracy,
        half.training_time,
        half.train_accuracy,
        half.validation_accuracy,
        half.test_accuracy,
    )
    return RunRecord(
        module_hash, epochs, pack_published(adjacency, operations), metrics.trainable_parameters, values
    )


def _decode_base64(text: str) -> bytes:
    """Strict except for line breaks, which the official writer's Python 2 `encodestring` inserts."""
    text = text.replace("\n", "")
    decoded = binascii.a2b_base64(text)
    if len(decoded) != len(text) // 4 * 3 - text.count("=") or len(text) % 4:  # skipped a foreign character
        raise ValueError("the metrics are not valid base64")
    return decoded


@lru_cache(maxsize=4096)  # the runs of one cell stand near each other
def pack_published(adjacency: str, operations: str) -> int:
    """Pack a cell as published: n*n digits row by row, operation labels joined by commas."""
    n = math.isqrt(len(adjacency))
    labels = operations.split(",")
    if not 2 <= n <= MAX_VERTICES or n * n != len(adjacency) or len(labels) != n:
        raise ValueError(f"adjacency of {len(adjacency)} digits with {len(labels)} operations is not a cell")
    if labels[0] != "input" or labels[-1] != "output" or set(labels[1:-1]) - set(OPERATIONS):
        raise ValueError(f"operations {operations!r}: expected input, {', '.join(OPERATIONS)}, ..., output")
    bits = "".join(adjacency[i * n + i + 1 : (i + 1) * n] for i in range(n))
    if adjacency.count("1") != bits.count("1") or set(adjacency) - {"0", "1"}:
        raise ValueError(f"adjacency {adjacency!r}: expected digits 0 and 1 above the diagonal only")
    return pack(checked(read_cell(bits, labels), "cell"))


@cache
def metrics_class() -> Any:
    """The message class of `model_metrics.proto`, made at run time; absent numbers read as NaN or -1."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="search_spaces/nasbench101/model_metrics.proto", package="nasbench101_table", syntax="proto2"
    )
    metrics = file.message_type.add(name="ModelMetrics")
    evaluation = file.message_type.add(name="EvaluationData")

    def add(owner: Any, name: str, number: int, kind: int, absent: str) -> None:
        owner.field.add(name=name, number=number, type=kind, label=kinds.LABEL_OPTIONAL, default_value=absent)

    metrics.field.add(
        name="evaluation_data",
        number=1,
        type=kinds.TYPE_MESSAGE,
        type_name=".nasbench101_table.EvaluationData",
        label=kinds.LABEL_REPEATED,
    )
    add(metrics, "trainable_parameters", 2, kinds.TYPE_INT32, "-1")
    add(metrics, "total_time", 3, kinds.TYPE_DOUBLE, "nan")
    names = ("current_epoch", "training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
    for number, name in enumerate(names, start=1):
        add(evaluation, name, number, kinds.TYPE_DOUBLE, "nan")
    evaluation.field.add(name="checkpoint_path", number=6, type=kinds.TYPE_STRING, label=kinds.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("nasbench101_table.ModelMetrics"))
