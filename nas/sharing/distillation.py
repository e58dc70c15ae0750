"""The loss of a step of a supernet: the largest and some random networks, with distillation.

In-place distillation is that of Yu and Huang, "Universally Slimmable Networks and Improved Training Techniques", ICCV 2019, section
3.3. Their sandwich (section 3.2) has the smallest network too, and sums the gradients; here they are averaged over the networks, and the
smallest is a setting: in small ResNets, training it in each step spoiled the ranking of the others (experiments/weight_sharing).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nas.core.errors import ConfigError
from nas.core.records import Architecture
from nas.sharing.layout import Places
from nas.sharing.limited import Draws
from nas.sharing.settings import SupernetSettings
from nas.sharing.supernet import Supernet, size_of
from nas.sharing.weights import Inherited, NotCovered, SharedWeights
from nas.training.loop import distilled, stream

_POOL = 256  # networks from which the distribution of costs is estimated
_BINS = 12  # of the logarithm of the costs
_TRIES = 100  # draws of a network that the shared weights cover


class EvenDraw:
    """Draws networks whose costs (multiply-adds, or parameters) are spread evenly on a logarithmic scale.

    Random genes mostly give networks of medium costs, so the others would hardly be trained. A draw is a mutation of one of
    256 random networks, from a range of costs that is drawn first; it needs no costs, which may be slow.
    """

    def __init__(self, supernet: Supernet, seed: int, limits: tuple[str, ...] = ()) -> None:
        self._supernet = supernet
        draw, rng = Draws(supernet.space, limits), np.random.default_rng(stream(seed, 5))
        self._draws = draw
        pool = [draw(rng) for _ in range(_POOL)]
        sizes = {a: size_of(supernet.space, supernet.task, a)[-1] for a in dict.fromkeys(pool)}
        costs = np.log([max(sizes[a], 1.0) for a in pool])
        edges = np.linspace(costs.min(), costs.max(), _BINS + 1)[1:-1]
        bins = np.searchsorted(edges, costs)
        self._bins = [[a for a, i in zip(pool, bins, strict=True) if i == b] for b in np.unique(bins)]

    def __call__(self, rng: np.random.Generator, share: float = 1.0) -> Architecture:
        """A random network, of the upper `share` of the range of costs."""
        bins = self._bins[-max(1, math.ceil(share * len(self._bins))) :]
        found = bins[int(rng.integers(len(bins)))]
        return self._changed(found[int(rng.integers(len(found)))], rng)

    def _changed(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        changed = self._draws.mutated(architecture, rng)
        return changed if self._draws.holds(changed) else architecture

    def network(
        self, rng: np.random.Generator, shared: SharedWeights | None = None, share: float = 1.0
    ) -> Inherited:
        """A drawn network that the shared weights cover, of the upper `share` of the range of costs."""
        for _ in range(_TRIES):
            try:
                return self._supernet.network(self(rng, share), shared)
            except NotCovered as error:
                missed = error
        raise ConfigError(
            f"none of {_TRIES} random networks is part of the shared weights; the last: {missed}"
        )


class Distillation:
    """The mean loss of the largest and `random` random networks on a batch, and of the smallest if wanted.

    The largest learns from the labels; the others half from the labels and half from its output. The random networks of a
    step follow from the seed and `step()`, the number of steps before it. `share()` is the upper share of the range of costs from which they
    are drawn now; the smallest takes part once it is 1.
    """

    def __init__(
        self,
        supernet: Supernet,
        draw: EvenDraw,
        settings: SupernetSettings,
        smoothing: float,
        step: Callable[[], int],
        share: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self._supernet = supernet
        ends = supernet.extremes
        wanted = (ends.largest, ends.smallest) if settings.smallest else (ends.largest,)
        self._ends = {a: supernet.network(a).network for a in wanted}  # built once
        self._draw = draw
        self._settings = settings
        self._smoothing = smoothing
        self._step = step
        self._share = share

    def __call__(self, shared: nn.Module, x: Tensor, y: Tensor) -> Iterator[Tensor]:
        """The summands of the loss of a step, one a network, so that the activations of one are in memory; a `nas.training.loop.Loss`."""
        assert isinstance(shared, SharedWeights)
        settings, ends, share = self._settings, self._supernet.extremes, self._share()
        rng = np.random.default_rng(stream(settings.seed, 4, self._step()))
        smallest = settings.smallest and share >= 1.0
        networks = 1 + smallest + settings.random
        output = self._end(ends.largest, shared).train()(x)
        yield cross_entropy(output, y, label_smoothing=self._smoothing) / networks
        soft = output.detach().float().softmax(1)
        for number in range(1, networks):
            own = smallest and number == 1
            network = self._end(ends.smallest, shared) if own else self._draw.network(rng, shared, share)
            output = network.train()(x)
            yield distilled(output, y, soft, self._smoothing) / networks

    def _end(self, architecture: Architecture, shared: SharedWeights) -> Inherited:
        network = self._ends[architecture]
        return Inherited(network, shared.views(network, architecture, Places(self._supernet.space)))
