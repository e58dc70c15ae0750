"""The networks to compare with: a listed network at a width, a MUXNet, an architecture of another space, a function of yours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nas.core.checks import did_you_mean
from nas.core.code_files import code_of
from nas.core.errors import ConfigError
from nas.core.network_names import CELL, MUXNET
from nas.core.plugins import find, registry
from nas.core.records import Architecture
from nas.core.space import SearchSpace, can_build, for_task, has_cost, parsed
from nas.core.task_spec import TaskSpec, size_text
from nas.spaces.making import make_space

if TYPE_CHECKING:  # torch is imported only to build or trace a network
    from torch import nn

AnyName = str | Callable[..., Any]
FAMILIES = ("mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small")
WIDTHS = ("@0.25", "@0.5", "@0.75", "")
DEFAULT = tuple(family + width for family in FAMILIES for width in WIDTHS)
NARROW = (
    "@0.2",
    "@0.15",
    "@0.1",
    "@0.05",
)  # the first of them that fits stands for a family of which no default width does


class Network(Protocol):
    """One network for the data of a run, not yet built; picklable."""

    @property
    def side(self) -> int | None:
        """The side of its images in pixels; None: that of the run's images."""

    def build(self, *, num_classes: int, in_channels: int) -> nn.Module:
        """The network with new first weights, from torch's generator."""

    def cost(self) -> Mapping[str, float]:
        """Exact `params` and `madds`."""

    @property
    def code(self) -> str:
        """A hash of the user's code; "" for built-in networks."""


@dataclass(frozen=True)
class Listed:
    """A listed network or a MUXNet by its specification, counted for the data. With `resize` it resizes images to its own resolution.

    With `traced` its cost also has `activations`, which takes a pass through the network.
    """

    spec: Any
    task: TaskSpec
    resize: bool = False
    traced: bool = False
    side: int | None = None
    code: str = ""

    def build(self, *, num_classes: int, in_channels: int) -> nn.Module:
        """Without dropout."""
        from search_spaces.networks import build_of

        return build_of(self.spec, num_classes=num_classes, in_channels=in_channels, resize=self.resize)

    def cost(self) -> Mapping[str, float]:
        """From the specification: the same as by tracing the network."""
        from search_spaces.muxnet.description import sum_of
        from search_spaces.networks import rows_of

        counted = sum_of(rows_of(self.spec, self.task.num_classes, self.task.in_channels))._asdict()
        return {**(_traced(self, self.task) if self.traced else {}), **counted}


@dataclass(frozen=True)
class Own:
    """The network that a function returns, called with those of `num_classes` and `in_channels` that it takes."""

    name: str
    function: Callable[..., Any]
    task: TaskSpec
    side: int | None = None

    def build(self, *, num_classes: int, in_channels: int) -> nn.Module:
        from nas.shrinking.models import called_with

        sizes = {"num_classes": num_classes, "in_channels": in_channels}
        network: nn.Module = called_with(self.function, sizes, f"network {self.name}")
        return network.train()

    def cost(self) -> Mapping[str, float]:
        return _traced(self, self.task)

    @cached_property
    def code(self) -> str:
        return _hash(self.function)


@dataclass(frozen=True)
class OfSpace:
    """An architecture of a search space, which is for the data."""

    space: Any
    architecture: Architecture
    code: str = ""

    @property
    def side(self) -> int | None:
        resolution = getattr(self.space, "resolution", None)
        return resolution(self.architecture) if callable(resolution) else None

    def build(self, *, num_classes: int, in_channels: int) -> nn.Module:
        network: nn.Module = self.space.build(
            self.architecture, num_classes=num_classes, in_channels=in_channels
        )
        return network

    def cost(self) -> Mapping[str, float]:
        return dict(self.space.cost(self.architecture))


def _traced(network: Network, task: TaskSpec) -> dict[str, float]:
    from nas.spaces.tracing import trace

    height, width = task.image_size or (1, 1)  # a network for images of any size resizes them
    sizes = {"num_classes": task.num_classes, "in_channels": task.in_channels}
    return trace(lambda: network.build(**sizes), (task.in_channels, height, width))


def names_of(given: Sequence[AnyName] | None) -> list[tuple[str, AnyName]]:
    """The networks by their names, each once; the default ones for None or none.

    Raises `ConfigError` for anything but names and functions, and for two functions of one name.
    """
    if isinstance(given, str) or callable(given):
        raise ConfigError(f"networks: expected a list, got {given!r:.100} alone; write [{given!r:.100}]")
    named: dict[str, AnyName] = {}
    for item in given or DEFAULT:
        if isinstance(item, str) and item.strip():
            name = _plain(item.strip())
            item = name
        elif callable(item) and not hasattr(item, "state_dict"):
            name = str(getattr(item, "__name__", type(item).__name__))
        elif isinstance(item, type):
            name = item.__name__
        else:
            raise ConfigError(
                f"networks: expected names and functions that return a new network, got {item!r:.100}; a network as an object has "
                "weights already: pass lambda: MyNet()"
            )
        if name in named and named[name] is not item and named[name] != item:
            raise ConfigError(f"networks: two functions are called {name!r}; rename one")
        named[name] = item
    return list(named.items())


def _plain(text: str) -> str:
    """One name for one width: `@0.50` is `@0.5`, and `@1.0` the network itself."""
    name, at, number = text.partition("@")
    if not at or ":" in text or "/" in text:
        return text
    try:
        width = float(number)
    except ValueError:
        return text
    return name if width == 1.0 else f"{name}@{width:g}"


def check_name(name: str) -> None:
    """Raise `ConfigError` for a name that is none of a network, whatever the data. Imports no code of the user."""
    if MUXNET.match(name):
        from search_spaces.muxnet import parse_spec

        parse_spec(name)
    elif ":" not in name and not CELL.fullmatch(name):
        from search_spaces.networks import NETWORKS, network_at

        word = name.partition("@")[0]
        if word not in NETWORKS:
            raise ConfigError(
                f"--network: unknown {name!r}{did_you_mean(word, NETWORKS)}; expected a name from nas list models, with a width as in "
                "mobilenet_v2@0.5, file.py:function, a MUXNet text (r32/...) or SPACE:ARCHITECTURE"
            )
        network_at(name)


def part_of(name: AnyName) -> dict[str, Any]:
    """The network as a part of a config, to find the code that it names."""
    from nas.shrinking.models import normal_model

    if not isinstance(name, str) or not names_code(name):
        return {}
    model = normal_model(name)
    return {"space": model["space"]} if isinstance(model, Mapping) else {"model": model}


@dataclass(frozen=True)
class Located:
    """An architecture of a space of the user, which is already loaded."""

    space: SearchSpace
    text: str


def located(given: AnyName, base: Path | None = None) -> AnyName | Located:
    """Load the user's code that a name names: the function, or the space; other names unchanged. Relative files start at `base`."""
    from nas.shrinking.models import normal_model

    if not names_code(given):
        return given
    model = normal_model(given)
    if isinstance(model, str):
        function = find("model", model, base)
        if hasattr(function, "state_dict") and not isinstance(function, type):
            raise ConfigError(
                f"network {model}: expected a function that returns a new network, got a network, which has weights already"
            )
        if not callable(function):
            raise ConfigError(
                f"network {model}: expected a function that returns a network, got {type(function).__name__}"
            )
        return function  # type: ignore[no-any-return]
    part = dict(model["space"])
    return Located(make_space(str(part.pop("name")), part, base), str(model["architecture"]))


def names_code(given: AnyName) -> bool:
    """Whether a name names code of the user."""
    if not isinstance(given, str) or MUXNET.match(given):
        return False
    return ":" in given and given.partition(":")[0] not in registry("space")


def fitted(name: str, given: AnyName | Located, task: TaskSpec, *, traced: bool = False) -> Network:
    """The network for the channels, classes and image size of `task`; `traced`: with `activations` in its cost.

    Listed networks lose their first strides where images are small (`search_spaces.networks.for_images`). Raises `ConfigError`
    for a network that cannot be made for these data.
    """
    if isinstance(given, Located):
        return _of_space(given.space, given.text, task, own=True)
    if not isinstance(given, str):
        return _own(name, given, task)
    if MUXNET.match(given):
        from search_spaces.muxnet import parse_spec
        from search_spaces.muxnet.spec import check_network

        spec = parse_spec(given)
        check_network(spec)
        return Listed(spec, task, True, traced)
    if CELL.fullmatch(given) or ":" in given:
        from nas.shrinking.models import normal_model

        model: Any = normal_model(given)
        part = dict(model["space"])
        return _of_space(make_space(str(part.pop("name")), part), str(model["architecture"]), task, own=False)
    from search_spaces.networks import for_images, network_at, rows_of

    found = for_images(network_at(given), _square(task))
    rows_of(found, task.num_classes, task.in_channels)
    return Listed(found, task, False, traced)


def _own(name: str, function: Any, task: TaskSpec) -> Own:
    from nas.shrinking.models import called_with, checked_network

    sizes = {"num_classes": task.num_classes, "in_channels": task.in_channels}
    checked_network(called_with(function, sizes, f"network {name}"), task, name)
    return Own(name, function, task)


def _of_space(space: SearchSpace, text: str, task: TaskSpec, *, own: bool) -> OfSpace:
    if not can_build(space) or not has_cost(space):
        raise ConfigError(f"space {space.name!r} builds no networks, or has no cost(architecture)")
    made = for_task(space, task)
    return OfSpace(made, parsed(made, text), _hash(space) if own else "")


def _hash(thing: object) -> str:
    """A hash of the code that an object consists of."""
    found = code_of([thing], Path.cwd())
    return hashlib.sha256(json.dumps(sorted(found.values())).encode()).hexdigest()[:16]


def _square(task: TaskSpec) -> int:
    if task.image_size is None or task.image_size[0] != task.image_size[1]:
        size = "several sizes" if task.image_size is None else f"{size_text(task.image_size)} pixels"
        raise ConfigError(
            f"it needs square images of one size; the data have {size}; set a side: recipe.resolution=SIDE"
        )
    return task.image_size[0]
