"""Weight sharing: one set of tensors for every network of a space. Importing this loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.core.lazy import lazy_names

if TYPE_CHECKING:
    from nas.sharing.evaluator import SharedEvaluator
    from nas.sharing.settings import FinalSettings, SupernetSettings, TrustSettings
    from nas.sharing.store import load_supernet
    from nas.sharing.supernet import Supernet, make_supernet
    from nas.sharing.training import inherited_score, train_supernet
    from nas.sharing.weights import NotCovered

__all__ = [
    "FinalSettings", "NotCovered", "SharedEvaluator", "Supernet", "SupernetSettings", "TrustSettings", "inherited_score", "load_supernet", "make_supernet", "train_supernet",
]  # fmt: skip

__getattr__ = lazy_names(
    __name__,
    {
        ".store": ("load_supernet",),
        ".supernet": ("Supernet", "make_supernet"),
        ".evaluator": ("SharedEvaluator",),
        ".settings": ("FinalSettings", "SupernetSettings", "TrustSettings"),
        ".training": ("inherited_score", "train_supernet"),
        ".weights": ("NotCovered",),
    },
)
