"""What `nas train` and `nas evaluate` need of a task. A new task is a class with these methods and a line in `TASKS`."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli.networks import MUXNetwork, Network, SpaceNetwork
from nas.core.checks import check_known
from nas.core.errors import ConfigError
from nas.core.plugins import make
from nas.core.task_spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

    from nas.training.full import Build
    from nas.training.recipe import Recipe
    from nas.training.task import Task

_SIZED = ("folder",)  # data sets that are brought to a size of their own unless told
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """What `--data` and `--path` say, and the settings of the data set."""

    data: str
    path: Path | None
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Making:
    """What a network is built with: rates of regularisation, pixels of a side, and the settings of its head."""

    dropout: float = 0.0
    drop_connect: float = 0.0
    resolution: int | None = None
    head: Mapping[str, Any] = field(default_factory=dict)


class TaskCommand(ABC):
    """A task on the command line. `parts` are the first words of `--set` beside recipe, data and space."""

    recipe: str  # that is taken unless told
    parts: tuple[str, ...] = ()
    boxes: bool = False  # whether an exported network gives boxes and scores, not scores alone

    @abstractmethod
    def source(self, place: Place, pixels: int | None) -> Any:
        """The data set; `pixels` of a side where pictures of any size are brought to one. Raises `ConfigError`."""

    @abstractmethod
    def task(self, settings: Mapping[str, Any]) -> Task:
        """As the trainer takes it. Raises `ConfigError`."""

    @abstractmethod
    def build(self, network: Network, making: Making) -> Build:
        """Makes the whole network. Raises `ConfigError`, `DataError`."""

    @abstractmethod
    def starting_from(self, build: Build, path: Path, tell: Tell) -> Build:
        """The same, with the weights in `path` to begin with. Raises `DataError`."""

    def product(self, network: nn.Module, shape: tuple[int, int, int]) -> nn.Module:
        """The network as it is exported, for pictures (channels, height, width): it gives one tensor."""
        return network

    def pixels(self, network: Network, recipe: Recipe) -> int | None:
        """The side to which pictures are brought; None: they stay as they are."""
        return None

    def check(self, network: Network, task: Task, data: Any, recipe: Recipe) -> None:
        """Raise `ConfigError` where settings of the network's space contradict the data; nothing is trained yet."""
        return None

    def spec(self, place: Place, resolution: int | None) -> TaskSpec:
        """Channels, classes and image size of a data set. Raises `ConfigError`, `DataError`."""
        from nas.training import Recipe
        from nas.training.task import spec_of

        source = self.source(place, resolution)
        return spec_of(self.task({}), source, Recipe(resolution=resolution))

    def threads(self, pixels: int | None) -> int | None:
        """Threads of a training; None leaves the choice to torch."""
        return None

    @abstractmethod
    def progress(self, row: Mapping[str, float]) -> list[str]:
        """What an epoch's line says of the validation pictures."""

    @abstractmethod
    def lines(self, score: Any, class_names: tuple[str, ...], details: bool) -> list[str]:
        """A score in words: a line, and with `details` one for each class."""

    @abstractmethod
    def plain(self, score: Any, class_names: tuple[str, ...]) -> dict[str, Any]:
        """A score for `--json`."""


class ClassificationCommand(TaskCommand):
    """One class a picture."""

    recipe = "digits"
    LARGE = 64  # pixels from which several threads pay; below, they only wait for each other

    def source(self, place: Place, pixels: int | None) -> Any:
        from nas.training import DATASETS, data_from_config

        name, path = _folder_or_file(place, DATASETS)
        given: dict[str, Any] = {"name": name, **place.settings}
        if path is not None:
            if name == "digits":
                raise ConfigError("--path: the digits are bundled; leave it out")
            given["path"] = str(path)
        elif name != "digits" and "path" not in place.settings:
            raise ConfigError(f"--data {name}: say where it is, with --path")
        if name in _SIZED and pixels is not None:
            given.setdefault("resolution", pixels)
        return data_from_config(given)

    def task(self, settings: Mapping[str, Any]) -> Task:
        from nas.training.task import Classification

        return Classification()

    def build(self, network: Network, making: Making) -> Build:
        if making.head:
            raise ConfigError("--head: a classification has none to choose; leave it out, or say --task")
        return network.builder(making.dropout, making.drop_connect, making.resolution)

    def check(self, network: Network, task: Task, data: Any, recipe: Recipe) -> None:
        from nas.training.task import spec_of

        if isinstance(network, SpaceNetwork):
            network.for_task(spec_of(task, data, recipe))

    def starting_from(self, build: Build, path: Path, tell: Tell) -> Build:
        from nas.training.judging import read_state, starting_from

        read_state(path)  # refused before anything is written
        return starting_from(build, path, tell)

    def pixels(self, network: Network, recipe: Recipe) -> int | None:
        if recipe.resolution is None and isinstance(network, MUXNetwork) and network.resize:
            return network.spec.resolution
        return recipe.resolution

    def threads(self, pixels: int | None) -> int | None:
        return None if (pixels or 0) >= self.LARGE else 1

    def progress(self, row: Mapping[str, float]) -> list[str]:
        return [f"validation error {row['validation_error']:.2f}%"] if "validation_error" in row else []

    def lines(self, score: Any, class_names: tuple[str, ...], details: bool) -> list[str]:
        text = [
            f"top-1 {100 - score.error:.2f}%, top-5 {100 - score.top5_error:.2f}%, loss {score.loss:.4f} "
            f"({score.pictures:,} pictures)"
        ]
        if details:
            for name, error in zip(class_names, score.class_errors, strict=True):
                text.append(f"  {name:<20} {'no picture' if math.isnan(error) else f'{100 - error:6.2f}%'}")
        return text

    def plain(self, score: Any, class_names: tuple[str, ...]) -> dict[str, Any]:
        classes = zip(class_names, score.class_errors, strict=True)
        return {
            "pictures": score.pictures,
            "top1": 100 - score.error,
            "top5": 100 - score.top5_error,
            "loss": score.loss,
            "classes": {name: None if math.isnan(error) else 100 - error for name, error in classes},
        }


def _folder_or_file(place: Place, known: Mapping[str, Any]) -> tuple[str, Path | None]:
    """The data set's name, and where it is; a folder or a Parquet file may stand in the name's place."""
    from nas.training.data import kind_at

    kind = kind_at(place.data)
    if place.data in known or kind is None:
        check_known("--data", place.data, [*known, "a folder of pictures", "a Parquet file"])
        return place.data, place.path
    if place.path is not None:
        raise ConfigError(f"--path: --data {place.data} says already where the pictures are; leave it out")
    return kind, Path(place.data)


class SegmentationCommand(TaskCommand):
    """A class for every pixel."""

    recipe = "camvid"
    parts = ("head", "task")

    def source(self, place: Place, pixels: int | None) -> Any:
        from nas.training.tasks.segmentation.data import masks_from_config

        given = {"name": place.data, **place.settings}
        if place.path is not None:
            given["path"] = str(place.path)
        elif "path" not in given:
            raise ConfigError(f"--data {place.data}: say where it is, with --path")
        return masks_from_config(given)

    def task(self, settings: Mapping[str, Any]) -> Task:
        from nas.training.tasks.segmentation.task import segmentation

        task: Task = make("--set task", segmentation, settings, "of a segmentation")
        return task

    def build(self, network: Network, making: Making) -> Build:
        from nas.training.tasks.segmentation.network import SegmentationNetwork
        from nas.training.tasks.segmentation.settings import HeadSettings

        head: HeadSettings = make("--set head", HeadSettings, making.head, "of a segmentation")

        def build(*, num_classes: int, in_channels: int) -> SegmentationNetwork:
            body = network.features(in_channels, making.drop_connect)
            return SegmentationNetwork(body, head, num_classes=num_classes, in_channels=in_channels)

        return build

    def starting_from(self, build: Build, path: Path, tell: Tell) -> Build:
        return _task_starting_from(build, path, tell)

    def progress(self, row: Mapping[str, float]) -> list[str]:
        return [f"validation mIoU {row['validation_miou']:.2f}%"] if "validation_miou" in row else []

    def lines(self, score: Any, class_names: tuple[str, ...], details: bool) -> list[str]:
        text = [
            f"mIoU {score.miou:.2f}%, pixel accuracy {score.pixel_accuracy:.2f}%, loss {score.loss:.4f} "
            f"({score.pictures:,} pictures)"
        ]
        if details:
            for name, iou in zip(class_names, score.class_ious, strict=True):
                text.append(f"  {name:<20} {'not there' if math.isnan(iou) else f'{iou:6.2f}%'}")
        return text

    def plain(self, score: Any, class_names: tuple[str, ...]) -> dict[str, Any]:
        report: dict[str, Any] = score.report(class_names)
        return report


class DetectionCommand(TaskCommand):
    """Objects in boxes."""

    recipe = "blood-cells"
    parts = ("head", "task")
    boxes = True

    def source(self, place: Place, pixels: int | None) -> Any:
        from nas.training.tasks.detection.data import DETECTION_SETS, boxes_from_config

        check_known("--data", place.data, DETECTION_SETS)
        given = {"name": place.data, **place.settings}
        if place.path is not None:
            given["path"] = str(place.path)
        elif "path" not in given:
            raise ConfigError(f"--data {place.data}: say where it is, with --path")
        return boxes_from_config(given)

    def task(self, settings: Mapping[str, Any]) -> Task:
        from nas.training.tasks.detection.task import detection

        task: Task = make("--set task", detection, settings, "of a detection")
        return task

    def build(self, network: Network, making: Making) -> Build:
        from nas.training.tasks.detection.build import make_detector
        from nas.training.tasks.detection.settings import HeadSettings

        head: HeadSettings = make("--set head", HeadSettings, making.head, "of a detection")

        def build(*, num_classes: int, in_channels: int) -> Any:
            return make_detector(network.features(in_channels, making.drop_connect), head, num_classes)

        return build

    def product(self, network: nn.Module, shape: tuple[int, int, int]) -> nn.Module:
        from nas.training.tasks.detection.detector import BoxesAndScores, Detector

        assert isinstance(network, Detector)
        return BoxesAndScores(network, shape)

    def starting_from(self, build: Build, path: Path, tell: Tell) -> Build:
        return _task_starting_from(build, path, tell)

    def progress(self, row: Mapping[str, float]) -> list[str]:
        return [f"validation mAP {row['validation_map']:.2f}%"] if "validation_map" in row else []

    def lines(self, score: Any, class_names: tuple[str, ...], details: bool) -> list[str]:
        text = [
            f"mAP {score.map:.2f}%, by eleven points {score.map_11:.2f}%, loss {score.loss:.4f} "
            f"({score.pictures:,} pictures)"
        ]
        if details:
            for name, precision in zip(class_names, score.areas, strict=True):
                text.append(f"  {name:<20} {'not there' if math.isnan(precision) else f'{precision:6.2f}%'}")
        return text

    def plain(self, score: Any, class_names: tuple[str, ...]) -> dict[str, Any]:
        report: dict[str, Any] = score.report(class_names)
        return report


def _task_starting_from(build: Build, path: Path, tell: Tell) -> Build:
    from nas.training.judging import read_state
    from nas.training.tasks.starting import starting_from

    return starting_from(build, read_state(path), str(path), tell)


TASKS: dict[str, TaskCommand] = {
    "classification": ClassificationCommand(),
    "segmentation": SegmentationCommand(),
    "detection": DetectionCommand(),
}
