"""Time to open, query and import the NASBench-101 table at full size.

The numbers in the table are made up (and flagged so); the cells, their hashes and all sizes are the real ones. Run:
`python experiments/speed/nasbench101_table.py [--cells 423624] [--records 50000]`; 5083488 records are the full file
(1.9 GB and a few minutes).
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import psutil

from search_spaces.nasbench101.cell import Cell
from search_spaces.nasbench101.enumeration import all_cells
from search_spaces.nasbench101.hashing import cell_hash
from search_spaces.nasbench101.table_cells import pack
from search_spaces.nasbench101.table_import import BUDGETS, CELLS, import_tfrecord
from search_spaces.nasbench101.table_layout import METRICS, RUNS, write_store
from search_spaces.nasbench101.tfrecord import RunRecord
from search_spaces.nasbench101.tfrecord_write import write_tfrecord

# measured in a separate process, so that caches and memory of the building do not count
PROBE = """
import sys, time, numpy as np, psutil
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench101.table import NASBench101Table
space, rng = NASBench101(), np.random.default_rng(1)
path, queries = sys.argv[1], int(sys.argv[2])
memory = psutil.Process().memory_info
before, start = memory().rss, time.perf_counter()
table = NASBench101Table.open(path)
opened = time.perf_counter() - start
from search_spaces.nasbench101.table_cells import unpack
keys = np.load(path + "/cell.npy", mmap_mode="r")
cells = [unpack(int(k)) for k in keys[rng.integers(len(keys), size=queries)]]
kinds = {
    "architecture": [space.from_cell(c) for c in cells],
    "text form": [f"{c.adjacency}-{c.operations}" for c in cells],
    "module hash": [table.hash_of(f"{c.adjacency}-{c.operations}") for c in cells],
}
print(f"open                    {opened * 1e3:10.2f} ms")
print(f"memory after opening    {(memory().rss - before) / 2**20:10.1f} MB")
for name, given in kinds.items():
    times = np.empty(queries)
    for i, cell in enumerate(given):
        start = time.perf_counter()
        table.query(cell)
        times[i] = time.perf_counter() - start
    times *= 1e6
    print(f"query by {name:14s} median {np.median(times):6.2f} us, 99% {np.quantile(times, 0.99):6.2f} us")
print(f"memory after {3 * queries:,} queries {(memory().rss - before) / 2**20:7.1f} MB (the queries' own lists included)")
del kinds, cells, given
for values in table._columns.values():
    values.sum()  # touches every page
print(f"memory, all pages read  {(memory().rss - before) / 2**20:10.1f} MB")
"""


def synthetic_store(out: Path, cells: int) -> None:
    """A store of the benchmark's first cells with random results."""
    rng = np.random.default_rng(0)
    found = [(bytes.fromhex(cell_hash(c)), pack(c)) for c in islice(all_cells(), cells)]
    found.sort()
    shape = (len(found), len(BUDGETS), RUNS)
    columns: dict[str, np.ndarray] = {
        "hash": np.frombuffer(b"".join(h for h, _ in found), dtype=">u8").reshape(-1, 2).astype(np.uint64),
        "cell": np.array([key for _, key in found], dtype=np.uint32),
        "params": rng.integers(227_274, 49_979_274, len(found)),
    }
    for metric in METRICS:
        scale = 2000.0 if metric == "training_time" else 1.0
        columns[f"final_{metric}"] = rng.random(shape) * scale
        columns[f"halfway_{metric}"] = rng.random(shape, dtype=np.float32) * np.float32(scale)
    write_store(out, columns, BUDGETS, {"source": "made up", "synthetic": True})


def synthetic_runs(records: int) -> Iterator[RunRecord]:
    """Runs in the published order of magnitude: as many cells as needed, four budgets, three runs."""
    rng = np.random.default_rng(0)

    def of_cell(cell: Cell) -> Iterator[RunRecord]:
        module_hash, key = cell_hash(cell), pack(cell)
        for epochs in BUDGETS:
            for _ in range(RUNS):
                values = (rng.integers(1, 9985, 8) / 9984).tolist()
                yield RunRecord(module_hash, epochs, key, 1_000_000, tuple(values))

    count = records // (len(BUDGETS) * RUNS)
    first = min(CELLS - count, 2_000)  # cells of typical size, if there is room for a choice
    return (run for cell in islice(all_cells(), first, first + count) for run in of_cell(cell))


def measure_import(folder: Path, records: int) -> None:
    source = folder / "made_up.tfrecord"
    write_tfrecord(source, synthetic_runs(records))
    memory = psutil.Process().memory_info
    before, start = memory().rss, time.perf_counter()
    report = import_tfrecord(source, folder / "imported", partial=records < CELLS * len(BUDGETS) * RUNS)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"import {report.records:,} records of {report.source_bytes / report.records:.0f} bytes", end=": ")
    print(f"{seconds:.2f} s, {report.records / seconds:,.0f} records/s, ", end="")
    print(f"{report.hashes_checked:,} hashes checked, ", end="")
    print(f"memory {(memory().rss - before) / 2**20:.0f} MB, peak of the process {peak:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=CELLS)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--queries", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measure_import(folder, arguments.records)
        start = time.perf_counter()
        synthetic_store(folder / "store", arguments.cells)
        size = sum(f.stat().st_size for f in (folder / "store").iterdir())
        print(f"made-up store of {arguments.cells:,} cells: {size / 2**20:.0f} MB on disk", end=", ")
        print(f"built in {time.perf_counter() - start:.0f} s")
        probe = [sys.executable, "-c", PROBE, str(folder / "store"), str(arguments.queries)]
        subprocess.run(probe, check=True, cwd=Path(__file__).resolve().parents[2])


if __name__ == "__main__":
    main()
