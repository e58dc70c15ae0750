"""`nas space check` and `nas space profile`: a space before its first search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from nas.cli.console import output, print_json
from nas.config.schema import SearchConfig, check_config, override, read_config
from nas.core.cost_timing import EXCLUDE
from nas.core.errors import ConfigError
from nas.core.problem import Problem
from nas.core.space import SearchSpace, can_build, for_task, has_cost
from nas.core.task_spec import TaskSpec, as_size


@dataclass(frozen=True)
class SpaceOptions:
    """The arguments that name a space, and the data of its networks; `settings` are those of `--set`."""

    name: str | None
    config: Path | None = None
    settings: tuple[str, ...] = ()
    data: str | None = None
    path: Path | None = None
    in_channels: int | None = None
    classes: int | None = None
    image_size: str | None = None


@dataclass(frozen=True)
class Subject:
    """A space for the task of its data. `evaluator` trains on the data, None without them; `problem` is that of the config."""

    space: SearchSpace
    task: TaskSpec
    evaluator: Any = None
    config: SearchConfig | None = None
    problem: Problem | None = None


def read_subject(options: SpaceOptions) -> Subject:
    """Make the space that the options name. Raises `ConfigError`, `DataError`."""
    from nas.testing.networks import default_task

    if (options.name is None) == (options.config is None):
        raise ConfigError(
            "name a space (FILE.py:NAME, or from `nas list spaces`), or a config with --config FILE.yaml"
        )
    if options.path is not None and options.data is None:
        raise ConfigError("--path requires --data; add --data or remove --path")
    about_data = [s for s in options.settings if s.startswith("data.")] if options.data is not None else []
    settings = [s for s in options.settings if s not in about_data]
    config, problem, evaluator = None, None, None
    if options.config is not None:
        config = check_config(override(read_config(options.config), settings))
        space, problem, evaluator = _of_config(config, options.config.resolve().parent, options.data is None)
    else:
        space = _named(str(options.name), settings)
    if options.data is not None:
        evaluator = _training(space, options, override({}, about_data).get("data", {}))
    task = evaluator.task_spec() if evaluator is not None else default_task(space)
    task = _with_sizes(task, options, evaluator is not None)
    return Subject(
        for_task(space, task), task, evaluator if hasattr(evaluator, "recipe") else None, config, problem
    )


def _named(name: str, settings: list[str]) -> SearchSpace:
    from nas.spaces.making import make_space

    return make_space(name, override({}, settings), Path.cwd())


def _of_config(config: SearchConfig, base: Path, data: bool) -> tuple[SearchSpace, Problem | None, Any]:
    """The space of a config, its problem, and the evaluator that knows its data (None without `data`)."""
    from nas.config.assemble import make_problem
    from nas.engine.settle import task_sources
    from nas.spaces.making import make_space

    space = make_space(config.space.name, config.space.settings, base)
    if config.evaluator is not None and config.evaluator.name == "training" and not can_build(space):
        return space, None, None  # the search needs networks; the rest of the space can be checked without
    problem = make_problem(config, base)
    sources = task_sources(problem.evaluate) if data else []
    inner = [getattr(source, "evaluator", source) for source in sources]
    return problem.space, problem, next(iter([*(e for e in inner if hasattr(e, "recipe")), *sources]), None)


def _training(space: SearchSpace, options: SpaceOptions, settings: Mapping[str, Any]) -> Any:
    """The evaluator that trains networks of the space on the data of `--data`, by its default recipe."""
    from nas.cli.tasks import TASKS, DataOptions
    from nas.training import Recipe, TrainingEvaluator

    if not can_build(space):
        raise ConfigError(f"--data: space {space.name!r} builds no networks; remove --data")
    sizes = None if options.image_size is None else as_size("--image-size", _size(options.image_size))
    side = sizes[0] if sizes is not None and sizes[0] == sizes[1] else None
    source = TASKS["classification"].source(DataOptions(str(options.data), options.path, settings), side)
    return TrainingEvaluator(space, source, Recipe(resolution=side))


def _with_sizes(task: TaskSpec, options: SpaceOptions, of_data: bool) -> TaskSpec:
    given = {"--in-channels": options.in_channels, "--classes": options.classes}
    if of_data:
        for flag, value in given.items():
            if value is not None:
                raise ConfigError(f"{flag}: the data define it ({task}); remove {flag} or the data")
        if options.image_size is not None and options.data is None:
            raise ConfigError(f"--image-size: the data define it ({task}); remove --image-size")
        return task
    size = (
        task.image_size if options.image_size is None else as_size("--image-size", _size(options.image_size))
    )
    return TaskSpec(
        task.in_channels if options.in_channels is None else options.in_channels,
        task.num_classes if options.classes is None else options.classes,
        size,
    )


def _size(text: str) -> Any:
    """A side in pixels, or HEIGHTxWIDTH."""
    parts = text.lower().split("x")
    try:
        numbers = [int(part) for part in parts]
    except ValueError:
        raise ConfigError(
            f"--image-size: expected a number of pixels, or HEIGHTxWIDTH, got {text!r}"
        ) from None
    return numbers[0] if len(numbers) == 1 else tuple(numbers)


def run_check(options: SpaceOptions, networks: int, seed: int, passes: bool, as_json: bool) -> None:
    """Check random networks of a space and its contract; exit with 1 at the first that fails."""
    from nas.testing.networks import NetworkFailed, check_networks

    subject = read_subject(options)
    space, task = subject.space, subject.task
    built = can_build(space) and passes
    try:
        remarks = check_networks(space, range(seed, seed + networks), task, passes=passes)
    except NetworkFailed as error:
        if as_json:
            print_json(
                {"ok": False, "choices": _plain(error.choices), "seed": error.seed, "reason": error.reason}
            )
        else:
            _say_failure(space, error)
        raise typer.Exit(1) from None
    if as_json:
        print_json(
            {"ok": True, "space": space.name, "networks": networks, "built": built, "remarks": remarks}
        )
        return
    output().print(
        f"Space {space.name!r}: {networks} random networks keep all rules (seeds {seed} to {seed + networks - 1})"
    )
    for line in _checked_lines(space, task, built):
        output().print(f"  {line}")
    for remark in remarks:
        output().print(f"  remark: {remark}", style="yellow")


def _checked_lines(space: SearchSpace, task: TaskSpec, built: bool) -> list[str]:
    lines = ["text forms, encodings, variation: the contract of nas.testing.check_space"]
    if built:
        lines.append(f"networks: built, one forward and one backward pass on random images ({task})")
    elif can_build(space):
        lines.append("networks: not built (--no-passes)")
    else:
        lines.append("networks: the space has no build, so none was built")
    if has_cost(space):
        lines.append(f"costs: finite{', parameters equal to those of the built network' * built}")
    return lines


def _say_failure(space: SearchSpace, error: Any) -> None:
    say = output().print
    if error.choices is None:
        say(f"Space {space.name!r} fails: {error.reason}", style="red")
        return
    say(f"Space {space.name!r}: the first combination that fails (seed {error.seed}):", style="red")
    say(f"  {error.choices}")
    say(f"  {error.reason}")
    say(f"Correct it; if these choices are right to fail, {EXCLUDE}")


def _plain(choices: Mapping[str, Any] | None) -> Any:
    return None if choices is None else dict(choices)
