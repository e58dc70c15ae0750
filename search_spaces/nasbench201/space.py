"""NAS-Bench-201 as a search space: six edges, five operations an edge, exact costs.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search", ICLR 2020, section 2.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from nas.errors import ArchitectureError
from nas.interfaces import SearchSpace
from nas.records import Architecture, FloatArray
from search_spaces.nasbench201 import structure

OPERATIONS = ("none", "skip", "conv 1x1", "conv 3x3", "average pool 3x3")
EDGES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))  # (to, from), in the order of the genes
CONV1X1, CONV3X3 = 2, 3

_CELLS = 5  # per stage
_STAGES = ((16, 32), (32, 16), (64, 8))  # channels, pixels a side
# Everything outside the cells: stem, two residual down-sampling blocks, last normalisation, classifier of ten
_BASE_PARAMS = 73_306
_BASE_MADDS = 7_783_050


class NASBench201(SearchSpace):
    """A cell of four nodes; gene i is the operation on edge i of `EDGES`, an index into `OPERATIONS`.

    Every combination is valid, and each is its own architecture: cells that compute the same function (dead
    edges, isomorphs) were trained separately by the benchmark and have rows of their own. The text form is the six
    digits. Costs are those of the CIFAR-10 network (16 channels, five cells a stage).
    """

    name = "nasbench201"
    cardinalities = (len(OPERATIONS),) * len(EDGES)

    def format(self, architecture: Architecture) -> str:
        """Six digits, one an edge."""
        return "".join(map(str, architecture.genes))

    def parse(self, text: str) -> Architecture:
        """Read six digits 0 to 4. Raises `ArchitectureError`."""
        digits = text.strip()
        if len(digits) != len(EDGES) or set(digits) - set("01234"):
            raise ArchitectureError(
                f"architecture {text!r}: expected {len(EDGES)} digits, one per edge (to, from) of {EDGES}, each 0 to "
                f"{len(OPERATIONS) - 1} ({', '.join(f'{i} {name}' for i, name in enumerate(OPERATIONS))})"
            )
        return Architecture(self.name, tuple(int(d) for d in digits))

    @property
    def encodings(self) -> Mapping[str, Callable[[Sequence[Architecture]], FloatArray]]:
        """`default` (one-hot genes), `live`, `paths`, `summary`, `structure` and `graph` (see `structure`)."""
        return {
            "default": self.encode,
            "live": lambda cells: structure.live_genes(_table(cells)).astype(np.float64),
            "paths": lambda cells: structure.path_counts(_table(cells)),
            "summary": lambda cells: structure.summary(_table(cells)),
            "structure": lambda cells: structure.structure(_table(cells)),
            "graph": lambda cells: structure.graph(_table(cells)),
        }

    def cost(self, architecture: Architecture) -> Mapping[str, int]:
        """Exact `params` (trainable) and `madds` (of convolutions and classifier, one 32x32 picture).

        Each convolution, connected or not, is followed by a batch normalisation with scale and shift.
        """
        ones, threes = architecture.genes.count(CONV1X1), architecture.genes.count(CONV3X3)
        params, madds = _BASE_PARAMS, _BASE_MADDS
        for channels, side in _STAGES:
            weights = (ones + 9 * threes) * channels**2
            params += _CELLS * (weights + (ones + threes) * 2 * channels)
            madds += _CELLS * weights * side**2
        return {"params": params, "madds": madds}

    def enumerate(self) -> Iterator[Architecture]:
        """Each of the 15,625 architectures once, in ascending order of genes."""
        for genes in itertools.product(*map(range, self.cardinalities)):
            yield Architecture(self.name, genes)


def _table(architectures: Sequence[Architecture]) -> np.ndarray:
    """Genes as an array (n, 6)."""
    return np.array([a.genes for a in architectures], dtype=np.int64).reshape(-1, len(EDGES))
