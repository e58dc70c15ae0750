"""Other people's optimisers as algorithms."""

from __future__ import annotations

from nas.interfaces import Algorithm

PEERS: dict[str, type[Algorithm]] = {}
