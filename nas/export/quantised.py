"""The 8-bit file of an export: quantised for a target, and measured beside the float file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nas.core.errors import ConfigError, DataError, EvaluationError
from nas.deployment.collapse import POINTS
from nas.deployment.fitting import faults
from nas.deployment.graph import GraphFacts
from nas.deployment.int8 import calibration_images, check_opset, quantised
from nas.deployment.measured import Measured
from nas.deployment.onnx_file import INPUT, check_packages, deployed_model, session
from nas.deployment.target import FEWEST_IMAGES, Target, read_target
from nas.deployment.untrained import FLOAT_LAYERS, float_layers, network_facts
from nas.export.load_network import run_config
from nas.export.making import Made, Run
from nas.export.onnx_file import PREPROCESSING, with_preprocessing
from nas.export.pixels import normalised, to_pixels
from nas.export.standalone import ImageSpec, outputs, probe
from nas.training.feed import Feed, Prepared
from nas.training.recipe import Recipe
from nas.training.task import Classification, Task

STANDARD_ERRORS = 3.0  # beyond which a difference is not chance
BETWEEN = ("DequantizeLinear", "QuantizeLinear")  # operators between floating point and 8 bits
_BATCH = 256  # images of a feed at a time


@dataclass(frozen=True)
class FileValues:
    """Values of one file.

    `wrong` counts misclassified images by split, by onnxruntime on the file. `size` and `weights` are bytes of the file and of the
    weights alone, `memory` bytes of activations that are in memory at once. `latency` is a text with the reason where it was not measured.
    `faults` are the reasons why this file does not fit the target.
    """

    wrong: Mapping[str, int]
    size: int
    weights: int
    memory: int
    latency: Measured | str
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Int8Export:
    """The float and the 8-bit file, measured for a target.

    `images` has the number of images by split, `device` describes the device, `float_layers` stayed in floating point, `calibration` is the
    number of calibration images.
    """

    target: Target
    device: str
    images: Mapping[str, int]
    calibration: int
    float_layers: tuple[str, ...]
    float32: FileValues
    int8: FileValues

    def error(self, values: FileValues, split: str) -> float:
        """Percent of misclassified images of a split."""
        return 100.0 * values.wrong[split] / self.images[split]

    @property
    def added_error(self) -> float:
        """Points of error that quantisation adds, over all images."""
        return 100.0 * self._difference() / sum(self.images.values())

    @property
    def collapsed(self) -> bool:
        """Whether quantisation adds more than `POINTS` points of error, and more than `STANDARD_ERRORS` of them."""
        count = sum(self.images.values())
        rates = [sum(values.wrong.values()) / count for values in (self.float32, self.int8)]
        deviation = 100.0 * math.sqrt(sum(rate * (1 - rate) for rate in rates) / count)
        return self.added_error > max(POINTS, STANDARD_ERRORS * deviation)

    def _difference(self) -> int:
        return sum(self.int8.wrong.values()) - sum(self.float32.wrong.values())

    @property
    def lacking_for_pixels(self) -> list[str]:
        """Operators of the preprocessing that the target does not list."""
        return (
            [] if self.target.operators is None else sorted(set(PREPROCESSING) - set(self.target.operators))
        )

    @property
    def lacking_for_int8(self) -> list[str]:
        """Operators between floating point and 8 bits in the quantised file that the target does not list."""
        known = self.target.operators
        return [] if known is None else sorted(set(BETWEEN) - set(known))

    @property
    def unmeasured(self) -> bool:
        """Whether a latency is missing."""
        return isinstance(self.float32.latency, str) or isinstance(self.int8.latency, str)


def check_int8(task: object, prepared: Prepared | None, target: Target) -> None:
    """Check that a network can be quantised, before anything is trained or written.

    Raises `ConfigError` for another task than classification, too few calibration images or missing packages, `DataError` without images and
    `DeviceError` for a device that cannot be used.
    """
    check_packages("--int8")
    if not isinstance(task, Classification):
        raise ConfigError(
            f"--int8: measures classifiers alone, and this network is for {type(task).__name__.lower()}; remove --int8"
        )
    if prepared is None:
        raise DataError("--int8: calibration needs images; name them with --data and --path")
    if len(prepared.train) < FEWEST_IMAGES:
        raise ConfigError(
            f"--int8: the data have {len(prepared.train)} training image{'s' * (len(prepared.train) != 1)}: calibration needs at least "
            f"{FEWEST_IMAGES}"
        )
    if not len(prepared.validation) and not len(prepared.test):
        raise DataError("--int8: the data have no validation and no test images to measure the error on")
    target.made_device().check()


def check_int8_run(run: Run, target: Target) -> None:
    """`check_int8` for networks of a run with the weights that its search kept."""
    if run.evaluator is None:
        raise DataError(
            f"--int8: {run.folder}: the search trained no networks, so there are no images to calibrate with"
        )
    task = run.evaluator.task
    check_int8(task, prepared_images(task, run.evaluator.data, run.evaluator.recipe), target)


def prepared_images(task: Task, data: Any, recipe: Recipe) -> Prepared | None:
    """The images of a classification; None for another task. Raises `DataError`."""
    return task.prepare(data, recipe, torch.device("cpu")) if isinstance(task, Classification) else None


def target_of(run: Run) -> Target:
    """The target in the run's config, or the default one.

    Raises `ConfigError` where it names a device: that is a program to run, and the run may come from a stranger.
    """
    try:
        config, base = run_config(run.folder)
    except ConfigError:  # started from Python
        return Target()
    if config.target is None:
        return Target()
    target = read_target(config.target, base)
    if target.device:
        file = (base or Path()) / config.target if isinstance(config.target, str) else "FILE.yaml"
        raise ConfigError(
            f"--int8: the target of the search names a device, {dict(target.device)!r:.200}; if you trust it, name the target's file: --target {file}"
        )
    return target


def classifies(made: Made) -> bool:
    """Whether the network's output is a score for each class."""
    if made.boxes:
        return False
    shape = outputs(made.network, probe(made.images.shape, 1)).shape
    return tuple(shape) == (1, len(made.images.class_names))


@dataclass(frozen=True)
class Int8File:
    """The 8-bit file, and the facts of its float graph without the preprocessing."""

    model: bytes
    facts: GraphFacts
    calibration: int
    float_layers: tuple[str, ...]


def int8_file(made: Made, target: Target) -> Int8File:
    """Quantise a network for a target; its input is pixels, one image at a time.

    Raises `NotExportable`, `QuantisationFailed`, and `ConfigError` for a layer that it lacks or images of another size than the target's.
    """
    assert made.prepared is not None
    side, (_, height, width) = target.input_size, made.images.shape
    if side is not None and (height, width) != (side, side):
        raise ConfigError(
            f"--target {target.name}: input_size is {side}, but this network takes images of {height} x {width} pixels"
        )
    plain = deployed_model(made.network, made.images.shape, target.opset)
    check_opset(target)
    _, modules = float_layers(made.network, target)
    layers = tuple(dict.fromkeys((*getattr(made.network, FLOAT_LAYERS, ()), *target.int8.float_layers)))
    images = calibration_images(made.prepared.train, target.int8.calibration)
    pixels = to_pixels(torch.from_numpy(images), _spec_of(made.prepared))
    model = quantised(plain, normalised(pixels, made.images).numpy(), layers, modules)
    facts = network_facts(made.network, plain, target)
    return Int8File(with_preprocessing(model, made.images), facts, len(images), layers)


def measured(made: Made, float32: bytes, int8: Int8File, target: Target) -> Int8Export:
    """Evaluate both files on all validation and test images, and time them on the target's device."""
    assert made.prepared is not None
    splits = {"validation": made.prepared.validation, "test": made.prepared.test}
    feeds = {name: feed for name, feed in splits.items() if len(feed)}
    spec = _spec_of(made.prepared)
    values = [
        FileValues(
            {name: _wrong(model, feed, spec, batch, target.threads) for name, feed in feeds.items()},
            len(model),
            int8.facts.model_size(precision),
            int8.facts.peak_memory(precision),
            _latency(model, target),
            faults(int8.facts, target, precision),
        )
        for model, precision, batch in ((float32, "float32", _BATCH), (int8.model, "int8", 1))
    ]
    found = next((v.latency for v in values if isinstance(v.latency, Measured)), None)
    device = target.made_device().name if found is None else found.device
    sizes = {name: len(feed) for name, feed in feeds.items()}
    return Int8Export(target, device, sizes, int8.calibration, int8.float_layers, values[0], values[1])


def _spec_of(prepared: Prepared) -> ImageSpec:
    """The normalisation of the data, which may differ from that of a network trained on other data."""
    example: Any = prepared.example()
    channels, height, width = example.shape[1:]
    return ImageSpec(
        (channels, height, width), tuple(prepared.mean), tuple(prepared.std), prepared.class_names
    )


def _wrong(model: bytes, feed: Feed, spec: ImageSpec, batch: int, threads: int) -> int:
    """Number of images of a feed that a file classifies wrongly."""
    runner = session(model, threads)
    count = 0
    for images, labels in feed.batches(list(torch.split(torch.arange(len(feed)), _BATCH)), None):
        pixels, truth = to_pixels(images, spec), labels.cpu().numpy()
        for start in range(0, len(pixels), batch):
            (scores,) = runner.run(None, {INPUT: pixels[start : start + batch]})
            count += int((np.argmax(scores, axis=1) != truth[start : start + batch]).sum())
    return count


def _latency(model: bytes, target: Target) -> Measured | str:
    """The latency on the target's device, or the reason why it could not be measured."""
    try:
        return target.made_device().measure(model, target.timing_settings())
    except EvaluationError as error:
        return str(error)
