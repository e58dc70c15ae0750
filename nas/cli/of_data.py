"""Count a network for a data set: `nas cost` and `nas show` with `--data`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nas.cli.named_networks import Sizes, network_of
from nas.cli.networks import SEGMENTATION, Network
from nas.cli.tasks import TASKS, DataOptions
from nas.config.schema import override
from nas.core.checks import check_known
from nas.core.errors import ConfigError


def counted_network(
    first: str,
    second: str | None,
    settings: Sequence[str],
    sizes: Sizes,
    data: str | None = None,
    path: Path | None = None,
    task: str | None = None,
) -> Network:
    """The network of `nas cost` and `nas show`, for the `data` at `path` if given, read for `task`.

    With data, `sizes.resolution` is the side to resize images to, and `data.NAME=VALUE` is a setting of the data set.
    """
    if data is None:
        for flag, value in (("--path", path), ("--task", task)):
            if value is not None:
                raise ConfigError(f"{flag} requires --data; add --data or remove {flag}")
        return network_of(first, second, settings, sizes)
    if sizes.classes is not None:
        raise ConfigError("--classes: the data define the classes; remove --classes or --data")
    name = task or (SEGMENTATION if first == SEGMENTATION else "classification")
    check_known("--task", name, [t for t in TASKS if t != "detection"])
    if (name == SEGMENTATION) != (first == SEGMENTATION):
        raise ConfigError(
            f"--task: {name} requires {'the' if name == SEGMENTATION else 'another space than'} space segmentation"
        )
    about_data = [s for s in settings if s.startswith("data.")]
    network = network_of(first, second, [s for s in settings if s not in about_data], Sizes())
    options = DataOptions(data, path, override({}, about_data).get("data", {}))
    return network.for_task(TASKS[name].spec(options, sizes.resolution))
