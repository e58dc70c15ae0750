"""NAS-Bench-201 as a search space: six edges, five operations an edge, exact costs.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search", ICLR 2020, section 2.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from nas.errors import ArchitectureError
from nas.interfaces import SearchSpace
from nas.records import Architecture

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
