"""The search algorithms, one a file. A new one is a file and a line here."""

from __future__ import annotations

from nas.algorithms.moead import MOEAD
from nas.interfaces import Algorithm

ALGORITHMS: dict[str, type[Algorithm]] = {
    "moead": MOEAD,
}
