"""The table of NAS-Bench-201 for configs: its path and plain settings."""

from __future__ import annotations

from search_spaces.nasbench201.table import Measure, NASBench201Evaluator, NASBench201Table


def table_evaluator(
    path: str, dataset: str = "cifar10", split: str = "val", epochs: int = 12
) -> NASBench201Evaluator:
    """Look NAS-Bench-201 architectures up in the table at `path`: searched on `dataset`, `split` and `epochs`.

    The 200-epoch test error of the same data set is reported beside it. Searching on the test split is searching
    on the test set: state this wherever such a result appears.
    """
    reported = Measure(dataset=dataset, split="test", epochs=200)
    return NASBench201Evaluator(NASBench201Table.open(path), Measure(dataset, split, epochs), reported)
