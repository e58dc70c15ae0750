"""Load a network of a run's front with the weights kept by the search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nas.config.schema import SearchConfig, check_config
from nas.core.errors import ConfigError
from nas.core.space import SearchSpace, can_build, parsed
from nas.engine.kept_weights import FOLDER, weights_entry
from nas.runs.code_of_strangers import allow_in_python
from nas.runs.history import read_history
from nas.runs.original import recorded_search
from nas.spaces.making import make_space

if TYPE_CHECKING:  # torch is not loaded until a network is
    from torch import nn


def load_network(
    run: str | Path, architecture: str, space: SearchSpace | None = None, *, trust: bool = False
) -> nn.Module:
    """Load a network of a run's front with the weights of the search, on the CPU, in evaluation mode.

    `architecture` is its text form, as in front.csv; `space` is needed only if the run was started from Python.
    The network takes images (b, in_channels, h, w), normalised as in the search: see `docs/run-folder.md`.
    Loading the weights runs no code. A space that the config names by a file is imported: this needs `trust`, unless
    you started the search yourself with the same code. Raises `DataError` if the run kept no weights of the network,
    `ConfigError` if the space is missing or not trusted.
    """
    import torch

    from nas.training.fresh import with_shapes
    from nas.training.judging import put_weights
    from nas.training.weights import read

    file = Path(run) / FOLDER / weights_entry(run, architecture)["file"]
    space = space or _space_of(Path(run), trust)
    if not can_build(space):
        raise ConfigError(f"space {space.name!r} has no build(architecture)")
    sizes = read(file)
    network = space.build(
        parsed(space, architecture),
        num_classes=int(sizes["num_classes"]),
        in_channels=int(sizes["in_channels"]),
    )
    with torch.random.fork_rng(devices=[]):
        with_shapes(network, lambda: (1, int(sizes["in_channels"]), *sizes["image_size"]))
    put_weights(network, file)
    return network.eval()


def run_config(run: Path) -> tuple[SearchConfig, Path | None]:
    """The config of a run and the base folder of its paths.

    Raises `ConfigError` if the run was started from Python.
    """
    _, meta = read_history(run)
    config = meta.get("config", {}).get("config")
    if not config:
        raise ConfigError(f"space: {run} was started from Python; pass the space of the search")
    base = config.get("base")
    return check_config(recorded_search(config, run)), None if base is None else Path(base)


def _space_of(run: Path, trust: bool) -> SearchSpace:
    """The space of a run's config. Raises `ConfigError` if it is missing or not trusted."""
    config, base = run_config(run)
    named = config.model_dump(mode="json")
    with allow_in_python(named, base, ["space"], trust, f"nas.load_network({str(run)!r}, ...)"):
        return make_space(config.space.name, config.space.settings, base)
