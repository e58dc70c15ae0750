"""NASBench-101 (Ying et al., ICML 2019): 423,624 convolutional cells, their costs and their networks.

Importing this package loads neither torch nor pandas; names that need them are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.core.lazy import lazy_names
from search_spaces.nasbench101.cell import Cell
from search_spaces.nasbench101.cost import Skeleton
from search_spaces.nasbench101.enumeration import CellRow, UniformSampler, enumerate_cells, write_cells
from search_spaces.nasbench101.hashing import cell_hash, module_hash
from search_spaces.nasbench101.space import NASBench101

if TYPE_CHECKING:
    from search_spaces.nasbench101.network import CellNetwork, build_network
    from search_spaces.nasbench101.table import NASBench101Table, ParquetTable, import_tfrecord, load_table
    from search_spaces.nasbench101.table_evaluator import TableEvaluator, TabularNASBench101

__all__ = [
    "Cell", "CellNetwork", "CellRow", "NASBench101", "NASBench101Table", "ParquetTable", "Skeleton",
    "TableEvaluator", "TabularNASBench101", "UniformSampler", "build_network", "cell_hash",
    "enumerate_cells", "import_tfrecord", "load_table", "module_hash", "write_cells",
]  # fmt: skip

__getattr__ = lazy_names(
    __name__,
    {
        ".network": ("CellNetwork", "build_network"),
        ".table": ("NASBench101Table", "ParquetTable", "import_tfrecord", "load_table"),
        ".table_evaluator": ("TableEvaluator", "TabularNASBench101"),
    },
)
