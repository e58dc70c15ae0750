"""Build the network to export: with the weights of the search, fully trained, or untrained."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas.core.errors import ConfigError, DataError
from nas.core.space import SearchSpace, can_build, for_task, parsed
from nas.core.task_spec import TaskSpec
from nas.core.text import counted
from nas.engine.kept_weights import weights_entry
from nas.engine.plan import TASK
from nas.export.load_network import load_network, run_config
from nas.export.picks import Pick
from nas.export.pixels import Reading, spec_and_examples
from nas.export.standalone import ImageSpec
from nas.runs.code_of_strangers import allow_in_python
from nas.runs.reading import load_run
from nas.runs.run_folder import RunTable
from nas.training import FullSettings, Recipe, TrainingEvaluator, train_full
from nas.training.evaluator import HasResolution, reproducible
from nas.training.feed import Prepared
from nas.training.fresh import with_shapes
from nas.training.full import architecture_builder
from nas.training.judging import put_weights
from nas.training.latency import input_size
from nas.training.loop import precision
from nas.training.task import Classification, Scored, Task

NAMED = ("space", "evaluator", "objectives")  # parts of a run's config that an export recreates
KEPT, TRAINED, UNTRAINED = "kept", "trained", "untrained"
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Run:
    """A run to export from. `evaluator` is None unless a built-in one trained its candidates.

    `task` is the task of the search's data, None if unknown; `space` is for this task.
    """

    folder: Path
    table: RunTable
    meta: Mapping[str, Any]
    space: SearchSpace
    evaluator: TrainingEvaluator | None
    task: TaskSpec | None = None

    @classmethod
    def read(
        cls, folder: Path, space: SearchSpace | None = None, evaluator: object = None, *, trust: bool = False
    ) -> Run:
        """Read a finished or running search; pass `space` and `evaluator` if it was started from Python.

        Raises `HistoryError` without a run, `ConfigError` if the space is missing or the config names code
        that the user has not run before (unless `trust`).
        """
        from nas.config.assemble import make_problem
        from nas.spaces.making import make_space

        table, meta = load_run(folder)
        if space is None:
            try:
                config, base = run_config(folder)
            except ConfigError as error:
                raise ConfigError(
                    f"{error}: nas.export_run(run, space=..., data=..., or evaluate=...)"
                ) from None
            plain = config.model_dump(mode="json")
            with allow_in_python(plain, base, (*NAMED, "target"), trust, f"nas.export_run({str(folder)!r})"):
                try:
                    problem = make_problem(config, base)
                    space, evaluator = problem.space, problem.evaluate
                except DataError:  # a missing benchmark table, which the export does not need
                    space = make_space(config.space.name, config.space.settings, base)
        inner = getattr(evaluator, "evaluator", evaluator)  # of a wrapper that reports more values
        inner = inner if isinstance(inner, TrainingEvaluator) else None
        task = _task_of(meta, inner)
        space = space if task is None else for_task(space, task)
        return cls(folder, table, meta, space, inner, task)


def _task_of(meta: Mapping[str, Any], evaluator: TrainingEvaluator | None) -> TaskSpec | None:
    """The recorded task; for a run of an earlier version that of its data, if available."""
    recorded = TaskSpec.from_json((meta.get("identity") or {}).get(TASK))
    if recorded is not None or evaluator is None:
        return recorded
    try:
        return evaluator.task_spec()
    except DataError:
        return None


@dataclass(frozen=True)
class Training:
    """Settings of a full training: data, recipe, regularisation rates of the network, task and execution."""

    data: Any
    recipe: Recipe
    name: str  # name of the recipe in sentences
    task: Task
    rates: Mapping[str, float]
    settings: FullSettings


TOP = 5  # guesses of the top-5 error


@dataclass(frozen=True)
class Scores:
    """Scores on a split by name (percent, except the loss), and the number of images."""

    values: Mapping[str, float]
    images: int

    def shown(self, classes: int) -> dict[str, float]:
        """The values without the top-5 error, if it is 0 by definition: for 5 classes or fewer."""
        return {n: v for n, v in self.values.items() if n != "top5_error" or classes > TOP}


@dataclass(frozen=True)
class Described:
    """A data set: the name of its class, and its text form without folders of this machine."""

    name: str
    text: str

    @classmethod
    def of(cls, data: Any) -> Described:
        values = {f.name: getattr(data, f.name) for f in dataclasses.fields(data)}
        said = ", ".join(f"{n}={without_folders(v)!r}" for n, v in values.items() if v is not None)
        name = type(data).__name__
        return cls(name, f"{name}({said})")


def without_folders(value: Any) -> Any:
    """Plain values without None, and paths without their folders."""
    if isinstance(value, Mapping):
        return {key: without_folders(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_folders(item) for item in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


@dataclass(frozen=True)
class Made:
    """A network in evaluation mode on the CPU with its description.

    `weights` is one of `KEPT`, `TRAINED`, `UNTRAINED`; `story` gives their origin in a sentence. `real` are images
    of the data, normalised (b, c, h, w), None without data. `data` describes the data, and `recipe` has the settings of
    the training. `boxes`: whether the network's output is that of `BoxesAndScores`. `reading` (of a classifier, if known) is how its
    images are read, `prepared` the data, where they were read.
    """

    network: nn.Module
    images: ImageSpec
    real: Tensor | None
    weights: str
    story: str
    data: Described | None
    recipe: Mapping[str, Any] | None
    splits: Mapping[str, int]
    validation: Scores | None
    test: Scores | None
    boxes: bool = False
    reading: Reading | None = None
    prepared: Prepared | None = None


def from_kept(run: Run, chosen: Pick) -> Made:
    """The network with the weights of the search. Raises `DataError` if weights or data are missing."""
    evaluator = run.evaluator
    if evaluator is None:
        raise DataError(
            f"{run.folder}: the search trained no networks, so there are no weights; "
            f"use --train to train the network now, --untrained to export it without weights"
        )
    origin = str(chosen.row.get("origin", ""))
    if origin:
        raise DataError(
            f"{chosen.architecture} was evaluated by the earlier run {origin}, which has its weights: export it from there, "
            f"or use --train to train it now"
        )
    try:
        entry = weights_entry(run.folder, chosen.architecture)
        network = load_network(run.folder, chosen.architecture, run.space)
    except DataError as error:
        raise DataError(
            f"{error}; use --train to train the network now, --untrained to export it without weights"
        ) from None
    architecture, recipe = parsed(run.space, chosen.architecture), evaluator.recipe
    wanted = run.space.resolution(architecture) if isinstance(run.space, HasResolution) else None
    prepared = evaluator.task.prepare(evaluator.data, recipe, _CPU, wanted)
    judged = _judged(evaluator, network, prepared)
    count = recipe.epochs if entry["budget"] is None else int(entry["budget"])
    return Made(
        network,
        *spec_and_examples(prepared),
        weights=KEPT,
        story=f"The weights are those of the search: {counted(count, 'epoch')} with its short recipe, seed "
        f"{entry['seed']}. They served to compare networks; `nas export --train` trains fully.",
        data=Described.of(evaluator.data),
        recipe=dataclasses.asdict(recipe) | {"epochs": count},
        splits=_sizes(prepared),
        validation=judged[0],
        test=judged[1],
        reading=_reading(evaluator.task, evaluator.data, prepared),
        prepared=prepared,
    )


def _judged(evaluator: TrainingEvaluator, network: nn.Module, prepared: Prepared) -> list[Scores | None]:
    """The scores on the validation and the test images."""
    task, autocast = evaluator.task, precision(evaluator.recipe, _CPU)
    with reproducible(evaluator.threads, _CPU):
        return [
            _scores(task.judge(network, feed, prepared, autocast)) if len(feed) else None
            for feed in (prepared.validation, prepared.test)
        ]


def from_training(run: Run, chosen: Pick, training: Training, folder: Path) -> Made:
    """The network, fully trained in `folder` (continuing an earlier training). Raises as `train_full`."""
    architecture = parsed(run.space, chosen.architecture)
    recipe = training.recipe
    if isinstance(run.space, HasResolution) and recipe.resolution is None:
        recipe = dataclasses.replace(recipe, resolution=run.space.resolution(architecture))
    prepared = training.task.prepare(training.data, recipe, _CPU)
    space = for_task(run.space, prepared.spec())
    build = architecture_builder(space, architecture, training.rates)
    result = train_full(build, training.data, recipe, folder, settings=training.settings, task=training.task)
    network = build(num_classes=prepared.num_classes, in_channels=prepared.in_channels)
    with_shapes(network, lambda: prepared.example().shape)
    put_weights(network, result.weights)
    last = result.log[-1] if result.log else {}
    logged = {k.removeprefix("validation_"): v for k, v in last.items() if k.startswith("validation_")}
    return Made(
        network.eval(),
        *spec_and_examples(prepared),
        weights=TRAINED,
        story=f"The weights are from a full training: {counted(recipe.epochs, 'epoch')} with {training.name}, seed "
        f"{training.settings.seed}, {_begun(space)}, without the weights of the search.",
        data=Described.of(training.data),
        recipe=dataclasses.asdict(recipe),
        splits=_sizes(prepared),
        validation=Scores(logged, len(prepared.validation)) if logged else None,
        test=None if result.test is None else _scores(result.test),
        reading=_reading(training.task, training.data, prepared),
        prepared=prepared,
    )


def untrained(run: Run, chosen: Pick, seed: int, resolution: int | None) -> Made:
    """The network with its initial weights, for images of the space's size. Raises `ConfigError` if that is unknown."""
    space, architecture = run.space, parsed(run.space, chosen.architecture)
    if not can_build(space):
        raise ConfigError(f"space {space.name!r} has no build(architecture): its networks cannot be exported")
    channels, classes = int(getattr(space, "in_channels", 3)), int(getattr(space, "num_classes", None) or 10)
    if run.task is not None:
        channels, classes = run.task.in_channels, run.task.num_classes
    size = None if run.task is None or resolution is not None else run.task.image_size
    height, width = size or _sides(space, architecture, resolution)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = space.build(architecture, num_classes=classes, in_channels=channels)
        with_shapes(network, lambda: (1, channels, height, width))
    names = tuple(str(i) for i in range(classes))
    images = ImageSpec((channels, height, width), (0.0,) * channels, (1.0,) * channels, names)
    story = "THE NETWORK IS NOT TRAINED: its weights are random and its outputs meaningless."
    if _inherits(space):
        story = (
            "THE NETWORK IS NOT TRAINED: its weights are those left of a larger network, without fine-tuning."
        )
    return Made(network.eval(), images, None, UNTRAINED, story, None, None, {}, None, None)


def _inherits(space: object) -> bool:
    """Whether the networks of a space start from the weights of an original network (`nas.spaces.from_module`)."""
    return hasattr(space, "original")


def _begun(space: object) -> str:
    """The first weights of a full training."""
    return "from the weights left of the original network" if _inherits(space) else "from scratch"


def _sides(space: Any, architecture: Any, resolution: int | None) -> tuple[int, int]:
    """Height and width of a space's images."""
    size = input_size(space, architecture) if resolution is None else (resolution, resolution)
    if size is None:
        raise ConfigError(f"space {space.name!r} does not define its image size; set --resolution")
    return size


def _scores(score: Scored) -> Scores:
    values = score.values()
    return Scores({name: float(values[name]) for name in score.LOGGED}, score.pictures)


def _sizes(prepared: Prepared) -> dict[str, int]:
    parts = {"training": prepared.train, "validation": prepared.validation, "test": prepared.test}
    return {name: len(feed) for name, feed in parts.items()}


def _reading(task: Task, data: Any, prepared: Prepared) -> Reading | None:
    return Reading.of(data, prepared) if isinstance(task, Classification) else None
