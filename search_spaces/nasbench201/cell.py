"""Operations and edges of a NAS-Bench-201 cell (Dong and Yang, ICLR 2020, section 2.1)."""

from __future__ import annotations

OPERATIONS = ("none", "skip", "conv 1x1", "conv 3x3", "average pool 3x3")
NONE, SKIP, CONV1X1, CONV3X3, POOL = range(len(OPERATIONS))
PUBLISHED = (
    "none",
    "skip_connect",
    "nor_conv_1x1",
    "nor_conv_3x3",
    "avg_pool_3x3",
)  # their names in the benchmark
EDGES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))  # (to, from), in the order of the genes
PARAMETERS = tuple(f"edge{start}-{end}" for end, start in EDGES)  # names of the genes
