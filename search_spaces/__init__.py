"""The built-in search spaces, one folder each. A new one is a folder and a line here.

An entry is loaded on first use, so listing the names loads none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nas.core.lazy import Lazy

SEARCH_SPACES: dict[str, Callable[..., Any]] = {
    "muxnet-tiny": Lazy("search_spaces.muxnet.by_preset", "tiny"),
    "muxnet-cifar": Lazy("search_spaces.muxnet.by_preset", "cifar"),
    "muxnet-imagenet": Lazy("search_spaces.muxnet.by_preset", "imagenet"),
    "nasbench101": Lazy("search_spaces.nasbench101", "NASBench101"),
    "nasbench101-table": Lazy("search_spaces.nasbench101.table_config", "tabular_space"),
    "nasbench201": Lazy("search_spaces.nasbench201", "NASBench201"),
}

# Evaluators that look a candidate up in a table instead of training it.
TABLES: dict[str, Callable[..., Any]] = {
    "nasbench101-table": Lazy("search_spaces.nasbench101.table_config", "table_evaluator"),
    "nasbench101-evoxbench": Lazy("search_spaces.nasbench101.table_config", "evoxbench_evaluator"),
    "nasbench201-table": Lazy("search_spaces.nasbench201.table_config", "table_evaluator"),
}
