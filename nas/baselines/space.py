"""Networks as a search space of one gene, the number of the network: evaluators and objectives then treat them as candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nas.baselines.networks import Network
from nas.core.records import Architecture
from nas.core.space import SearchSpace
from nas.core.task_spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn


class BaselineSpace(SearchSpace):
    """These networks, by name, for data of `task`."""

    name = "baselines"

    def __init__(self, networks: Mapping[str, Network], task: TaskSpec | None = None) -> None:
        self.names: Sequence[str] = tuple(networks)
        self.task = task
        self._networks: Sequence[Any] = tuple(networks.values())
        self._costs: dict[int, dict[str, float]] = {}
        self.cardinalities = (len(networks),)
        self.size = len(networks)

    def of(self, name: str) -> Architecture:
        """The architecture of a network."""
        return Architecture(self.name, (self.names.index(name),))

    def format(self, architecture: Architecture) -> str:
        """The network's name."""
        return self.names[architecture.genes[0]]

    def parse(self, text: str) -> Architecture:
        """The inverse of `format`. Raises `ValueError`."""
        return self.of(text)

    def resolution(self, architecture: Architecture) -> int | None:
        """The side of its images; None: that of the run's."""
        side: int | None = self._networks[architecture.genes[0]].side
        return side

    def spec(self, architecture: Architecture) -> Any:
        """An object with the `resolution` to which the network resizes its images, if it does: those of a latency have this size."""
        network = self._networks[architecture.genes[0]]
        return getattr(network, "spec", None) if getattr(network, "resize", False) else None

    def build(self, architecture: Architecture, *, num_classes: int = 10, in_channels: int = 3) -> nn.Module:
        """The network with new first weights; the sizes default to those of the task."""
        if self.task is not None:
            num_classes, in_channels = self.task.num_classes, self.task.in_channels
        network: nn.Module = self._networks[architecture.genes[0]].build(
            num_classes=num_classes, in_channels=in_channels
        )
        return network

    def cost(self, architecture: Architecture) -> dict[str, float]:
        """Exact `params` and `madds`."""
        number = architecture.genes[0]
        if number not in self._costs:
            self._costs[number] = dict(self._networks[number].cost())
        return dict(self._costs[number])
