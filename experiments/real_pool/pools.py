"""The two pools: their spaces, their limits on the cost, and the list of networks drawn from each.

`muxnet` is the preset `cifar` of MUXNet at 24 pixels with a stem of stride 2: with the preset's own stem no network has fewer than
3.03 million multiply-adds. `resnets` is a declared space of small residual networks.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from residual import space as resnets

from nas.core.files import write_text
from nas.core.records import Architecture
from nas.core.task_spec import TaskSpec
from search_spaces.muxnet import MUXNetSpace
from search_spaces.muxnet.presets import PRESETS

HERE = Path(__file__).parent
RESULTS = HERE / "results"
TASK = TaskSpec(in_channels=3, num_classes=10, image_size=(24, 24))
STRATA = 6  # of equal width in log(MAdds)
SAMPLES = 100  # uniform samples before a walk
STEPS = 60  # accepted mutations inside the stratum after it is reached
TRIES = 20_000  # mutations before a draw is given up


@dataclass(frozen=True)
class Pool:
    """A space, and the range of multiply-adds that its networks are drawn from."""

    name: str
    space: Any
    least: float
    most: float


def muxnet() -> MUXNetSpace:
    """The MUXNet space of the pool."""
    options = dataclasses.replace(PRESETS["cifar"], resolutions=(24,), stem_stride=2)
    return MUXNetSpace("cifar", num_classes=10, in_channels=3, options=options)


_SPACES: dict[str, tuple[Callable[[], Any], float, float]] = {
    "muxnet": (muxnet, 0.76e6, 3e6),
    "resnets": (lambda: resnets.for_task(TASK), 0.1e6, 4e6),
}
POOLS = tuple(_SPACES)


def pool_of(name: str) -> Pool:
    """The pool of this name, one of `POOLS`."""
    make, least, most = _SPACES[name]
    return Pool(name, make(), least, most)


def madds(pool: Pool, architecture: Architecture) -> float:
    """Multiply-adds of a network of the pool."""
    return float(pool.space.cost(architecture)["madds"])


def draw(pool: Pool, index: int, seed: int) -> Architecture:
    """Network number `index`: about uniform over the networks in stratum `index % STRATA` of the range of multiply-adds.

    The first of some uniform samples that lies in the stratum; without one, a sample walks by random mutations, first towards the
    stratum and then inside it. The result depends on the seed and the index alone.
    """
    edges = np.geomspace(pool.least, pool.most, STRATA + 1)
    low, high = edges[index % STRATA : index % STRATA + 2]

    def distance(cost: float) -> float:
        return max(low - cost, cost - high, 0.0)

    direct = np.random.default_rng([seed, index, 1])
    for _ in range(SAMPLES):
        here = pool.space.canonical(pool.space.sample(direct))
        if distance(madds(pool, here)) == 0:
            return here
    rng = np.random.default_rng([seed, index])
    here = pool.space.canonical(pool.space.sample(rng))
    away, inside = distance(madds(pool, here)), 0
    for _ in range(TRIES):
        there = pool.space.canonical(pool.space.mutate(here, rng))
        step = distance(madds(pool, there))
        if step <= away:
            here, away = there, step
            inside += away == 0
        if inside == STEPS:
            return here
    raise RuntimeError(
        f"{pool.name}: no network of {low:.3g} to {high:.3g} multiply-adds in {TRIES} mutations"
    )


def networks(pool: Pool, count: int, folder: Path = RESULTS, seed: int = 20) -> list[Architecture]:
    """The first `count` different networks of the pool; a longer list extends a shorter one.

    Networks drawn before are read from networks_POOL.csv in the folder, and new ones are added to it.
    """
    path = folder / f"networks_{pool.name}.csv"
    rows = list(csv.DictReader(path.open(encoding="utf-8"))) if path.exists() else []
    found = [pool.space.parse(row["network"]) for row in rows]
    index = int(rows[-1]["draw"]) + 1 if rows else 0
    if len(found) >= count:
        return found[:count]
    while len(found) < count:
        drawn = draw(pool, index, seed)
        if drawn not in found:
            found.append(drawn)
            cost = pool.space.cost(drawn)
            network = pool.space.format(drawn)
            rows.append({"draw": index, "params": cost["params"], "madds": cost["madds"], "network": network})
        index += 1
    folder.mkdir(exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, ["draw", "params", "madds", "network"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
    return found[:count]
