"""NAS-Bench-201 as a search space: six edges, five operations an edge, exact costs, networks of any size.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search", ICLR 2020, section 2.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.core.errors import ArchitectureError
from nas.core.records import Architecture, Block, FloatArray
from nas.core.space import SearchSpace
from nas.core.task_spec import Size, TaskSpec, Unset, UnsetSize, as_size
from nas.spaces.by_name import genes_by_name
from search_spaces.nasbench201 import drawing, structure
from search_spaces.nasbench201.cell import CONV1X1, CONV3X3, EDGES, NONE, OPERATIONS, PARAMETERS, PUBLISHED
from search_spaces.nasbench201.cost import Skeleton, network_cost

if TYPE_CHECKING:
    from search_spaces.nasbench201.network import CellNetwork


# CIFAR-10, the benchmark's training data; the data of a search override these defaults.
CIFAR_SIDE, CIFAR_CLASSES, CIFAR_CHANNELS = Unset(32), Unset(10), Unset(3)


@dataclass(frozen=True)
class NASBench201(SearchSpace):
    """A cell of four nodes; gene i is the operation on edge i of `EDGES`, an index into `OPERATIONS`.

    Every combination is valid, and each is its own architecture: cells that compute the same function (dead
    edges, isomorphs) were trained separately by the benchmark and have separate rows. The text form is the six
    digits. The settings are those of `Skeleton`; `cost` and `build` use the same ones. They default to the benchmark's
    network on CIFAR-10; `NASBench201.digits()` is small. Image size, classes and channels follow the data of a search
    (`for_task`) unless they are given. Raises `ConfigError` for settings that cannot be built.
    """

    channels: int = 16
    cells_per_stage: int = 5
    image_size: int | Size = CIFAR_SIDE
    num_classes: int = CIFAR_CLASSES
    in_channels: int = CIFAR_CHANNELS
    skeleton: Skeleton = field(init=False, repr=False, compare=False)

    name = "nasbench201"
    cardinalities = (len(OPERATIONS),) * len(EDGES)
    size = 15_625
    parameters = PARAMETERS

    def __post_init__(self) -> None:
        if not isinstance(self.image_size, (int, UnsetSize)):  # a list comes from a YAML file
            object.__setattr__(self, "image_size", as_size("image_size", self.image_size))
        skeleton = Skeleton(
            self.channels, self.cells_per_stage, self.image_size, self.num_classes, self.in_channels
        )
        object.__setattr__(self, "skeleton", skeleton)

    @classmethod
    def digits(cls) -> NASBench201:
        """The small setting for 8x8 grey digits in ten classes: 8, 16 and 32 channels, one cell a stage."""
        return cls(channels=8, cells_per_stage=1, image_size=Unset(8), in_channels=Unset(1))

    def for_task(self, task: TaskSpec) -> NASBench201:
        """The same space, with the network for this task. Raises `ConfigError` where a given setting contradicts it."""
        return replace(
            self,
            image_size=task.size("image_size", self.image_size),
            num_classes=task.count("num_classes", self.num_classes),
            in_channels=task.count("in_channels", self.in_channels),
        )

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

    def choices(self, architecture: Architecture) -> dict[str, str]:
        """The operation on each edge by its name in the benchmark, such as ``{"edge0-1": "nor_conv_3x3"}``."""
        if not self.is_valid(architecture):
            raise ArchitectureError(
                f"genes {architecture.genes}: expected {len(EDGES)} from 0 to {len(OPERATIONS) - 1}"
            )
        return {name: PUBLISHED[g] for name, g in zip(PARAMETERS, architecture.genes, strict=True)}

    def architecture(self, values: Mapping[str, Any]) -> Architecture:
        """The cell with these operations by edge. Raises `ArchitectureError` that names the edge."""
        options = tuple((name, PUBLISHED) for name in PARAMETERS)
        genes = genes_by_name(options, values, lambda genes: self.choices(Architecture(self.name, genes)))
        return Architecture(self.name, genes)

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
        """Exact `params` (trainable) and `madds` (convolutions and classifier, one image); see `network_cost`."""
        params, madds = network_cost(architecture.genes, self.skeleton)
        return {"params": params, "madds": madds}

    def blocks(self, architecture: Architecture) -> list[Block]:
        """Stem, cells, the residual blocks between stages, classifier; costs add up to those of `cost`."""
        return blocks(architecture.genes, self.skeleton)

    def build(
        self, architecture: Architecture, *, num_classes: int | None = None, in_channels: int | None = None
    ) -> CellNetwork:
        """The PyTorch network, freshly initialised; classes and channels default to the space's own."""
        from search_spaces.nasbench201.network import CellNetwork

        skeleton = replace(
            self.skeleton,
            num_classes=self.num_classes if num_classes is None else num_classes,
            in_channels=self.in_channels if in_channels is None else in_channels,
        )
        return CellNetwork(architecture.genes, skeleton)

    def shared_name(self, architecture: Architecture, name: str) -> str:
        """The tensor that a parameter shares with other networks: by cell, edge and operation."""
        before, operations, after = name.partition(".operations.")
        if not operations:
            return name
        number, _, rest = after.partition(".")
        used = [edge for edge, gene in enumerate(architecture.genes) if gene != NONE]
        edge = used[int(number)]
        return f"{before}.{PARAMETERS[edge]}.{PUBLISHED[architecture.genes[edge]]}.{rest}"

    def enumerate(self) -> Iterator[Architecture]:
        """Each of the 15,625 architectures once, in ascending order of genes."""
        for genes in itertools.product(*map(range, self.cardinalities)):
            yield Architecture(self.name, genes)

    def describe(self, architecture: Architecture) -> str:
        """The cell in words, one line per edge, with the benchmark's own text."""
        return drawing.describe(architecture.genes, self.skeleton)

    def to_svg(self, architecture: Architecture) -> str:
        """A drawing of the cell as a self-contained SVG element."""
        return drawing.to_svg(architecture.genes)


def _table(architectures: Sequence[Architecture]) -> np.ndarray:
    """Genes as an array (n, 6)."""
    return np.array([a.genes for a in architectures], dtype=np.int64).reshape(-1, len(EDGES))


def blocks(operations: Sequence[int], skeleton: Skeleton) -> list[Block]:
    """The network whose cells have these six operations; costs add up to those of `cost.network_cost`."""
    ones, threes = list(operations).count(CONV1X1), list(operations).count(CONV3X3)
    (tall, wide), entering = skeleton.sides, skeleton.channels
    weights = 9 * skeleton.in_channels * entering
    rows = [Block("stem", "conv 3x3", (entering, tall, wide), weights + 2 * entering, weights * tall * wide)]
    for stage, (channels, pixels) in enumerate(skeleton.stages):
        if stage:
            tall, wide = (tall + 1) // 2, (wide + 1) // 2
        shape = (channels, tall, wide)
        if stage:
            weights = 9 * entering * channels + 9 * channels**2 + entering * channels
            rows.append(
                Block("residual", "halves the sides", shape, weights + 4 * channels, weights * pixels)
            )
        weights = (ones + 9 * threes) * channels**2
        params = weights + (ones + threes) * 2 * channels
        for place in range(skeleton.cells_per_stage):
            text = f"stage {stage + 1}, cell {place + 1}"
            rows.append(Block("cell", text, shape, params, weights * pixels))
        entering = channels
    weights, classes = entering * skeleton.num_classes, skeleton.num_classes
    rows.append(
        Block("classifier", "normalisation first", (classes,), 2 * entering + weights + classes, weights)
    )
    return rows
