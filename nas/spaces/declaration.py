"""The declaration of a space as a list of genes: names, options, conditions, and the tree of repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from nas.core.checks import did_you_mean
from nas.core.errors import ArchitectureError, ConfigError
from nas.spaces.parameters import Value, options_text, plain_value, position, value_of_text, value_text

Condition = tuple[int, frozenset[int]]  # a gene, and its values with which another gene is active


@dataclass(frozen=True)
class Gene:
    """One parameter of an architecture, such as ``stages.0.kernel``. `group`: the item of the outermost repeat, or "".

    `fixed`: the only option that architectures may have; None if they may have any.
    """

    name: str
    options: tuple[Value, ...]
    ordered: bool
    conditions: tuple[Condition, ...] = ()
    group: str = ""
    fixed: int | None = None

    @property
    def allowed(self) -> range:
        """The options that architectures may have."""
        return range(len(self.options)) if self.fixed is None else range(self.fixed, self.fixed + 1)

    @cached_property
    def texts(self) -> dict[str, int]:
        """The options by text."""
        return {value_text(option): i for i, option in enumerate(self.options)}

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The texts of the options."""
        return tuple(self.texts)

    def index(self, value: Any) -> int:
        """The position of an option, also of a number in another type or of its text. Raises `ArchitectureError`."""
        try:
            value = plain_value(value)
        except ConfigError as error:
            raise ArchitectureError(f"{self.name}: {error}") from None
        found = self.texts.get(value_text(value))
        if found is None and not isinstance(value, str):
            found = position(self.options, value)
        if found is None and isinstance(value, str):
            found = self.texts.get(value.capitalize() if value in ("TRUE", "FALSE") else value)
            number = value_of_text(value)
            if found is None and isinstance(number, (int, float)) and not isinstance(number, bool):
                found = position(self.options, number)
        if found is None:
            raise ArchitectureError(
                f"{self.name}: {value!r} is not an option; expected one of {options_text(self.options)}"
            )
        return found


@dataclass(frozen=True)
class Level:
    """The names at one level of the tree: genes by index, and repeats as the levels of their items with conditions."""

    genes: Mapping[str, int] = field(default_factory=dict)
    repeats: Mapping[str, tuple[tuple[Level, tuple[Condition, ...]], ...]] = field(default_factory=dict)


class Declaration:
    """The genes of a space. Raises `ConfigError` for an invalid declaration, naming the parameter."""

    def __init__(self, genes: Sequence[Gene], root: Level) -> None:
        self.genes, self.root = tuple(genes), root
        self.places = {gene.name: i for i, gene in enumerate(self.genes)}
        self.cardinalities = tuple(len(gene.options) for gene in self.genes)
        followers: list[set[int]] = [set() for _ in self.genes]
        for i, gene in enumerate(self.genes):
            for j, _ in gene.conditions:
                followers[j].add(i)
        self.followers = tuple(frozenset(found) for found in followers)  # genes with a condition on each gene
        self.fixed = {i: gene.fixed for i, gene in enumerate(self.genes) if gene.fixed is not None}
        self.order = self._ordered()
        conditional = [(i, self.genes[i].conditions) for i in self.order]
        self.conditional = tuple((i, given) for i, given in conditional if given)

    def _ordered(self) -> tuple[int, ...]:
        """The genes such that each comes after those in its conditions, as soon as it can."""
        waiting = [len({j for j, _ in gene.conditions}) for gene in self.genes]
        order: list[int] = []
        for first in [i for i, n in enumerate(waiting) if n == 0]:
            stack = [first]
            while stack:
                i = stack.pop()
                order.append(i)
                ready = []
                for follower in sorted(self.followers[i]):
                    waiting[follower] -= 1
                    if waiting[follower] == 0:
                        ready.append(follower)
                stack += reversed(ready)
        if len(order) < len(self.genes):
            left = [self.genes[i].name for i, n in enumerate(waiting) if n > 0]
            raise ConfigError(
                f"when: the conditions of {', '.join(left[:5])} refer to each other in a circle"
            )
        return tuple(order)

    def active(self, genes: Sequence[int]) -> list[bool]:
        """Whether each gene is active, shape (d,)."""
        found = [True] * len(self.genes)
        for i, conditions in self.conditional:
            for j, allowed in conditions:
                if not found[j] or genes[j] not in allowed:
                    found[i] = False
                    break
        return found

    def canonical(self, genes: tuple[int, ...]) -> tuple[int, ...]:
        """The genes with 0 for the inactive ones."""
        if not self.conditional:
            return genes
        return tuple([g if on else 0 for g, on in zip(genes, self.active(genes), strict=True)])

    def misfit(self, genes: Sequence[int]) -> int | None:
        """The first active gene that is fixed to another option; None if there is none."""
        others = [i for i, value in self.fixed.items() if genes[i] != value]
        if not others:
            return None
        active = self.active(genes)
        return next((i for i in others if active[i]), None)

    def with_fixed(self, values: Mapping[str, Any]) -> Declaration:
        """The declaration with one value for each of these parameters. `stages.kernel` fixes it in every item.

        Genes keep their options, so architectures of both have the same genes. Raises `ConfigError` for an unknown parameter,
        a value that is not an option, or a parameter that is fixed to another value.
        """
        chosen: dict[int, int] = {}
        for name, value in values.items():
            if name in self.repeats:
                raise ConfigError(
                    f"{name!r} is a repeat; fix one of its parameters, such as {self.repeats[name]!r} (in all items)"
                )
            places = [i for i, gene in enumerate(self.genes) if name in (gene.name, without_items(gene.name))]
            if not places:
                raise ConfigError(self.unknown(name))
            for i in places:
                chosen[i] = self.genes[i].index(value)
                if self.genes[i].fixed not in (None, chosen[i]):
                    raise ConfigError(self.other_value(i, chosen[i]))
        genes = [replace(gene, fixed=chosen.get(i, gene.fixed)) for i, gene in enumerate(self.genes)]
        return Declaration(genes, self.root)

    def other_value(self, i: int, value: int) -> str:
        """The message for a fixed gene with another option."""
        gene = self.genes[i]
        assert gene.fixed is not None
        return f"parameter {gene.name!r} is fixed to {gene.words[gene.fixed]} in this space, got {gene.words[value]}"

    @cached_property
    def repeats(self) -> dict[str, str]:
        """The repeats by name, with a parameter of each without the numbers of items."""
        found: dict[str, str] = {}

        def add(level: Level, prefix: str) -> None:
            for name, items in level.repeats.items():
                for i, (inner, _) in enumerate(items):
                    first = next(iter([*inner.genes, *inner.repeats]))
                    for path in (prefix + name, without_items(prefix + name)):
                        found.setdefault(path, f"{without_items(prefix + name)}.{first}")
                    add(inner, f"{prefix}{name}.{i}.")

        add(self.root, "")
        return found

    def unknown(self, name: str) -> str:
        """The message for a name that is not a parameter."""
        known = [gene.name for gene in self.genes]
        return (
            f"unknown parameter {name!r}{did_you_mean(name, [*known, *self.repeats])}; parameters: {', '.join(known[:20])}"
            + (", ..." if len(known) > 20 else "")
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values that identify the declaration in a run's log.

        Name to options, conditions, whether ordered, and the place of the option that it is fixed to, if it is.
        """
        return {
            gene.name: [
                list(gene.texts),
                [[self.genes[j].name, sorted(v)] for j, v in gene.conditions],
                gene.ordered,
                *([] if gene.fixed is None else [gene.fixed]),
            ]
            for gene in self.genes
        }


def changed_parameters(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The parameters that differ between two declarations, as of `Declaration.as_json`, and how; at most five."""
    found = []
    for name in dict.fromkeys([*then, *now]):
        if name not in now:
            found.append(f"{name} was removed")
        elif name not in then:
            found.append(f"{name} was added")
        elif then[name] != now[name]:
            (old, conditions, ordered, *fixed), (new, other, still, *fixed_now) = then[name], now[name]
            if old != new:
                found.append(f"{name} had options {_few(old)}, now {_few(new)}")
            elif conditions != other:
                found.append(f"{name} was active under other conditions")
            elif fixed != fixed_now:
                found.append(
                    f"{name} {_fixed_text('was', old, fixed)}, now {_fixed_text('it is', new, fixed_now)}"
                )
            elif ordered != still:
                found.append(f"{name} was {'ordered' if ordered else 'a category'}, now it is not")
    more = f"; {len(found) - 5} more" if len(found) > 5 else ""
    return "; ".join(found[:5]) + more if found else "they had another order"


def _fixed_text(verb: str, texts: Sequence[str], fixed: Sequence[int]) -> str:
    return f"{verb} fixed to {texts[fixed[0]]}" if fixed else f"{verb} not fixed"


def _few(texts: Sequence[str], most: int = 12) -> str:
    return ", ".join(texts) if len(texts) <= most else f"{', '.join(texts[:most])}, ... ({len(texts):,})"


def without_items(name: str) -> str:
    """The name of a parameter without the numbers of items: ``stages.0.kernel`` is ``stages.kernel``."""
    return ".".join(part for part in name.split(".") if not part.isdigit())
