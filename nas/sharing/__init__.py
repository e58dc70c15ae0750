"""Weight sharing: one set of tensors for every network of a space. Importing this loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.core.lazy import lazy_names

if TYPE_CHECKING:
    from nas.sharing.store import load_supernet
    from nas.sharing.supernet import Supernet, make_supernet
    from nas.sharing.training import SupernetSettings, inherited_score, train_supernet
    from nas.sharing.weights import NotCovered

__all__ = [
    "NotCovered", "Supernet", "SupernetSettings", "inherited_score", "load_supernet", "make_supernet", "train_supernet",
]  # fmt: skip

__getattr__ = lazy_names(
    __name__,
    {
        ".store": ("load_supernet",),
        ".supernet": ("Supernet", "make_supernet"),
        ".training": ("SupernetSettings", "inherited_score", "train_supernet"),
        ".weights": ("NotCovered",),
    },
)
