"""The MUXNet search space: genes, variation, exact cost, encodings, and the networks themselves."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.core.bounds import check_time
from nas.core.errors import ArchitectureError, ConfigError
from nas.core.records import Architecture, Block, FloatArray
from nas.core.space import SearchSpace, one_hot
from nas.core.task_spec import TaskSpec, Unset
from nas.spaces.by_name import genes_by_name
from search_spaces.muxnet import genes as coding
from search_spaces.muxnet.cost import features_cost
from search_spaces.muxnet.declared import OrderedChoices
from search_spaces.muxnet.description import describe
from search_spaces.muxnet.models import MODELS
from search_spaces.muxnet.presets import SpaceOptions, preset_options
from search_spaces.muxnet.sharing import Entries, Shared, shared_parts
from search_spaces.muxnet.spec import NetworkSpec, halved, placed
from search_spaces.muxnet.structure import summary
from search_spaces.muxnet.text import format_spec, parse_spec

if TYPE_CHECKING:
    from search_spaces.muxnet.network import MUXNet, MUXNetFeatures

_MUTANTS = 10_000  # redrawn until the network changes


class MUXNetSpace(SearchSpace):
    """Networks of multiplexed convolutions (MUXConv, section 4), by preset: imagenet, cifar or tiny.

    Every vector within `cardinalities` is a network: an inactive gene is ignored, a choice that does
    not fit (scales on an odd map, a group factor that does not divide) falls back to the nearest that does.
    `canonical` applies this, so that equal networks are one architecture. The text form is that of
    `search_spaces.muxnet.text`; `parse` also reads the names of the four networks where they are points of
    the space, and is strict: a choice that does not fit is an error.

    Costs and networks use `num_classes` and `in_channels`; when None, they follow the
    data of a search (`for_task`) and without data are the preset's own. `size` is the number of different networks. With custom `options`,
    `preset` only names the space. Raises `ConfigError` for an unknown preset.
    """

    def __init__(
        self,
        preset: str = "imagenet",
        *,
        num_classes: int | None = None,
        in_channels: int | None = None,
        options: SpaceOptions | None = None,
    ) -> None:
        self.name = f"muxnet-{preset}"
        self.options = preset_options(preset) if options is None else options
        self.num_classes: int = Unset(self.options.num_classes) if num_classes is None else num_classes
        self.in_channels: int = Unset(self.options.in_channels) if in_channels is None else in_channels
        for what, value in (("num_classes", self.num_classes), ("in_channels", self.in_channels)):
            if value < 1:
                raise ConfigError(f"{what}: expected at least 1, got {value}")
        values = coding.choice_values(self.options)
        counts = [len(choices) for choices in values]
        names = coding.choice_names(self.options)
        self._length = len(counts)
        self._positions = tuple(i for i, n in enumerate(counts) if n > 1)
        self.cardinalities = tuple(counts[i] for i in self._positions)
        self.size: int = coding.count_networks(self.options)
        self.parameters = tuple(names[i] for i in self._positions)
        self._values = tuple(tuple(values[i]) for i in self._positions)
        self._ordered = OrderedChoices(self.options)
        self.first_numeric = self._ordered.first_numeric
        self._last_shared: tuple[Architecture | None, Shared] = (None, Shared(()))

    def for_task(self, task: TaskSpec) -> MUXNetSpace:
        """The same space for this task's channels and classes; a network resizes images to its own resolution.

        Raises `ConfigError` where a given setting contradicts the task.
        """
        changed = copy.copy(self)
        changed.num_classes = task.count("num_classes", self.num_classes)
        changed.in_channels = task.count("in_channels", self.in_channels)
        return changed

    def canonical(self, architecture: Architecture) -> Architecture:
        full, _ = self._settled(architecture)
        return self._architecture(full)

    def choices(self, architecture: Architecture) -> dict[str, Any]:
        """The choice of each active gene by name, such as ``{"resolution": 8, "stage1.width": 16}``.

        A width of 0 leaves the stage out. Kernels and scales are tuples. Raises `ArchitectureError` for genes out of range.
        """
        full, active = self._settled(architecture)
        places = zip(self.parameters, self._values, self._positions, strict=True)
        return {name: values[full[i]] for name, values, i in places if active[i]}

    def architecture(self, values: Mapping[str, Any]) -> Architecture:
        """The canonical architecture with these choices. Raises `ArchitectureError` that names the parameter."""
        options = tuple(zip(self.parameters, self._values, strict=True))
        genes = genes_by_name(options, values, lambda genes: self.choices(Architecture(self.name, genes)))
        return self.canonical(Architecture(self.name, genes))

    def spec(self, architecture: Architecture) -> NetworkSpec:
        """The network that an architecture stands for."""
        full, _ = self._settled(architecture)
        return coding.to_spec(self.options, full)

    def from_spec(self, spec: NetworkSpec) -> Architecture:
        """The canonical architecture of a network. Raises `ArchitectureError` when it is not in the space."""
        return self._architecture(coding.from_spec(self.options, spec))

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Every gene uniform, then canonical."""
        drawn = rng.integers(0, self.cardinalities)
        return self.canonical(Architecture(self.name, tuple(int(g) for g in drawn)))

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """Change each gene with probability 1 / genes, at least one, until the network is another one.

        The same one where the space has no other.

        Inactive genes are redrawn first, so that genes activated by a mutation are random.
        """
        parent, active = self._settled(architecture)
        canonical = self._architecture(parent)
        acts = np.array([active[i] for i in self._positions])
        cardinalities = np.array(self.cardinalities)
        for _ in range(_MUTANTS if len(cardinalities) else 0):
            check_time()
            genes = np.where(acts, canonical.genes, rng.integers(0, cardinalities))
            changed = rng.random(len(genes)) < 1 / len(genes)
            changed[rng.integers(len(genes))] = True
            genes = np.where(changed, (genes + rng.integers(1, cardinalities)) % cardinalities, genes)
            child = self.canonical(Architecture(self.name, tuple(genes.tolist())))
            if child != canonical:
                return child
        return canonical

    def crossover(self, first: Architecture, second: Architecture, rng: np.random.Generator) -> Architecture:
        """Each stage whole from either parent, each of the other genes too."""
        one, two = self._settled(first)[0], self._settled(second)[0]
        group = [self._group(i) for i in range(self._length)]
        from_second = rng.random(max(group) + 1) < 0.5
        full = [b if from_second[g] else a for a, b, g in zip(one, two, group, strict=True)]
        coding.settle(self.options, full)
        return self._architecture(full)

    def cost(self, architecture: Architecture) -> Mapping[str, int]:
        """Exact `params` and `madds` (one image at the architecture's resolution), as of the built network."""
        full, _ = self._settled(architecture)
        cost = coding.full_cost(self.options, full, self.num_classes, self.in_channels)
        return {"params": cost.params, "madds": cost.madds}

    def blocks(self, architecture: Architecture) -> list[Block]:
        """The network from stem to classifier, at its own resolution; costs add up to those of `cost`."""
        spec = self.spec(architecture)
        return describe(spec, num_classes=self.num_classes, in_channels=self.in_channels)

    def encode(self, architectures: Sequence[Architecture]) -> FloatArray:
        """One-hot canonical genes, shape (n, sum of cardinalities)."""
        return one_hot([self.canonical(a).genes for a in architectures], self.cardinalities)

    @property
    def encodings(self) -> Mapping[str, Callable[[Sequence[Architecture]], FloatArray]]:
        """`default` (one-hot), `ordinal` (choices from 0 to 1), `cost` (ordinal, and log10 of the costs), `summary` (see `structure`).

        `mixed` has categories, -1 while inactive, and from column `first_numeric` on ordered choices from 0 to 1.
        """
        return {
            "default": self.encode,
            "ordinal": self._ordinal,
            "cost": self._with_cost,
            "mixed": self._mixed,
            "summary": self._summary,
        }

    def format(self, architecture: Architecture) -> str:
        return format_spec(self.spec(architecture))

    def parse(self, text: str) -> Architecture:
        spec = MODELS.get(text.strip())
        try:
            return self.from_spec(parse_spec(text) if spec is None else spec)
        except ArchitectureError as error:
            raise ArchitectureError(f"not in space {self.name!r}: {error}") from None

    def build(
        self,
        architecture: Architecture,
        *,
        num_classes: int | None = None,
        in_channels: int | None = None,
        dropout: float | None = None,
        drop_connect: float = 0.0,
    ) -> MUXNet:
        """The plain network, for images of any size: they are resized to the architecture's resolution.

        `dropout` None is the preset's: 0.2, and none in `tiny`.
        """
        from search_spaces.muxnet.network import MUXNet

        return MUXNet(
            self.spec(architecture),
            num_classes=self.num_classes if num_classes is None else num_classes,
            in_channels=self.in_channels if in_channels is None else in_channels,
            dropout=self.options.dropout if dropout is None else dropout,
            drop_connect=drop_connect,
            resize=True,
        )

    def shared_name(self, architecture: Architecture, name: str) -> str:
        """The tensor that a parameter shares with other networks: by stage, block, role and scale."""
        return self._shared(architecture).name(name)

    def shared_entries(self, architecture: Architecture, name: str) -> Entries:
        """The entries of that tensor, by dimension: of the same channels in every network, whatever shuffles and mixtures of kernels did to their order."""
        return self._shared(architecture).entries.get(name, ())

    def _shared(self, architecture: Architecture) -> Shared:
        known, shared = self._last_shared
        if known is not architecture:
            shared = shared_parts(self.options, self._settled(architecture)[0], self.spec(architecture))
            self._last_shared = (architecture, shared)
        return shared

    def to_svg(self, architecture: Architecture) -> str:
        """A drawing of the network, block by block."""
        from search_spaces.muxnet.description import to_svg

        return to_svg(self.spec(architecture), num_classes=self.num_classes, in_channels=self.in_channels)

    def body(self, architecture: Architecture) -> Architecture:
        """The canonical architecture of those that differ in their heads alone."""
        full, _ = self._settled(architecture)
        return self._architecture([*full[:-1], 0])

    def build_features(self, architecture: Architecture, *, in_channels: int | None = None) -> MUXNetFeatures:
        """The body alone, for images of any size: a map for each of its strides from 4 on."""
        from search_spaces.muxnet.network import features_of

        return features_of(self.spec(architecture), self.in_channels if in_channels is None else in_channels)

    def features_cost(
        self, architecture: Architecture, image_size: tuple[int, int], output_stride: int, in_channels: int
    ) -> Mapping[str, int]:
        """Exact `params` and `madds` of the body for images (height, width); the last map's `width` and `pixels`."""
        spec = self.spec(architecture)
        cost = features_cost(spec, image_size, output_stride, in_channels)
        *_, last = placed(spec)
        stride = min(last.stride, output_stride)
        pixels = halved(image_size[0], stride) * halved(image_size[1], stride)
        return {"params": cost.params, "madds": cost.madds, "width": last.block.width, "pixels": pixels}

    def _settled(self, architecture: Architecture) -> tuple[list[int], list[bool]]:
        if not self.is_valid(architecture):
            raise ArchitectureError(
                f"genes {architecture.genes}: expected {len(self.cardinalities)} of them in space "
                f"{self.name!r}, each below {self.cardinalities}"
            )
        full = [0] * self._length
        for position, gene in zip(self._positions, architecture.genes, strict=True):
            full[position] = gene
        return full, coding.settle(self.options, full)

    def _architecture(self, full: Sequence[int]) -> Architecture:
        return Architecture(self.name, tuple([full[i] for i in self._positions]))

    def _group(self, position: int) -> int:
        """Which entries of the full vector stay together in a crossover."""
        stage, stages = (position - coding.LEADING) // coding.PER_STAGE, len(self.options.stages)
        if position < coding.LEADING:
            return position
        return coding.LEADING + min(stage, stages)

    def _ordinal(self, architectures: Sequence[Architecture]) -> FloatArray:
        rows = np.array([self.canonical(a).genes for a in architectures], dtype=np.float64)
        scaled: FloatArray = rows.reshape(len(rows), -1) / (np.array(self.cardinalities) - 1)
        return scaled

    def _mixed(self, architectures: Sequence[Architecture]) -> FloatArray:
        return self._ordered.mixed([self._settled(a)[0] for a in architectures])

    def _summary(self, architectures: Sequence[Architecture]) -> FloatArray:
        return summary(self.options, [self._settled(a)[0] for a in architectures])

    def _with_cost(self, architectures: Sequence[Architecture]) -> FloatArray:
        costs = np.array([tuple(self.cost(a).values()) for a in architectures], dtype=np.float64)
        return np.hstack([self._ordinal(architectures), np.log10(costs.reshape(-1, 2))])
