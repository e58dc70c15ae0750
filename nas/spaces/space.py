"""`nas.Space`: a search space declared by its parameters."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from nas.core import bounds
from nas.core.bounds import SamplingError
from nas.core.errors import ArchitectureError, ConfigError
from nas.core.records import Architecture, Block, FloatArray
from nas.core.space import SearchSpace, rejection_sample
from nas.core.task_spec import TaskSpec
from nas.spaces.choices import Choices
from nas.spaces.encoding import Encoding
from nas.spaces.flattening import declare
from nas.spaces.networks import DEFAULT_TASK, Function, Networks, checked_function
from nas.spaces.parameters import merged_values
from nas.spaces.rules import Rules
from nas.spaces.text import from_mapping, genes_of_text, text_of_genes
from nas.spaces.variation import Variation

if TYPE_CHECKING:  # torch is imported only to build a network
    from torch import nn

_TRIES = 100  # of a variation, in a space with `forbid`


class Space(SearchSpace):
    """A search space declared by its parameters::

        space = nas.Space(
            "resnets",
            depth=nas.Integer(1, 3),
            width=nas.Choice(16, 24, 32, 48),
            stages=nas.Repeat("depth", kernel=nas.Choice(3, 5), se=nas.Choice(None, 0.25)),
            dropout=nas.Float(0.0, 0.5, levels=6, when={"width": (32, 48)}),
        )

        @space.build
        def build(c, *, num_classes, in_channels): ...

    Functions on the space receive `nas.Choices`. Everything else follows from the declaration: the canonical form (inactive
    parameters have no value), the size, exact costs of the network (`nas.spaces.tracing`), text forms, encodings, variation.
    `parameters` is the declaration as a mapping, for names that are not Python's. Raises `ConfigError` for an invalid one.
    """

    def __init__(self, name: str, parameters: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"[\w.+-]+", name):
            raise ConfigError(
                f"space name {name!r}: expected letters, digits, '_', '.', '+' or '-' (it is stored with every architecture)"
            )
        given = merged_values(f"space {name!r}", parameters, more)
        self.name = name
        self.task = DEFAULT_TASK
        self._networks = Networks(name)
        try:
            self._rules = Rules(name, declare(given))
        except ConfigError as error:
            raise ConfigError(f"space {name!r}: {error}") from None
        self._derive()

    def _derive(self) -> None:
        self.declaration = self._rules.declaration
        self.cardinalities, self.fixed_genes = self.declaration.cardinalities, self.declaration.fixed
        self._variation, self._encoding = Variation(self.declaration), Encoding(self.declaration)

    def __repr__(self) -> str:
        return f"Space({self.name!r}, {', '.join(self.parameters[:8])}{', ...' * (len(self.parameters) > 8)})"

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of all parameters, with the numbers of items: columns of tables."""
        return tuple(self.declaration.places)

    @property
    def lacks(self) -> frozenset[str]:  # type: ignore[override]
        """The abilities that this space has no function for."""
        return self._networks.lacks

    # -- declaring

    def forbid(self, function: Callable[[Choices], Any]) -> Space:
        """Exclude the combinations for which the function of the choices is true. Returns the space."""
        self._rules.add("forbid", function)
        return self

    def same(self, function: Callable[[Choices], Any]) -> Space:
        """Declare combinations equal. Returns the space.

        The function returns a key, equal for equal networks (any hashable value, in a space of at most
        `nas.spaces.rules.LISTED` combinations), or a dict of the parameters to change, which names one of the equal networks.
        """
        self._rules.add("same", function)
        return self

    def fix(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> Space:
        """A copy of the space in which these parameters have one value; this one is unchanged.

        ``fix({"stages.kernel": 3})`` fixes a parameter in all items of a repeat. Architectures of the copy are architectures
        of this space, with the same genes. Raises `ConfigError` for an unknown parameter or value, or a parameter that is fixed
        to another value.
        """
        fixed = copy.copy(self)
        fixed._rules = self._rules.with_declaration(
            self.declaration.with_fixed(merged_values("fix", values, more))
        )
        fixed._derive()
        return fixed

    # -- networks and costs

    @overload
    def build(self, given: Architecture, *, num_classes: int = ..., in_channels: int = ...) -> nn.Module: ...
    @overload
    def build(self, given: Function) -> Function: ...
    def build(
        self,
        given: Architecture | Function,
        *,
        num_classes: int | None = None,
        in_channels: int | None = None,
    ) -> Any:
        """As a decorator, declare the function that builds a network; with an architecture, build its network.

        The function takes the choices, and those of `num_classes`, `in_channels` and `image_size` (height, width) that it
        needs, by keyword; it returns a PyTorch module. Raises `ConfigError` with the choices when it fails.
        """
        if not isinstance(given, Architecture):
            self._networks = replace(self._networks, build=checked_function("build", given))
            return given
        task = TaskSpec(
            self.task.in_channels if in_channels is None else in_channels,
            self.task.num_classes if num_classes is None else num_classes,
            self.task.image_size,
        )
        return self._networks.network(self.choices(given), task)

    @overload
    def cost(self, given: Architecture) -> dict[str, float]: ...
    @overload
    def cost(self, given: Function) -> Function: ...
    def cost(self, given: Architecture | Function) -> Any:
        """As a decorator, declare the function of exact costs; with an architecture, return them.

        The function takes the choices and returns a mapping of names to numbers, usually `params` and `madds`. Without one,
        `params`, `madds` and `activations` are those of the network that `build` returns, traced without memory for weights.
        """
        if not isinstance(given, Architecture):
            self._networks = replace(self._networks, cost=checked_function("cost", given))
            return given
        return self._networks.costs(self.choices(given), self.task)

    def blocks(self, architecture: Architecture) -> Sequence[Block]:
        """The layers of the network: a block per child of the module that `build` returns."""
        return self._networks.blocks(self.choices(architecture), self.task)

    @overload
    def shared_name(self, given: Architecture, name: str) -> str: ...
    @overload
    def shared_name(self, given: Function) -> Function: ...
    def shared_name(self, given: Architecture | Function, name: str = "") -> Any:
        """As a decorator, declare the function of shared names; with an architecture, return one (docs/weight-sharing.md).

        The function takes the choices and the name of a parameter in the network, and returns the name of the tensor that
        it shares with other networks. Without one, it is that of `nas.spaces.sharing.shared_name`.
        """
        if not isinstance(given, Architecture):
            self._networks = replace(self._networks, shared_name=checked_function("shared_name", given))
            return given
        return self._networks.shared(self.choices(given), self.parameters, name)

    def for_task(self, task: TaskSpec) -> Space:
        """A copy for these data: channels, classes and image size."""
        followed = copy.copy(self)
        followed.task = (
            task if task.image_size else TaskSpec(task.in_channels, task.num_classes, self.task.image_size)
        )
        followed._rules = self._rules.with_declaration(self.declaration)
        return followed

    # -- architectures

    def choices(self, architecture: Architecture) -> Choices:
        """The architecture with its active parameters by name. Raises `ArchitectureError` for another space's."""
        if isinstance(architecture, Choices) and architecture._is_of(self.name, self.declaration):
            return architecture
        self._check_name(architecture)
        if not self._in_range(architecture):
            raise ArchitectureError(
                f"architecture {architecture.genes}: expected {len(self.cardinalities)} genes of space {self.name!r}, "
                f"below {self.cardinalities[:20]}"
            )
        return self._rules.choices(self.declaration.canonical(architecture.genes))

    def architecture(self, values: Mapping[str, Any]) -> Architecture:
        """The architecture with these values by parameter; repeats also as lists of mappings.

        Values of inactive parameters must be absent, None or NaN. Raises `ArchitectureError` that names the parameter.
        """
        found = Architecture(self.name, from_mapping(self.declaration, values))
        return self._permitted(found, dict(values))

    def format(self, architecture: Architecture) -> str:
        """The active parameters as ``depth=2/width=32/stages.0.kernel=5``."""
        self._check_name(architecture)
        return text_of_genes(self.declaration, architecture.genes)

    def _check_name(self, architecture: Architecture) -> None:
        if architecture.space != self.name:
            raise ArchitectureError(
                f"architecture {architecture.genes}: belongs to space {architecture.space!r}, expected one of {self.name!r}"
            )

    def parse(self, text: str) -> Architecture:
        """Parse the text form, in any order. Raises `ArchitectureError` that names the parameter."""
        if not isinstance(text, str):
            raise ArchitectureError(
                f"architecture {text!r:.500}: expected its text form, got {type(text).__name__}"
            )
        return self._permitted(Architecture(self.name, genes_of_text(self.declaration, text)), text)

    def _permitted(self, architecture: Architecture, given: Any) -> Architecture:
        if not self._rules.allowed(self.declaration.canonical(architecture.genes)):
            raise ArchitectureError(
                f"architecture {given!r:.500}: space {self.name!r} forbids this combination"
            )
        return architecture

    def _in_range(self, architecture: Architecture) -> bool:
        return super().is_valid(architecture)

    def is_valid(self, architecture: Architecture) -> bool:
        """Whether the genes are in range, with the fixed values, and no `forbid` excludes their combination."""
        genes, known = architecture.genes, self._rules.known(architecture.genes)
        if known is None and not self._in_range(architecture):
            return False
        if known is False or self.declaration.misfit(genes) is not None:
            return False
        return known is True or self._rules.allowed(self.declaration.canonical(genes))

    def canonical(self, architecture: Architecture) -> Architecture:
        """The architecture that stands for all with the same network: inactive genes are 0, `same` is applied."""
        genes = architecture.genes
        if self._rules.representatives.get(genes) == genes:
            return architecture
        genes = self._rules.representative(self.declaration.canonical(genes))
        return architecture if genes == architecture.genes else Architecture(self.name, genes)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draw each parameter uniformly. Raises `ConfigError` if `forbid` excludes everything."""
        try:
            return rejection_sample(self, rng, bounds.DRAWS)
        except SamplingError as error:
            if self.size == 0:
                raise ConfigError(
                    f"space {self.name!r} has no valid network: forbid excludes all {self._rules.total:,} combinations"
                ) from None
            raise SamplingError(
                f"space {self.name!r}: forbid excludes nearly everything: {bounds.DRAWS:,} random combinations had no valid one. "
                "Express the rule with when, or declare fewer options"
            ) from error

    @property
    def size(self) -> int | None:  # type: ignore[override]
        """The number of different networks, exact; None with `forbid` or `same` in a large space."""
        return self._rules.size

    def enumerate(self) -> Iterator[Architecture]:
        """Every canonical architecture once."""
        return (Architecture(self.name, genes) for genes in self._rules.enumerate())

    # -- search

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """Change each active parameter with probability 1 / (number of active ones); ordered ones at times by a step."""
        for _ in range(_TRIES):
            child = self._child(self._variation.mutate(architecture.genes, rng))
            if child is not None:
                return child
        return self.sample(rng)

    def crossover(self, first: Architecture, second: Architecture, rng: np.random.Generator) -> Architecture:
        """Take each parameter, mostly each item of a repeat as a whole, from either parent."""
        for _ in range(_TRIES):
            child = self._child(self._variation.crossover(first.genes, second.genes, rng))
            if child is not None:
                return child
        return first

    def neighbours(self, architecture: Architecture, rng: np.random.Generator) -> Iterator[Architecture]:
        """All valid changes of one active parameter, in random order; ordered ones by one step."""
        for genes in self._variation.neighbours(self.declaration.canonical(architecture.genes), rng):
            child = self._child(genes)
            if child is not None:
                yield child

    def _child(self, genes: tuple[int, ...]) -> Architecture | None:
        return Architecture(self.name, genes) if self._rules.allowed(genes) else None

    def encode(self, architectures: Sequence[Architecture]) -> FloatArray:
        """One-hot categories (0 while inactive) and ordered parameters scaled to [0, 1], shape (n, d)."""
        return self._encoding.wide([a.genes for a in architectures])

    @property
    def encodings(self) -> Mapping[str, Callable[[Sequence[Architecture]], FloatArray]]:
        """`encode`; "mixed": categories as numbers, then ordered parameters from column `first_numeric` on; "counts".

        "counts" say how many categories with the same options have each option; only where there are such.
        """
        counts = {"counts": self._counts} if self._encoding.has_counts else {}
        return {"default": self.encode, "mixed": self._mixed, **counts}

    def _counts(self, architectures: Sequence[Architecture]) -> FloatArray:
        return self._encoding.counts([a.genes for a in architectures])

    def _mixed(self, architectures: Sequence[Architecture]) -> FloatArray:
        return self._encoding.mixed([a.genes for a in architectures])

    @property
    def first_numeric(self) -> int | None:  # type: ignore[override]
        """The first column of "mixed" that is a number; None where all parameters are categories and always active."""
        return None if self._encoding.plain else self._encoding.first_numeric


__all__ = ["Space"]
