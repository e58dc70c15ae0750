"""Write the published file format: for tests, and for made-up files of the real size."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from nas.core.files import write_stream
from search_spaces.nasbench101.cell import OPERATIONS
from search_spaces.nasbench101.table_cells import unpack
from search_spaces.nasbench101.tfrecord import RunRecord, masked_crc32c, metrics_class


def frame(data: bytes) -> bytes:
    """Data in a TFRecord frame: length, its masked CRC-32C, data, its masked CRC-32C."""
    length = struct.pack("<Q", len(data))
    return b"".join(
        (length, struct.pack("<I", masked_crc32c(length)), data, struct.pack("<I", masked_crc32c(data)))
    )


def encode_run(run: RunRecord) -> bytes:
    """A record's data, the inverse of `tfrecord.decode_run`. The start of training is filled in with chance level."""
    metrics = metrics_class()(trainable_parameters=run.params, total_time=run.values[0] * 1.2)
    for epoch, (seconds, train, validation, test) in (
        (0.0, (0.0, 0.1, 0.1, 0.1)),
        (run.epochs / 2, run.values[4:]),
        (float(run.epochs), run.values[:4]),
    ):
        metrics.evaluation_data.add(
            current_epoch=epoch,
            training_time=seconds,
            train_accuracy=train,
            validation_accuracy=validation,
            test_accuracy=test,
        )
    cell = unpack(run.cell)
    encoded = base64.b64encode(metrics.SerializeToString()).decode()
    labels = ["input", *(OPERATIONS[o] for o in cell.ops), "output"]
    fields = [
        run.module_hash,
        run.epochs,
        matrix_digits(cell.adjacency, len(labels)),
        ",".join(labels),
        encoded,
    ]
    return json.dumps(fields).encode()


def matrix_digits(bits: str, n: int) -> str:
    """The n*n digits, row by row, of an upper triangle."""
    digits = iter(bits)
    return "".join(next(digits) if y > x else "0" for x in range(n) for y in range(n))


def write_tfrecord(path: Path, runs: Iterable[RunRecord]) -> None:
    """Write the runs as a file in the published format."""

    def write(file: BinaryIO) -> None:
        for run in runs:
            file.write(frame(encode_run(run)))

    write_stream(path, write)
