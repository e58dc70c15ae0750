"""Networks of the command line, not yet built; `nas show` and `nas weights convert`.

Of the command line only this module and `named_networks` know MUXNet, NASBench-101 and the named networks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.core.files import make_folder, write_text
from nas.core.owned import check_single
from nas.core.records import Architecture, Block
from nas.core.space import HasChoices, HasFeatures, SearchSpace, has_blocks, has_cost
from nas.core.task_spec import Size, TaskSpec, size_text
from nas.spaces.space import Space

if TYPE_CHECKING:
    from torch import nn

    from search_spaces.muxnet import NetworkSpec
    from search_spaces.networks import PlainSpec

SEGMENTATION = "segmentation"  # the space and the task
CLASSES = 1000  # for a network named without its space
_MARK = "<!-- drawn by nas show -->"


class Network(ABC):
    """One network, not yet built. `label` is its full name."""

    label: str

    @abstractmethod
    def cost(self) -> Mapping[str, float]:
        """Exact `params` and `madds`."""

    @abstractmethod
    def view(self) -> Table | str:
        """The output of `nas show`."""

    def svg(self) -> str:
        """A drawing as SVG. Raises `ConfigError` where there is none."""
        raise ConfigError(f"--svg: {self.label} has no drawing")

    @abstractmethod
    def for_task(self, task: TaskSpec) -> Network:
        """The network built and counted for these data. Raises `ConfigError` if it does not fit them."""

    @abstractmethod
    def builder(
        self, dropout: float, drop_connect: float, resolution: int | None
    ) -> Callable[..., nn.Module]:
        """A function that builds the network from `num_classes` and `in_channels`, for images of side `resolution`."""

    @abstractmethod
    def features(self, in_channels: int, drop_connect: float) -> nn.Module:
        """Its backbone, which returns feature maps at its `strides`. Raises `ConfigError` if it has none."""


@dataclass(frozen=True)
class MUXNetwork(Network):
    """A MUXNet by its specification; with `resize` it resizes images to its resolution."""

    label: str
    spec: NetworkSpec
    resize: bool
    classes: int = CLASSES
    channels: int = 3

    def cost(self) -> Mapping[str, float]:
        from search_spaces.muxnet.cost import network_cost
        from search_spaces.muxnet.spec import check_network

        check_network(self.spec)
        cost = network_cost(self.spec, self.classes, self.channels)
        return {"params": cost.params, "madds": cost.madds}

    def view(self) -> Table:
        from search_spaces.muxnet import describe

        rows = describe(self.spec, num_classes=self.classes, in_channels=self.channels)
        return blocks_table(self.label, (self.spec.resolution,) * 2, rows)

    def svg(self) -> str:
        from search_spaces.muxnet import to_svg

        return to_svg(self.spec, num_classes=self.classes, in_channels=self.channels)

    def for_task(self, task: TaskSpec) -> Network:
        spec = self.spec if self.resize else self.spec.at(_square(self.label, task))
        return replace(self, spec=spec, classes=task.num_classes, channels=task.in_channels)

    def builder(
        self, dropout: float, drop_connect: float, resolution: int | None
    ) -> Callable[..., nn.Module]:
        from search_spaces.muxnet import MUXNet

        spec = self.spec if self.resize or resolution is None else self.spec.at(resolution)

        def build(*, num_classes: int, in_channels: int) -> nn.Module:
            return MUXNet(
                spec,
                num_classes=num_classes,
                in_channels=in_channels,
                dropout=dropout,
                drop_connect=drop_connect,
                resize=self.resize,
            )

        return build

    def features(self, in_channels: int, drop_connect: float) -> nn.Module:
        from search_spaces.muxnet.network import features_of

        return features_of(self.spec, in_channels, drop_connect)


@dataclass(frozen=True)
class PlainNetwork(Network):
    """A named network outside MUXNet's block language: ResNet-18, VGG-16, those of timm."""

    label: str
    spec: PlainSpec
    classes: int = CLASSES
    channels: int = 3

    def cost(self) -> Mapping[str, float]:
        from search_spaces.muxnet.description import sum_of

        return sum_of(self.spec.rows(self.classes, self.channels))._asdict()

    def view(self) -> Table:
        return blocks_table(
            self.label, (self.spec.resolution,) * 2, self.spec.rows(self.classes, self.channels)
        )

    def svg(self) -> str:
        from search_spaces.muxnet.description import draw

        return draw(self.spec.rows(self.classes, self.channels), self.spec.resolution)

    def for_task(self, task: TaskSpec) -> Network:
        spec = self.spec.at(_square(self.label, task))
        return replace(self, spec=spec, classes=task.num_classes, channels=task.in_channels)

    @property
    def fixed_size(self) -> bool:
        """Whether the network is built for images of one size."""
        return bool(getattr(self.spec, "fixed", False))

    def check_size(self, task: TaskSpec) -> None:
        """Raise `ConfigError` where images of these data do not fit a network for images of one size."""
        if _square(self.label, task) != self.spec.resolution:
            raise ConfigError(
                f"{self.label} is built for images of {self.spec.resolution} pixels, and the data have {_square(self.label, task)}; "
                "build it for their size, or resize them: --set recipe.resolution=PIXELS"
            )

    def builder(
        self, dropout: float, drop_connect: float, resolution: int | None
    ) -> Callable[..., nn.Module]:
        from search_spaces.networks import build_plain

        spec = self.spec if resolution is None else self.spec.at(resolution)
        return partial(build_plain, spec, dropout=dropout)

    def features(self, in_channels: int, drop_connect: float) -> nn.Module:
        from search_spaces.networks import plain_features

        return plain_features(self.spec, in_channels=in_channels)


def blocks_table(label: str, size: Size | None, rows: Sequence[Block]) -> Table:
    """A table of a network's blocks, with totals."""
    from search_spaces.muxnet.description import sum_of

    images = "" if size is None else f", images of {size_text(size)}"
    table = Table(title=f"{label}{images}", title_justify="left", header_style="bold", show_footer=True)
    cost = sum_of(rows)
    table.add_column("", justify="right")
    table.add_column("block", footer="total")
    table.add_column("operation")
    table.add_column("shape", justify="right", no_wrap=True)
    for name, total in (("parameters", cost.params), ("MAdds", cost.madds)):
        table.add_column(name, justify="right", no_wrap=True, footer=f"{total:,}")
    for number, row in enumerate(rows):
        shape = "x".join(map(str, row.shape))
        table.add_row(str(number), row.kind, row.text, shape, f"{row.params:,}", f"{row.madds:,}")
    return table


@dataclass(frozen=True)
class SpaceNetwork(Network):
    """An architecture of a search space."""

    label: str
    space: SearchSpace
    architecture: Architecture

    def for_task(self, task: TaskSpec) -> SpaceNetwork:
        from nas.core.space import for_task

        return replace(self, space=for_task(self.space, task))

    def cost(self) -> Mapping[str, float]:
        if not has_cost(self.space):
            raise ConfigError(f"space {self.space.name!r} has no cost(architecture)")
        return dict(self.space.cost(self.architecture))

    def view(self) -> Table | str:
        spec = getattr(self.space, "spec", None)
        if spec is not None:
            return self._muxnet().view()
        describe = getattr(self.space, "describe", None)
        if describe is not None:
            return str(describe(self.architecture))
        size = self.space.task.image_size if isinstance(self.space, Space) else None
        if has_blocks(self.space):
            return blocks_table(self.label, size, self.space.blocks(self.architecture))
        lines = [self.space.format(self.architecture)]
        if isinstance(self.space, HasChoices):
            choices = self.space.choices(self.architecture)
            width = max(map(len, choices), default=0)
            lines += [f"  {name:<{width}}  {value}" for name, value in choices.items()]
        if has_cost(self.space):
            lines += [f"{name:<8} {value:>15,}" for name, value in self.cost().items()]
        return "\n".join(lines)

    def svg(self) -> str:
        draw = getattr(self.space, "to_svg", None)
        if draw is None:
            raise ConfigError(f"--svg: space {self.space.name!r} has no to_svg(architecture) to draw with")
        return str(draw(self.architecture))

    def builder(
        self, dropout: float, drop_connect: float, resolution: int | None
    ) -> Callable[..., nn.Module]:
        from nas.training.full import architecture_builder

        rates = {"dropout": dropout, "drop_connect": drop_connect}
        return architecture_builder(self.space, self.architecture, rates)

    def features(self, in_channels: int, drop_connect: float) -> nn.Module:
        if not isinstance(self.space, HasFeatures):
            raise ConfigError(
                f"space {self.space.name!r} has no build_features(architecture): its networks cannot serve as backbones"
            )
        return self.space.build_features(self.architecture, in_channels=in_channels)

    def _muxnet(self) -> MUXNetwork:
        space: Any = self.space
        spec = space.spec(self.architecture)
        return MUXNetwork(self.label, spec, True, space.num_classes, space.in_channels)


def _square(label: str, task: TaskSpec) -> int:
    """The side of the data's images. Raises `ConfigError` where they are not squares of one size."""
    if task.image_size is None or task.image_size[0] != task.image_size[1]:
        size = "several sizes" if task.image_size is None else size_text(task.image_size)
        raise ConfigError(f"{label} requires square images of one size; the data have {size}")
    return task.image_size[0]


def show_network(network: Network, svg: Path | None) -> None:
    """`nas show`: print the network and write its drawing."""
    from nas.cli.console import output

    if svg is not None:
        check_file(svg, _MARK)
    drawing = None if svg is None else network.svg()
    output().print(network.view())
    if svg is not None and drawing is not None:
        _write_drawing(svg, f"{_MARK}\n{drawing}")
        output().print(f"Drawing written to {svg}")


def _write_drawing(path: Path, text: str) -> None:
    """Write a text atomically. Raises `ConfigError` if that fails."""
    try:
        make_folder(path.parent)
        write_text(path, text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror})") from None


def check_file(path: Path, mark: str | None = None) -> None:
    """Check that a file named on the command line can be written: it is new or has our mark.

    Raises `ForeignFileError`, `ConfigError`.
    """
    try:
        check_single(path, None if mark is None else mark.encode(), "nas show")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror})") from None


def convert(file: Path, model: str, out: Path) -> None:
    """`nas weights convert`: convert the authors' checkpoint and print a report."""
    from nas.cli.console import output
    from search_spaces.muxnet import MODELS, convert_checkpoint
    from search_spaces.muxnet.weights import save_checkpoint

    if model not in MODELS:
        raise ConfigError(
            f"--model: unknown {model!r}{did_you_mean(model, MODELS)}; known: {', '.join(MODELS)}"
        )
    if out.resolve() == file.resolve():
        raise ConfigError(f"--out: {out} is the checkpoint itself; choose another file")
    check_file(out)
    report = convert_checkpoint(file, model)
    try:
        make_folder(out.parent)
        save_checkpoint(out, report.state_dict, model, report.num_classes, report.in_channels)
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written ({error.strerror})") from None
    output().print(str(report))
    output().print(f"Weights written to {out}")
