"""Text forms of the architectures of a declared space, and architectures from values by name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nas.core.errors import ArchitectureError
from nas.spaces.declaration import Declaration


def text_of_genes(declaration: Declaration, genes: Sequence[int]) -> str:
    """The active parameters as ``name=value``, joined by slashes."""
    active = declaration.active(genes)
    return "/".join(
        f"{gene.name}={gene.words[g]}"
        for gene, g, on in zip(declaration.genes, genes, active, strict=True)
        if on
    )


def genes_of_text(declaration: Declaration, text: str) -> tuple[int, ...]:
    """The inverse of `text_of_genes`, in any order. Raises `ArchitectureError` that names the parameter."""
    values: dict[str, Any] = {}
    for part in text.split("/"):
        name, equals, value = part.partition("=")
        if not equals:
            raise ArchitectureError(
                f"architecture {text!r:.500}: expected name=value joined by '/', such as "
                f"{text_of_genes(declaration, [0] * len(declaration.genes))[:200]}"
            )
        if name in values:
            raise ArchitectureError(f"architecture {text!r:.500}: {name!r} is given twice")
        place = declaration.places.get(name)
        option = None if place is None else declaration.genes[place].texts.get(value)
        values[name] = value if place is None or option is None else declaration.genes[place].options[option]
    try:
        return from_mapping(declaration, values)
    except ArchitectureError as error:
        raise ArchitectureError(f"architecture {text!r:.500}: {error}") from None


def from_mapping(declaration: Declaration, values: Mapping[str, Any]) -> tuple[int, ...]:
    """Canonical genes with these values. Raises `ArchitectureError` for an unknown, missing or inactive parameter."""
    if not isinstance(values, Mapping):
        raise ArchitectureError(f"expected a mapping of parameters to values, got {values!r:.200}")
    given = {name: value for name, value in _flat(values, "", declaration) if not _is_nothing(value)}
    unknown = [name for name in given if name not in declaration.places]
    if unknown:
        raise ArchitectureError(declaration.unknown(str(unknown[0])))
    # None may be an option; elsewhere it stands for an inactive parameter
    given = {
        name: value
        for name, value in given.items()
        if value is not None or "None" in declaration.genes[declaration.places[name]].texts
    }
    genes = [
        gene.index(given[gene.name]) if gene.name in given else gene.allowed[0] for gene in declaration.genes
    ]
    active = declaration.active(genes)
    for gene, on in zip(declaration.genes, active, strict=True):
        if on and gene.name not in given and len(gene.allowed) > 1:
            hint = " (write None for its option None)" if "None" in gene.texts else ""
            raise ArchitectureError(f"parameter {gene.name!r} is missing{hint}")
        if not on and given.get(gene.name) is not None:
            raise ArchitectureError(
                f"parameter {gene.name!r} is inactive with these values; remove it (got {given[gene.name]!r})"
            )
    wrong = declaration.misfit(genes)
    if wrong is not None:
        raise ArchitectureError(declaration.other_value(wrong, genes[wrong]))
    return declaration.canonical(tuple(genes))


def _is_nothing(value: Any) -> bool:
    """Whether a cell of a table is empty."""
    return isinstance(value, float) and math.isnan(value)


def _flat(values: Mapping[str, Any], prefix: str, declaration: Declaration) -> Iterator[tuple[str, Any]]:
    """Values by full name; lists of mappings are the items of a repeat."""
    for name, value in values.items():
        path = f"{prefix}{name}"
        if path not in declaration.places and isinstance(value, Sequence) and not isinstance(value, str):
            for i, item in enumerate(value):
                if not isinstance(item, Mapping):
                    raise ArchitectureError(
                        f"{path}.{i}: expected a mapping of the item's parameters to values, got {item!r:.200}"
                        if path in declaration.repeats
                        else declaration.unknown(path)
                    )
                yield from _flat(item, f"{path}.{i}.", declaration)
        else:
            yield path, value
