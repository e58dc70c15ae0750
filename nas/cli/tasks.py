"""The tasks of `nas train` and `nas evaluate`. A new task is a class with these methods and a line in `TASKS`."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli.networks import MUXNetwork, Network, PlainNetwork, SpaceNetwork
from nas.core.checks import check_known
from nas.core.errors import ConfigError
from nas.core.plugins import make
from nas.core.task_spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

    from nas.training.full import Build
    from nas.training.recipe import Recipe
    from nas.training.task import Task

_SIZED = ("folder",)  # data sets with a default size for resizing
Tell = Callable[[str], None]


@dataclass(frozen=True)
class DataOptions:
    """Values of `--data` and `--path`, and the settings of the data set."""

    data: str
    path: Path | None
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class BuildOptions:
    """How to build a network: regularisation rates, image side in pixels, settings of the head."""

    dropout: float = 0.0
    drop_connect: float = 0.0
    resolution: int | None = None
    head: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ScoreText:
    """The score of a task in words and numbers: its `measure`, `headline` and value per class, in percent."""

    measure: str  # in the line of an epoch
    logged: str  # its column in the log
    headline: Callable[[Any], str]
    classes: Callable[[Any], Iterable[float]]  # NaN where a class is absent
    absent: str = "absent"

    def progress(self, row: Mapping[str, float]) -> list[str]:
        """Validation scores for the line of an epoch."""
        return [f"validation {self.measure} {row[self.logged]:.2f}%"] if self.logged in row else []

    def lines(self, score: Any, class_names: tuple[str, ...], details: bool) -> list[str]:
        """A score as text: one line, and with `details` one per class."""
        text = [f"{self.headline(score)}, loss {score.loss:.4f} ({score.pictures:,} images)"]
        if details:
            for name, value in zip(class_names, self.classes(score), strict=True):
                text.append(f"  {name:<20} {self.absent if math.isnan(value) else f'{value:6.2f}%'}")
        return text


class TaskCommand(ABC):
    """A task on the command line. `parts` are the prefixes of `--set` besides recipe, data and space."""

    recipe: str  # default recipe
    parts: tuple[str, ...] = ()
    scores: ScoreText
    boxes: bool = False  # whether an exported network returns boxes besides scores

    @abstractmethod
    def source(self, options: DataOptions, pixels: int | None) -> Any:
        """The data set; `pixels` is the side to resize images of any size to. Raises `ConfigError`."""

    @abstractmethod
    def task(self, settings: Mapping[str, Any]) -> Task:
        """The task for the trainer. Raises `ConfigError`."""

    @abstractmethod
    def build(self, network: Network, build_options: BuildOptions) -> Build:
        """A function that builds the network with its head. Raises `ConfigError`, `DataError`."""

    @abstractmethod
    def starting_from(self, build: Build, path: Path, tell: Tell) -> Build:
        """The same function, loading initial weights from `path`. Raises `DataError`."""

    def product(self, network: nn.Module, shape: tuple[int, int, int]) -> nn.Module:
        """The network to export, for images (channels, height, width); it returns one tensor."""
        return network

    def pixels(self, network: Network, recipe: Recipe) -> int | None:
        """The side to resize images to; None keeps their size."""
        return None

    def check(self, network: Network, task: Task, data: Any, recipe: Recipe) -> None:
        """Raise `ConfigError` if settings of the space contradict the data, before training."""
        return None

    def spec(self, options: DataOptions, resolution: int | None) -> TaskSpec:
        """Channels, classes and image size of a data set. Raises `ConfigError`, `DataError`."""
        from nas.training import Recipe
        from nas.training.task import spec_of

        source = self.source(options, resolution)
        return spec_of(self.task({}), source, Recipe(resolution=resolution))

    def threads(self, pixels: int | None) -> int | None:
        """Training threads; None leaves the choice to torch."""
        return None


class ClassificationCommand(TaskCommand):
    """One class per image."""

    recipe = "digits"
    scores = ScoreText(
        "error",
        "validation_error",
        lambda score: (
            f"error {score.error:.2f}%"
            + f", top-5 error {score.top5_error:.2f}%" * (len(score.class_errors) > 5)  # else always 0
        ),
        lambda score: score.class_errors,
        absent="no image",
    )
    LARGE = 64  # pixels from which several threads are faster than one

    def source(self, options: DataOptions, pixels: int | None) -> Any:
        from nas.training import DATASETS, data_from_config

        name, path = _folder_or_file(options, DATASETS)
        given: dict[str, Any] = {"name": name, **options.settings}
        if path is not None:
            if name == "digits":
                raise ConfigError("--path: the digits are bundled; remove --path")
            given["path"] = str(path)
        elif name != "digits" and "path" not in options.settings:
            raise ConfigError(f"--data {name} requires --path; set it to the path of the data")
        if name in _SIZED and pixels is not None:
            given.setdefault("resolution", pixels)
        return data_from_config(given)

    def task(self, settings: Mapping[str, Any]) -> Task:
        from nas.training.task import Classification

        return Classification()

    def build(self, network: Network, build_options: BuildOptions) -> Build:
        if build_options.head:
            raise ConfigError("--head: classification has a fixed head; remove --head or set --task")
        return network.builder(build_options.dropout, build_options.drop_connect, build_options.resolution)

    def check(self, network: Network, task: Task, data: Any, recipe: Recipe) -> None:
        from nas.training.task import spec_of

        if isinstance(network, SpaceNetwork):
            network.for_task(spec_of(task, data, recipe))
        elif isinstance(network, PlainNetwork) and network.fixed_size and recipe.resolution is None:
            network.check_size(spec_of(task, data, recipe))

    def starting_from(self, build: Build, path: Path, tell: Tell) -> Build:
        from nas.training.judging import read_state, starting_from

        read_state(path)  # fail before anything is written
        return starting_from(build, path, tell)

    def pixels(self, network: Network, recipe: Recipe) -> int | None:
        if recipe.resolution is None and isinstance(network, MUXNetwork) and network.resize:
            return network.spec.resolution
        return recipe.resolution

    def threads(self, pixels: int | None) -> int | None:
        return None if (pixels or 0) >= self.LARGE else 1


def _folder_or_file(options: DataOptions, known: Mapping[str, Any]) -> tuple[str, Path | None]:
    """Name and path of the data set; a folder or a Parquet file can replace the name."""
    from nas.training.data import kind_at

    kind = kind_at(options.data)
    if options.data in known or kind is None:
        check_known("--data", options.data, [*known, "an image folder", "a Parquet file"])
        return options.data, options.path
    if options.path is not None:
        raise ConfigError(f"--path: --data {options.data} is already a path; remove --path")
    return kind, Path(options.data)


class DenseCommand(TaskCommand):
    """A task with a head on a backbone; its data sets always have a path."""

    parts = ("head", "task")

    def source(self, options: DataOptions, pixels: int | None) -> Any:
        given = {"name": options.data, **options.settings}
        if options.path is not None:
            given["path"] = str(options.path)
        elif "path" not in given:
            raise ConfigError(f"--data {options.data} requires --path; set it to the path of the data")
        return self.data_set(given)

    @abstractmethod
    def data_set(self, config: Mapping[str, Any]) -> Any:
        """The data set of a config. Raises `ConfigError`."""

    def starting_from(self, build: Build, path: Path, tell: Tell) -> Build:
        from nas.training.judging import read_state
        from nas.training.tasks.starting import starting_from

        return starting_from(build, read_state(path), str(path), tell)


class SegmentationCommand(DenseCommand):
    """One class per pixel."""

    recipe = "camvid"
    scores = ScoreText(
        "mIoU",
        "validation_miou",
        lambda score: f"mIoU {score.miou:.2f}%, pixel accuracy {score.pixel_accuracy:.2f}%",
        lambda score: score.class_ious,
    )

    def data_set(self, config: Mapping[str, Any]) -> Any:
        from nas.training.tasks.segmentation.data import masks_from_config

        return masks_from_config(config)

    def task(self, settings: Mapping[str, Any]) -> Task:
        from nas.training.tasks.segmentation.task import segmentation

        task: Task = make("--set task", segmentation, settings, "of a segmentation")
        return task

    def build(self, network: Network, build_options: BuildOptions) -> Build:
        from nas.training.tasks.segmentation.network import SegmentationNetwork
        from nas.training.tasks.segmentation.settings import HeadSettings

        head: HeadSettings = make("--set head", HeadSettings, build_options.head, "of a segmentation")

        def build(*, num_classes: int, in_channels: int) -> SegmentationNetwork:
            body = network.features(in_channels, build_options.drop_connect)
            return SegmentationNetwork(body, head, num_classes=num_classes, in_channels=in_channels)

        return build


class DetectionCommand(DenseCommand):
    """Objects in boxes."""

    recipe = "blood-cells"
    scores = ScoreText(
        "mAP",
        "validation_map",
        lambda score: f"mAP {score.map:.2f}%, by eleven points {score.map_11:.2f}%",
        lambda score: score.areas,
    )
    boxes = True

    def data_set(self, config: Mapping[str, Any]) -> Any:
        from nas.training.tasks.detection.data import DETECTION_SETS, boxes_from_config

        check_known("--data", config["name"], DETECTION_SETS)
        return boxes_from_config(config)

    def task(self, settings: Mapping[str, Any]) -> Task:
        from nas.training.tasks.detection.task import detection

        task: Task = make("--set task", detection, settings, "of a detection")
        return task

    def build(self, network: Network, build_options: BuildOptions) -> Build:
        from nas.training.tasks.detection.build import make_detector
        from nas.training.tasks.detection.settings import HeadSettings

        head: HeadSettings = make("--set head", HeadSettings, build_options.head, "of a detection")

        def build(*, num_classes: int, in_channels: int) -> Any:
            return make_detector(network.features(in_channels, build_options.drop_connect), head, num_classes)

        return build

    def product(self, network: nn.Module, shape: tuple[int, int, int]) -> nn.Module:
        from nas.training.tasks.detection.detector import BoxesAndScores, Detector

        assert isinstance(network, Detector)
        return BoxesAndScores(network, shape)


TASKS: dict[str, TaskCommand] = {
    "classification": ClassificationCommand(),
    "segmentation": SegmentationCommand(),
    "detection": DetectionCommand(),
}
