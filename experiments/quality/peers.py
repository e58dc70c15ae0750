"""Outside searches on a look-up table, one proposal at a time: the loop that is the same for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from lookup_tables import LookupTable

from nas.core.records import Architecture, FloatArray

MOST = 4  # proposals in all, in budgets: a sampler that keeps what it was told gets slower with each


class Peer(Protocol):
    """An outside search over integer genes; it minimises objectives scaled by the true front's range."""

    def ask(self) -> tuple[int, ...]:
        """Genes to look at next, one for each cardinality of the space."""
        ...

    def tell(self, objectives: tuple[float, ...]) -> None:
        """The objectives of the genes asked last."""
        ...

    def skip(self) -> None:
        """Nothing was learned of the genes asked last."""
        ...


def run(
    make: Callable[[LookupTable, int], Peer],
    table: LookupTable,
    seed: int,
    budget: int,
    *,
    tell_repeats: bool,
) -> FloatArray:
    """Objectives of the unique architectures in the order of evaluation, shape (n, 3), n <= budget.

    Genes that are no architecture and architectures that are known cost nothing. The former are skipped, the latter
    told again or skipped. Fewer than the budget only when a peer repeats itself: a budget of proposals without
    anything new, or `MOST` budgets of proposals in all.
    """
    peer, latest = make(table, seed), 0
    found: dict[Architecture, tuple[float, ...]] = {}
    for call in range(MOST * budget):
        asked = Architecture(table.space.name, peer.ask())
        known = table.space.canonical(asked) if table.space.is_valid(asked) else None
        if known is None or (known in found and not tell_repeats):
            peer.skip()
        else:
            peer.tell(table.scaled(known))
        if known is not None and known not in found:
            found[known], latest = table.values[known], call
        if len(found) == budget or call - latest == budget:
            break
    return np.array(list(found.values()))
