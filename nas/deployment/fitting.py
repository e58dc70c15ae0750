"""Whether a network fits a target."""

from __future__ import annotations

from collections.abc import Collection

from nas.deployment.graph import GraphFacts
from nas.deployment.target import Target


def faults(facts: GraphFacts, target: Target, precision: str | None = None) -> tuple[str, ...]:
    """The reasons why a network does not fit a target at a precision (None: the target's); empty if it fits.

    As in a search, a newer operator set than the target's is one only where the target lists its operators.
    """
    precision = precision or target.precision
    found = []
    for what, needed, where, bound in (
        ("activations", facts.peak_memory(precision), "RAM", target.ram),
        ("weights", facts.model_size(precision), "flash", target.flash),
    ):
        if bound is not None and needed > bound:
            found.append(f"{what} need {in_bytes(needed)}, {where} has {in_bytes(bound)}")
    missing = [] if target.operators is None else unsupported(facts, target.operators)
    if missing:
        found.append(f"operators that it lacks: {', '.join(missing)}")
    if target.operators is not None and facts.opset > target.opset:
        found.append(f"operator set {facts.opset}, it has {target.opset}")
    return tuple(found)


def unsupported(facts: GraphFacts, known: Collection[str]) -> list[str]:
    """The graph's operator types that are not among the known ones."""
    return sorted(set(facts.operators) - set(known))


def in_bytes(number: float | None) -> str:
    """Bytes in the largest binary unit that they fill."""
    if number is None:
        return "any"
    for unit, factor in (("MiB", 1024**2), ("KiB", 1024)):
        if number >= factor:
            return f"{number / factor:.4g} {unit}"
    return f"{number:.0f} B"
