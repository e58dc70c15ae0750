"""Count a network for a data set: `nas cost` and `nas show` with `--data`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.cli.networks import SEGMENTATION, Network, Sizes, network_of
from nas.cli.tasks import TASKS, DataOptions
from nas.config.schema import override
from nas.core.checks import check_known
from nas.core.errors import ConfigError


@dataclass(frozen=True)
class OfData:
    """The data set that `nas cost` and `nas show` count a network for."""

    data: str
    path: Path | None = None
    task: str | None = None


def counted_network(
    first: str, second: str | None, settings: Sequence[str], sizes: Sizes, of: OfData | None
) -> Network:
    """The network of `nas cost` and `nas show`, for the data `of` if given.

    With data, `sizes.resolution` is the side to resize images to, and `data.NAME=VALUE` is a setting of the data set.
    """
    return (
        network_of(first, second, settings, sizes)
        if of is None
        else _for_data(first, second, settings, sizes, of)
    )


def _for_data(first: str, second: str | None, settings: Sequence[str], sizes: Sizes, of: OfData) -> Network:
    if sizes.classes is not None:
        raise ConfigError("--classes: the data define the classes; remove --classes or --data")
    name = of.task or (SEGMENTATION if first == SEGMENTATION else "classification")
    check_known("--task", name, [t for t in TASKS if t != "detection"])
    if (name == SEGMENTATION) != (first == SEGMENTATION):
        raise ConfigError(
            f"--task: {name} requires {'the' if name == SEGMENTATION else 'another space than'} space segmentation"
        )
    about_data = [s for s in settings if s.startswith("data.")]
    network = network_of(first, second, [s for s in settings if s not in about_data], Sizes())
    options = DataOptions(of.data, of.path, override({}, about_data).get("data", {}))
    return network.for_task(TASKS[name].spec(options, sizes.resolution))
