"""The loss of a step of a supernet: the largest and some random networks, with distillation.

In-place distillation is that of Yu and Huang, "Universally Slimmable Networks and Improved Training Techniques", ICCV 2019, section
3.3. Their sandwich (section 3.2) has the smallest network too, and sums the gradients; here they are averaged over the networks. In
small ResNets, training the smallest network in each step spoiled the ranking of the others (experiments/weight_sharing).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nas.core.errors import ConfigError
from nas.core.records import Architecture
from nas.core.space import HasVariation
from nas.sharing.extremes import sampler, with_gene
from nas.sharing.layout import shared_name
from nas.sharing.supernet import Supernet, size_of
from nas.sharing.weights import Inherited, NotCovered, SharedWeights
from nas.training.loop import stream

_POOL = 256  # networks from which the distribution of costs is estimated
_BINS = 12  # of the logarithm of the costs
_TRIES = 100  # draws of a network that the shared weights cover


class EvenDraw:
    """Draws networks whose costs (multiply-adds, or parameters) are spread evenly on a logarithmic scale.

    Random genes mostly give networks of medium costs, so the others would hardly be trained. A draw is a mutation of one of
    256 random networks, from a range of costs that is drawn first; it needs no costs, which may be slow.
    """

    def __init__(self, supernet: Supernet, seed: int) -> None:
        self._supernet = supernet
        draw, rng = sampler(supernet.space), np.random.default_rng(stream(seed, 5))
        pool = [draw(rng) for _ in range(_POOL)]
        sizes = {a: size_of(supernet.space, supernet.task, a)[-1] for a in dict.fromkeys(pool)}
        costs = np.log([max(sizes[a], 1.0) for a in pool])
        edges = np.linspace(costs.min(), costs.max(), _BINS + 1)[1:-1]
        bins = np.searchsorted(edges, costs)
        self._bins = [[a for a, i in zip(pool, bins, strict=True) if i == b] for b in np.unique(bins)]

    def __call__(self, rng: np.random.Generator) -> Architecture:
        """A random network."""
        found = self._bins[int(rng.integers(len(self._bins)))]
        return self._changed(found[int(rng.integers(len(found)))], rng)

    def _changed(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        space = self._supernet.space
        if isinstance(space, HasVariation):
            return space.canonical(space.mutate(architecture, rng))
        gene = int(rng.integers(len(space.cardinalities)))
        option = int(rng.integers(space.cardinalities[gene]))
        return with_gene(space, architecture, gene, option) or architecture

    def network(self, rng: np.random.Generator, shared: SharedWeights | None = None) -> Inherited:
        """A drawn network that the shared weights cover."""
        for _ in range(_TRIES):
            try:
                return self._supernet.network(self(rng), shared)
            except NotCovered as error:
                missed = error
        raise ConfigError(
            f"none of {_TRIES} random networks is part of the shared weights; the last: {missed}"
        )


class Distillation:
    """The mean loss of the largest and `random` random networks on a batch.

    The largest learns from the labels; the others half from the labels and half from its output. The random networks of a
    step follow from the seed and `step()`, the number of steps before it.
    """

    def __init__(
        self,
        supernet: Supernet,
        draw: EvenDraw,
        random: int,
        smoothing: float,
        seed: int,
        step: Callable[[], int],
    ) -> None:
        self._supernet = supernet
        self._largest = supernet.network(supernet.extremes.largest).network  # built once
        self._draw = draw
        self._random = random
        self._smoothing = smoothing
        self._seed = seed
        self._step = step

    def __call__(self, shared: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """The loss of a step; a `nas.training.loop.Loss`."""
        assert isinstance(shared, SharedWeights)
        supernet, largest = self._supernet, self._supernet.extremes.largest
        rng = np.random.default_rng(stream(self._seed, 4, self._step()))
        views = shared.views(self._largest, largest, shared_name(supernet.space))
        output = Inherited(self._largest, views).train()(x)
        total: Tensor = cross_entropy(output, y, label_smoothing=self._smoothing)
        soft = output.detach().float().softmax(1)
        for _ in range(self._random):
            output = self._draw.network(rng, shared).train()(x)
            own = cross_entropy(output, y, label_smoothing=self._smoothing)
            total = total + 0.5 * own + 0.5 * cross_entropy(output, soft)
        return total / (1 + self._random)
