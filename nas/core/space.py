"""The contract of a search space: its base class, and optional abilities as protocols."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from nas.core import bounds
from nas.core.errors import ArchitectureError, ConfigError, NasError
from nas.core.records import Architecture, Block, FloatArray
from nas.core.task_spec import TaskSpec
from nas.core.text import restored, storable
from nas.core.tracebacks import summarize_exception

if TYPE_CHECKING:  # torch is imported only to build a network
    from torch import nn
    from typing_extensions import TypeIs

GIVEN = "_given_by_the_config"  # attribute of a custom space: its user's settings that the data decide


class SearchSpace:
    """A set of architectures, each a vector of integer genes.

    The smallest space is a subclass that sets `name` and `cardinalities`; the defaults treat every combination as valid
    and distinct. Optional abilities are the protocols below (`HasVariation`, `HasCost`, `HasBuild`, `HasEnumeration`): a
    space has an ability when it has its methods and does not name them in `lacks`.
    """

    name: str = ""
    cardinalities: tuple[int, ...] = ()  # choices per gene; gene i takes 0 .. cardinalities[i] - 1
    fixed_genes: Mapping[int, int] = MappingProxyType({})  # genes with one allowed value: gene to value
    size: int | None = None  # number of distinct architectures, if known
    first_numeric: int | None = None
    """First numeric column of the encoding "mixed", which a space with ordered or inactive genes offers: before it are
    categories, from it on numbers on [0, 1]. None: all genes are categories."""
    lacks: frozenset[str] = frozenset()  # methods of the class that this object cannot offer, such as "build"

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draw a valid architecture (canonical or not).

        By default genes are drawn until `is_valid` accepts them, at most `nas.core.bounds.DRAWS` times; then raises
        `SamplingError`. A space with few valid combinations overrides this method.
        """
        return rejection_sample(self, rng, bounds.DRAWS)

    def is_valid(self, architecture: Architecture) -> bool:
        """Whether the genes form a network of this space."""
        genes, cardinalities = architecture.genes, self.cardinalities
        return (
            len(genes) == len(cardinalities)
            and min(genes) >= 0
            and all(map(operator.lt, genes, cardinalities))
        )

    def canonical(self, architecture: Architecture) -> Architecture:
        """The representative of all architectures with the same network; idempotent."""
        return architecture

    def encode(self, architectures: Sequence[Architecture]) -> FloatArray:
        """Features for surrogates, shape (n, d); by default one-hot genes."""
        return one_hot([a.genes for a in architectures], self.cardinalities)

    @property
    def encodings(self) -> Mapping[str, Callable[[Sequence[Architecture]], FloatArray]]:
        """All encodings of the space by name, including the default."""
        return {"default": self.encode}

    def format(self, architecture: Architecture) -> str:
        """Compact text form, the inverse of `parse`; used in files and on the command line."""
        return "-".join(str(g) for g in architecture.genes)

    def parse(self, text: str) -> Architecture:
        """Parse the text form. Raises `ArchitectureError` with the reason."""
        try:
            genes = tuple(int(g) for g in text.split("-"))
        except ValueError:
            raise ArchitectureError(
                f"architecture {text!r}: expected {len(self.cardinalities)} whole numbers joined by '-'"
            ) from None
        architecture = Architecture(self.name, genes)
        if not self.is_valid(architecture):
            raise ArchitectureError(
                f"architecture {text!r} is not valid in space {self.name!r}: expected "
                f"{len(self.cardinalities)} genes below {self.cardinalities}"
            )
        return architecture


_ONE_BY_ONE = 32  # single draws before switching to blocks, which are cheaper per draw
_BLOCK = 1000


def rejection_sample(space: SearchSpace, rng: np.random.Generator, most: int) -> Architecture:
    """Return the first valid one of at most `most` uniform draws. Raises `SamplingError` if none is valid."""

    def failure() -> Exception:
        return bounds.no_valid_sample(space.name, most)

    cardinalities = space.cardinalities
    for done in bounds.attempts(most, failure):
        if done == _ONE_BY_ONE:
            break
        drawn = with_fixed_genes(space, rng.integers(0, cardinalities).tolist())
        if space.is_valid(drawn):
            return drawn
    shape = (_BLOCK, len(cardinalities))
    blocks = max(1, -(-(most - _ONE_BY_ONE) // _BLOCK))
    for _ in bounds.attempts(blocks, failure, at_once=_BLOCK):
        state = rng.bit_generator.state
        table = rng.integers(0, np.broadcast_to(cardinalities, shape)).tolist()
        for row, genes in enumerate(table):
            bounds.check_time()
            drawn = with_fixed_genes(space, genes)
            if space.is_valid(drawn):
                # leave the generator in the state of single draws
                rng.bit_generator.state = state
                rng.integers(0, np.broadcast_to(cardinalities, (row + 1, len(cardinalities))))
                return drawn
    raise failure()


def with_fixed_genes(space: SearchSpace, genes: Sequence[int]) -> Architecture:
    """The architecture with these genes, and the only allowed value in those that are fixed."""
    if not space.fixed_genes:
        return Architecture(space.name, tuple(genes))
    return Architecture(space.name, tuple([space.fixed_genes.get(i, g) for i, g in enumerate(genes)]))


def allowed_genes(space: SearchSpace) -> list[range]:
    """The values that each gene may have; `is_valid` may exclude combinations."""
    values = [range(c) for c in space.cardinalities]
    for i, value in space.fixed_genes.items():
        values[i] = range(value, value + 1)
    return values


def one_hot(genes: Sequence[Sequence[int]], cardinalities: Sequence[int]) -> FloatArray:
    """One column per (gene, choice), shape (n, sum of cardinalities)."""
    table = np.asarray(genes, dtype=np.int64).reshape(len(genes), len(cardinalities))
    offsets = np.concatenate([[0], np.cumsum(cardinalities)[:-1]]).astype(np.int64)
    encoded = np.zeros((len(genes), int(np.sum(cardinalities))))
    np.put_along_axis(encoded, table + offsets, 1.0, axis=1)
    return encoded


@runtime_checkable
class HasVariation(Protocol):
    """A space with custom variation; both methods return valid architectures (canonical or not)."""

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture: ...

    def crossover(
        self, first: Architecture, second: Architecture, rng: np.random.Generator
    ) -> Architecture: ...


@runtime_checkable
class HasCost(Protocol):
    """A space with exact costs without building: at least `params` and `madds` (plain numbers)."""

    def cost(self, architecture: Architecture) -> Mapping[str, float]: ...


@runtime_checkable
class HasBuild(Protocol):
    """A space that builds PyTorch networks from (b, in_channels, h, w) to (b, num_classes)."""

    def build(
        self, architecture: Architecture, *, num_classes: int = 10, in_channels: int = 3
    ) -> nn.Module: ...


def can_build(space: object) -> TypeIs[HasBuild]:
    """Whether a space builds networks."""
    return isinstance(space, HasBuild) and "build" not in getattr(space, "lacks", ())


def has_cost(space: object) -> TypeIs[HasCost]:
    """Whether a space knows exact costs."""
    return isinstance(space, HasCost) and "cost" not in getattr(space, "lacks", ())


@runtime_checkable
class HasSharedNames(Protocol):
    """A space that says which parameters of its networks correspond, for weight sharing."""

    def shared_name(self, architecture: Architecture, name: str) -> str:
        """The name of the tensor that the parameter `name` of this architecture's network shares with other networks."""


@runtime_checkable
class HasChoices(Protocol):
    """A space whose architectures have parameters with names."""

    @property
    def parameters(self) -> Sequence[str]:
        """The names of all parameters: columns of tables."""

    def choices(self, architecture: Architecture) -> Mapping[str, Any]:
        """The values of the active parameters by name. Raises `ArchitectureError` for an invalid architecture."""


@runtime_checkable
class HasNamedArchitectures(Protocol):
    """A space that finds an architecture by the values of its parameters."""

    def architecture(self, values: Mapping[str, Any]) -> Architecture:
        """The architecture with these values by name. Raises `ArchitectureError` that names the parameter."""


@runtime_checkable
class HasNeighbours(Protocol):
    """A space that lists the neighbours of an architecture for local search."""

    def neighbours(self, architecture: Architecture, rng: np.random.Generator) -> Iterator[Architecture]:
        """All valid changes of one parameter, in random order."""


def with_whole_genes(architecture: Architecture) -> Architecture:
    """The architecture with genes of the type `int`; the text form of others, such as 1.0 or True, could not be read again.

    Raises `ArchitectureError` for a gene that is no whole number.
    """
    if all(type(gene) is int for gene in architecture.genes):
        return architecture
    try:
        genes = tuple(int(operator.index(gene)) for gene in architecture.genes)
    except TypeError:
        raise ArchitectureError(
            f"architecture {architecture.genes!r:.200}: expected whole numbers as genes"
        ) from None
    return Architecture(architecture.space, genes)


_PLAIN: set[type] = set()  # spaces whose choices are mappings alone: not computed for each architecture


def with_choices(named: HasChoices | None, architecture: Architecture) -> Architecture:
    """The architecture as the user's functions receive it: with its parameters by name, in a declared space."""
    if named is None or type(named) in _PLAIN:
        return architecture
    found = named.choices(architecture)
    if isinstance(found, Architecture):
        return found
    _PLAIN.add(type(named))
    return architecture


@runtime_checkable
class HasForTask(Protocol):
    """A space whose costs and networks follow the data: channels, classes and image size."""

    def for_task(self, task: TaskSpec) -> SearchSpace:
        """Return a copy with the same architectures, and the costs and networks of this task.

        Settings that the user left out follow the task. Raises `ConfigError` for a setting that contradicts it.
        """


@runtime_checkable
class HasFeatures(Protocol):
    """A space whose architectures can be the body of other networks, such as for segmentation."""

    def body(self, architecture: Architecture) -> Architecture:
        """The representative of all architectures with the same body; idempotent."""

    def build_features(self, architecture: Architecture, *, in_channels: int = 3) -> nn.Module:
        """A module from (b, in_channels, h, w) to a list of feature maps with its `strides` and `widths`."""

    def features_cost(
        self, architecture: Architecture, image_size: tuple[int, int], output_stride: int, in_channels: int
    ) -> Mapping[str, float]:
        """Exact `params` and `madds` of the body for images (height, width); the last map's `width` and `pixels`.

        Strides beyond `output_stride` are replaced by dilation.
        """


@runtime_checkable
class HasBlocks(Protocol):
    """A space that lists the blocks of its networks for display."""

    def blocks(self, architecture: Architecture) -> Sequence[Block]:
        """The blocks from first to last; their parameters and MAdds sum to those of `cost`."""


def has_blocks(space: object) -> TypeIs[HasBlocks]:
    """Whether a space lists the blocks of its networks."""
    return isinstance(space, HasBlocks) and "blocks" not in getattr(space, "lacks", ())


@runtime_checkable
class HasDrawing(Protocol):
    """A space that draws its architectures and describes them in words."""

    def to_svg(self, architecture: Architecture) -> str:
        """A self-contained SVG element."""

    def describe(self, architecture: Architecture) -> str:
        """A description in a few lines of text."""


@runtime_checkable
class HasEnumeration(Protocol):
    """A space small enough to enumerate: every canonical architecture once."""

    def enumerate(self) -> Iterator[Architecture]: ...


def for_task(space: SearchSpace, task: TaskSpec) -> SearchSpace:
    """The space for this task, if it follows tasks. Raises `ConfigError` when its settings contradict the task."""
    if not isinstance(space, HasForTask):
        return space
    for name, value in getattr(space, GIVEN, {}).items():
        _ = task.size(name, value) if name == "image_size" else task.count(name, value)
    try:
        found = space.for_task(task)
    except NasError:
        raise
    except Exception as error:
        raise ConfigError(
            f"space {space.name!r}: for_task failed for {task}: {summarize_exception(error)}"
        ) from error
    if not isinstance(found, SearchSpace):
        raise ConfigError(
            f"space {space.name!r}: for_task must return a SearchSpace, got {type(found).__name__}"
        )
    if found.name != space.name or tuple(found.cardinalities) != tuple(space.cardinalities):
        raise ConfigError(
            f"space {space.name!r}: for_task must keep the name and the cardinalities, so that architectures stay the "
            f"same; it gave {found.name!r} with {tuple(found.cardinalities)}"
        )
    return found


def text_of(space: SearchSpace, architecture: Architecture) -> str:
    """The text form of an architecture as logs and tables hold it; `parsed` is the inverse."""
    return storable(space.format(architecture))


def parsed(space: SearchSpace, text: str) -> Architecture:
    """The architecture of a stored text. Raises `ArchitectureError`."""
    try:
        return space.parse(text)
    except ArchitectureError:
        original = restored(text)  # a text that cannot be stored unchanged
        if original == text:
            raise
        return space.parse(original)
