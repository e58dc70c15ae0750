"""NASBench-101 as a search space: 26 genes, isomorphic cells merged, exact costs, networks of any size."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.core.bounds import DRAWS, attempts, no_valid_sample
from nas.core.records import Architecture, Block, FloatArray
from nas.core.space import SearchSpace
from nas.core.task_spec import Size, TaskSpec, Unset, UnsetSize, as_size
from nas.spaces.by_name import genes_by_name
from search_spaces.nasbench101 import drawing, structure
from search_spaces.nasbench101.canonical import canonical_genes
from search_spaces.nasbench101.cell import (
    CARDINALITIES,
    FULL_BITS,
    INNER,
    MAX_VERTICES,
    MAXPOOL,
    OPERATIONS,
    PARAMETERS,
    Cell,
    columns,
    from_genes,
    in_range,
    parse_cell,
    pruned_from_genes,
    to_genes,
)
from search_spaces.nasbench101.cost import KERNEL_AREA, Skeleton, network_cost, vertex_channels
from search_spaces.nasbench101.enumeration import UniformSampler, all_cells
from search_spaces.nasbench101.hashing import cell_hash
from search_spaces.nasbench101.variation import cross_genes, mutate_genes

if TYPE_CHECKING:
    from search_spaces.nasbench101.network import CellNetwork


# CIFAR-10, the benchmark's training data; the data of a search override these defaults.
CIFAR_SIDE, CIFAR_CLASSES, CIFAR_CHANNELS = Unset(32), Unset(10), Unset(3)


@dataclass(frozen=True)
class NASBench101(SearchSpace):
    """Cells of at most seven vertices and nine edges, stacked into a network (Ying et al., ICML 2019).

    Genes: the 21 edge bits of seven vertices, upper triangle row by row, then the operations of vertices 1
    to 5 (0 conv3x3-bn-relu, 1 conv1x1-bn-relu, 2 maxpool3x3). Valid: a path leads from input to output and
    at most nine edges remain after pruning vertices off every such path. Canonical: the representative that
    the benchmark stores, its inner vertices first, the output at vertex 6, unused vertices isolated with
    operation 0.

    The settings are those of `Skeleton`; `cost` and `build` use the same ones. They default to the
    benchmark's network on CIFAR-10; `NASBench101.digits()` is small. Image size, classes and channels follow the data
    of a search (`for_task`) unless they are given. Raises `ConfigError` for settings that cannot be built.
    """

    stem_channels: int = 128
    stacks: int = 3
    cells_per_stack: int = 3
    image_size: int | Size = CIFAR_SIDE
    num_classes: int = CIFAR_CLASSES
    in_channels: int = CIFAR_CHANNELS
    skeleton: Skeleton = field(init=False, repr=False, compare=False)

    name = "nasbench101"
    cardinalities = CARDINALITIES
    size = 423_624
    parameters = PARAMETERS

    def __post_init__(self) -> None:
        if not isinstance(self.image_size, (int, UnsetSize)):  # a list comes from a YAML file
            object.__setattr__(self, "image_size", as_size("image_size", self.image_size))
        skeleton = Skeleton(
            self.stem_channels,
            self.stacks,
            self.cells_per_stack,
            self.image_size,
            self.num_classes,
            self.in_channels,
        )
        object.__setattr__(self, "skeleton", skeleton)

    @classmethod
    def digits(cls) -> NASBench101:
        """The small setting for 8x8 grey digits in ten classes.

        Sixteen channels in the stem and three stacks of one cell, at 8x8, 4x4 and 2x2 pixels: both poolings
        still halve an image. Five epochs of 1,200 images take 0.4 to 1.5 s on one core (median 1.2 s).
        """
        return cls(
            stem_channels=16,
            stacks=3,
            cells_per_stack=1,
            image_size=Unset(8),
            num_classes=Unset(10),
            in_channels=Unset(1),
        )

    def for_task(self, task: TaskSpec) -> NASBench101:
        """The same space, with the network for this task. Raises `ConfigError` where a given setting contradicts it."""
        changed = copy.copy(self)
        put = object.__setattr__
        put(changed, "image_size", task.size("image_size", self.image_size))
        put(changed, "num_classes", task.count("num_classes", self.num_classes))
        put(changed, "in_channels", task.count("in_channels", self.in_channels))
        changed.__post_init__()
        return changed

    def sample(self, rng: np.random.Generator) -> Architecture:
        """26 genes at random, resampled until valid, as in common use.

        Biased to small cells, because pruning cuts most random graphs down: seven vertices are 85% of the
        space and 0.3% of these draws. `uniform_sampler` gives every cell the same chance.
        """
        for _ in attempts(DRAWS, lambda: no_valid_sample(self.name, DRAWS)):
            edges, code = rng.integers(0, (1 << FULL_BITS, len(OPERATIONS) ** INNER)).tolist()
            genes = (
                *[edges >> i & 1 for i in range(FULL_BITS)],
                *[code // power % 3 for power in (81, 27, 9, 3, 1)],
            )
            if pruned_from_genes(genes) is not None:
                return Architecture(self.name, genes)
        raise AssertionError("attempts end in a return or an error")

    def uniform_sampler(self) -> Callable[[np.random.Generator], Architecture]:
        """A function from a generator to a canonical architecture, each of the 423,624 equally likely."""
        cells = UniformSampler()
        return lambda rng: self.from_cell(cells.sample(rng))

    def is_valid(self, architecture: Architecture) -> bool:
        """Whether genes are in range, join input and output, and leave at most nine edges after pruning."""
        return (
            architecture.space == self.name
            and in_range(architecture.genes)
            and pruned_from_genes(architecture.genes) is not None
        )

    def canonical(self, architecture: Architecture) -> Architecture:
        """The first of the isomorphism class in the benchmark's order; `ArchitectureError` if not valid."""
        genes = canonical_genes(architecture.genes)
        return architecture if genes == architecture.genes else Architecture(self.name, genes)

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """A valid mutant that is not an isomorph of the parent (see `variation.mutate_genes`)."""
        return Architecture(self.name, mutate_genes(architecture.genes, rng))

    def crossover(self, first: Architecture, second: Architecture, rng: np.random.Generator) -> Architecture:
        """A valid child by uniform crossover, new where possible (see `variation.cross_genes`)."""
        return Architecture(self.name, cross_genes(first.genes, second.genes, rng))

    def encode(self, architectures: Sequence[Architecture]) -> FloatArray:
        """Edges and one-hot operations of the canonical cells, shape (n, 36)."""
        return self._encode(structure.adjacency_one_hot, architectures)

    def encode_paths(self, architectures: Sequence[Architecture]) -> FloatArray:
        """The path encoding of BANANAS, shape (n, 364)."""
        return self._encode(structure.paths, architectures)

    @property
    def encodings(self) -> Mapping[str, Callable[[Sequence[Architecture]], FloatArray]]:
        """`default` (adjacency and operations), `paths`, `summary`, `structure` and `graph` (see `structure`)."""
        return {
            "default": self.encode,
            "paths": self.encode_paths,
            "summary": partial(self._encode, structure.summary),
            "structure": partial(self._encode, structure.structure),
            "graph": partial(self._encode, structure.graph),
        }

    def _encode(
        self, encode: Callable[[Sequence[Sequence[int]]], FloatArray], architectures: Sequence[Architecture]
    ) -> FloatArray:
        genes = [self.canonical(a).genes for a in architectures]
        return encode(genes) if genes else encode([self.parse("1-").genes])[:0]

    def format(self, architecture: Architecture) -> str:
        """The canonical cell as '<upper-triangle bits of the pruned cell>-<operation digits>'."""
        cell = self._canonical_cell(architecture)
        return f"{cell.adjacency}-{cell.operations}"

    def parse(self, text: str) -> Architecture:
        """Read the text form: pruned, the vertex order kept as written. Raises `ArchitectureError`.

        The number of vertices follows from the number of bits; '1-' is the cell that joins input and output.
        """
        return self.from_cell(parse_cell(text))

    def choices(self, architecture: Architecture) -> dict[str, int | str]:
        """The edges (``edge0-1``: 1 or 0) and operations (``op1``) of the vertices of the pruned cell.

        The output is vertex 6. Raises `ArchitectureError` if not valid.
        """
        cell = self.cell(architecture)
        used = {*range(cell.num_vertices - 1), MAX_VERTICES - 1}
        values = dict(zip(PARAMETERS, to_genes(cell), strict=True))
        edges = {
            name: values[name]
            for x in used
            for y in range(x + 1, MAX_VERTICES)
            if y in used and (name := f"edge{x}-{y}")
        }
        operations = {f"op{v}": OPERATIONS[values[f"op{v}"]] for v in range(1, cell.num_vertices - 1)}
        return {**edges, **operations}

    def architecture(self, values: Mapping[str, Any]) -> Architecture:
        """The cell with these edges and operations, vertex order kept. Raises `ArchitectureError` that names the parameter."""
        options = tuple((name, OPERATIONS if name.startswith("op") else (0, 1)) for name in PARAMETERS)
        genes = genes_by_name(options, values, lambda genes: self.choices(Architecture(self.name, genes)))
        return Architecture(self.name, genes)

    def cost(self, architecture: Architecture) -> Mapping[str, int]:
        """Exact `params` (trainable) and `madds` (multiply-adds of convolutions and classifier, one image).

        The vertices have the given order, as in `build`: where channels do not divide evenly,
        isomorphs differ.
        """
        params, madds = network_cost(from_genes(architecture.genes), self.skeleton)
        return {"params": params, "madds": madds}

    def blocks(self, architecture: Architecture) -> list[Block]:
        """Stem, cells and classifier; costs add up to those of `cost`."""
        return blocks(from_genes(architecture.genes), self.skeleton)

    def build(
        self, architecture: Architecture, *, num_classes: int | None = None, in_channels: int | None = None
    ) -> CellNetwork:
        """The PyTorch network, (b, in_channels, h, w) to (b, num_classes); None means the space's setting."""
        from search_spaces.nasbench101.network import build_network

        skeleton = replace(
            self.skeleton,
            num_classes=self.num_classes if num_classes is None else num_classes,
            in_channels=self.in_channels if in_channels is None else in_channels,
        )
        return build_network(from_genes(architecture.genes), skeleton)

    def shared_name(self, architecture: Architecture, name: str) -> str:
        """The tensor that a parameter shares with other networks: by cell, vertex and operation.

        The projections of a cell's input are one convolution for all vertices that the input feeds, shared as a whole by
        its first channels.
        """
        first, _, rest = name.partition(".operations.")
        if not rest:
            return name
        number, _, leaf = rest.partition(".")
        operation = OPERATIONS[from_genes(architecture.genes).ops[int(number)]]
        return f"{first}.vertex{int(number) + 1}.{operation}.{leaf}"

    def enumerate(self) -> Iterator[Architecture]:
        """Each of the 423,624 canonical architectures once, in the benchmark's order."""
        return map(self.from_cell, all_cells())

    def cell(self, architecture: Architecture) -> Cell:
        """The pruned cell, vertex order kept. Raises `ArchitectureError` if not valid."""
        return from_genes(architecture.genes)

    def from_cell(self, cell: Cell) -> Architecture:
        """The architecture of a pruned cell, vertex order kept."""
        return Architecture(self.name, to_genes(cell))

    def module_hash(self, architecture: Architecture) -> str:
        """The benchmark's hash of this cell."""
        return cell_hash(self.cell(architecture))

    def describe(self, architecture: Architecture) -> str:
        """The cell in words, one line per vertex."""
        return drawing.describe(self.cell(architecture), self.skeleton)

    def to_svg(self, architecture: Architecture) -> str:
        """A drawing of the cell as a self-contained SVG element."""
        return drawing.to_svg(self.cell(architecture))

    def _canonical_cell(self, architecture: Architecture) -> Cell:
        return from_genes(canonical_genes(architecture.genes))


def blocks(cell: Cell, skeleton: Skeleton) -> list[Block]:
    """The network of a pruned cell; parameters and multiply-adds add up to those of `cost.network_cost`."""
    (tall, wide), stem = skeleton.sides, skeleton.stem_channels
    weights = 9 * skeleton.in_channels * stem
    rows = [Block("stem", "conv3x3-bn-relu", (stem, tall, wide), weights + 2 * stem, weights * tall * wide)]
    for stack, (first_in, width, pixels) in enumerate(skeleton.stages):
        if stack:
            tall, wide = (tall + 1) // 2, (wide + 1) // 2
        for place in range(skeleton.cells_per_stack):
            text = f"stack {stack + 1}, cell {place + 1}"
            if stack and not place:
                text += ", after 2x2 max pooling"
            params, madds = _cell_cost(cell, width if place else first_in, width, pixels)
            rows.append(Block("cell", text, (width, tall, wide), params, madds))
    weights = width * skeleton.num_classes
    rows.append(Block("classifier", "", (skeleton.num_classes,), weights + skeleton.num_classes, weights))
    return rows


def _cell_cost(cell: Cell, entering: int, width: int, pixels: int) -> tuple[int, int]:
    """Parameters and multiply-adds of one cell that `entering` channels enter and `width` leave."""
    channels = vertex_channels(cell, width)
    projected = sum(channels[v] for v, column in enumerate(columns(*cell[:2])) if column & 1)
    convolved = [(channels[v], KERNEL_AREA[op]) for v, op in enumerate(cell.ops, start=1) if op != MAXPOOL]
    weights = projected * entering + sum(area * c**2 for c, area in convolved)
    return weights + 2 * (projected + sum(c for c, _ in convolved)), weights * pixels
