"""Names of networks on the command line: of models, MUXNets, cells, and architectures of a space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.cli.networks import CLASSES, MUXNetwork, Network, PlainNetwork, SpaceNetwork
from nas.config.schema import override
from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.core.network_names import CELL, MUXNET, OWN, TIMM
from nas.core.plugins import registry


@dataclass(frozen=True)
class Sizes:
    """Pixels (None: the network's) and classes to count a network with if its space does not define them."""

    resolution: int | None = None
    classes: int | None = None


def named_network(text: str, sizes: Sizes | None = None) -> Network:
    """A network by one word: a model's name, a MUXNet in its text form, or a NASBench-101 cell.

    Raises `ConfigError` for any other word, with the nearest match.
    """
    from search_spaces.muxnet import NetworkSpec, parse_spec
    from search_spaces.networks import NETWORKS, network_named

    sizes = sizes or Sizes()
    for name, value in (("--resolution", sizes.resolution), ("--classes", sizes.classes)):
        if value is not None and value < 1:
            raise ConfigError(f"{name}: expected at least 1, got {value}")
    if text in NETWORKS or MUXNET.match(text) or text.startswith(TIMM):
        named = parse_spec(text) if MUXNET.match(text) else network_named(text)
        spec = named if sizes.resolution is None else named.at(sizes.resolution)
        classes = CLASSES if sizes.classes is None else sizes.classes
        if isinstance(spec, NetworkSpec):
            return MUXNetwork(text, spec, text not in NETWORKS, classes)
        return PlainNetwork(text, spec, classes)
    if CELL.fullmatch(text):
        return space_network("nasbench101", text, (), sizes)
    if text in registry("space"):
        raise ConfigError(f"space {text!r}: add an architecture in its text form, as in front.csv")
    raise ConfigError(
        f"network: unknown {text!r}{did_you_mean(text, [*NETWORKS, *registry('space')])}; known: {', '.join(NETWORKS)}, "
        f"timm/NAME, a MUXNet text (r224/stem24/...), a NASBench-101 cell (1-), or a space and an architecture of it"
    )


def space_network(
    space_name: str, text: str, settings: Sequence[str], sizes: Sizes | None = None
) -> SpaceNetwork:
    """An architecture of a space, the space with `name=value` settings. Raises `ConfigError`."""
    from nas.spaces.making import make_space

    if sizes is not None and sizes != Sizes():
        raise ConfigError(
            f"--resolution and --classes require a MUXNet named without a space; space {space_name!r} defines "
            f"both (--set num_classes=..., if it has that setting)"
        )
    space = make_space(space_name, override({}, settings), Path.cwd())
    return SpaceNetwork(f"{space_name}:{text}", space, space.parse(text))


def network_of(first: str, second: str | None, settings: Sequence[str], sizes: Sizes) -> Network:
    """The network of `nas cost` and `nas show`: a space and an architecture, or one word."""
    if second is not None:
        return space_network(first, second, settings, sizes)
    if settings:
        raise ConfigError("--set: only a space has settings; put the space before the architecture")
    return named_network(first, sizes)


def is_muxnet(text: str) -> bool:
    """Whether a text begins like that of a MUXNet."""
    return MUXNET.match(text) is not None


def names_code(text: str) -> bool:
    """Whether building the network of a specification imports code that it names: a file or a module."""
    first, colon, _ = text.partition(":")
    return bool(colon) and not MUXNET.match(text) and first not in registry("space")


def space_part(text: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The space that `network_spec` makes, as a part of a config."""
    first, colon, _ = text.partition(":")
    own = OWN.fullmatch(text) if colon and first not in registry("space") and not MUXNET.match(text) else None
    return {"name": first if own is None else own[1], **settings}


def network_spec(text: str, settings: Mapping[str, Any]) -> Network:
    """The network of `nas train` and `nas evaluate`: one word, or SPACE:TEXT. Raises `ConfigError`."""
    from nas.spaces.making import make_space

    first, colon, rest = text.partition(":")
    if not MUXNET.match(text) and colon:
        own = OWN.fullmatch(text) if first not in registry("space") else None
        name, rest = (own[1], own[2]) if own else (first, rest)
    elif settings:
        name, rest = "nasbench101" if CELL.fullmatch(text) else "", text
        if not name:
            raise ConfigError(f"--set space.{next(iter(settings))}: network {text!r} has no space to set")
    else:
        return named_network(text)
    space = make_space(name, settings, Path.cwd())
    return SpaceNetwork(text, space, space.parse(rest))


def listed_models() -> list[tuple[str, str]]:
    """The named networks with their summaries."""
    from search_spaces.networks import LISTED_NETWORKS

    return list(LISTED_NETWORKS.items())
