"""The share of a machine that a worker reserves, and the number of workers that fit on a cluster."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nas.core.errors import ConfigError, ExecutorError


@dataclass(frozen=True, slots=True)
class Share:
    """CPUs and GPUs that one worker reserves; a fraction below 1 shares a single one."""

    cpus: float = 1
    gpus: float = 0

    def __post_init__(self) -> None:
        check_share("cpus", self.cpus)
        check_share("gpus", self.gpus)

    def __str__(self) -> str:
        return f"{self.cpus:g} CPUs and {self.gpus:g} GPUs"

    def wanted_by(self, needs: Mapping[str, float]) -> Share:
        """This share, with the values that a candidate sets. Raises `ConfigError` for an invalid one."""
        if unknown := sorted(set(needs) - {"cpus", "gpus"}):
            raise ConfigError(f"resources: expected only cpus and gpus, got {', '.join(unknown)}")
        return Share(needs.get("cpus", self.cpus), needs.get("gpus", self.gpus))


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster, with all its resources, free or not."""

    id: str
    resources: Mapping[str, float]


def check_share(name: str, value: object) -> None:
    """Raise `ConfigError` unless it is a whole number, or a fraction of a single processor: Ray reserves no others."""
    valid = not isinstance(value, bool) and isinstance(value, (int, float)) and 0 <= value < math.inf
    if not valid or (float(value) > 1 and float(value) != int(float(value))):  # type: ignore[arg-type]
        raise ConfigError(f"{name}: expected a whole number, or a fraction between 0 and 1, got {value!r}")


def room(nodes: Sequence[Node], share: Share) -> float:
    """Number of workers with this share that fit on the nodes at once; infinite when they reserve nothing."""
    return sum(_fits(node.resources, share) for node in nodes)


def _fits(resources: Mapping[str, float], share: Share) -> float:
    places = [
        resources.get(kind, 0.0) / part
        if part >= 1
        else resources.get(kind, 0.0) * math.floor(1 / part + 1e-9)
        for kind, part in (("CPU", share.cpus), ("GPU", share.gpus))
        if part > 0
    ]
    return math.floor(min(places) + 1e-9) if places else math.inf


def check_room(nodes: Sequence[Node], share: Share) -> None:
    """Raise `ExecutorError` unless at least one worker fits: Ray silently keeps a request that can never be met."""
    if room(nodes, share) >= 1:
        return
    has = ", ".join(
        f"{n.resources.get('CPU', 0):g} CPUs and {n.resources.get('GPU', 0):g} GPUs" for n in nodes
    )
    raise ExecutorError(
        f"a worker needs {share}, which no machine has: the Ray cluster has {len(nodes)} node(s) with "
        f"{has or 'nothing'}. Lower cpus_per_trial or gpus_per_trial, or add a node that is large enough."
    )
