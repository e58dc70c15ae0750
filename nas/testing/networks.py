"""Random networks of a space: built, run, differentiated and counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nas.core.errors import NasError
from nas.core.interrupts import is_interrupt
from nas.core.records import Architecture
from nas.core.space import HasChoices, SearchSpace, can_build, for_task, has_cost
from nas.core.task_spec import TaskSpec
from nas.core.text import message_of
from nas.core.tracebacks import summarize_exception
from nas.testing.claims import check_architecture, check_number, ensure
from nas.testing.spaces import check_space


class NetworkFailed(AssertionError):
    """A combination of a space breaks a rule: `choices` by parameter (or ``{"genes": [...]}``), `seed` and `reason`."""

    def __init__(self, seed: int | None, choices: Mapping[str, Any] | None, reason: str) -> None:
        self.seed, self.choices = seed, None if choices is None else dict(choices)
        self.reason = reason.replace(f" for {self.choices}", "")  # which the user's functions name too
        where = "" if choices is None else f"{self.choices} (seed {seed}): "
        super().__init__(f"{where}{self.reason}")


def check_networks(
    space: SearchSpace, seeds: Iterable[int] = range(20), task: TaskSpec | None = None, *, passes: bool = True
) -> list[str]:
    """Check one random network per seed, then the contract of the space by `check_space` with the same seeds.

    A network is built for `task` (default: `default_task` of the space); a forward and a backward pass run on random images;
    its parameters are those of the space's `cost`; its text form is read back. A space without `build`, or `passes` False,
    skips the network. Returns remarks, such as parameters without a gradient. Raises `NetworkFailed` for the first
    combination that fails.
    """
    seeds = list(seeds)
    followed = space if task is None else for_task(space, task)
    task = task or default_task(space)
    bare: list[tuple[dict[str, Any], list[str]]] = []  # networks with parameters without a gradient
    for seed in seeds:
        try:
            architecture = space.sample(np.random.default_rng(seed))
        except Exception as error:
            raise NetworkFailed(None, None, f"sample fails for seed {seed}: {_reason(error)}") from error
        try:
            names = _checked(followed, architecture, task, seed, passes)
        except BaseException as error:
            if is_interrupt(error):
                raise
            raise NetworkFailed(seed, choices_of(space, architecture), _reason(error)) from error
        if names:
            bare.append((choices_of(space, architecture), names))
    _check_contract(followed, seeds)
    return _remarks(bare, len(seeds))


def _remarks(bare: Sequence[tuple[dict[str, Any], list[str]]], networks: int) -> list[str]:
    if not bare:
        return []
    choices, names = bare[0]
    shown = f"{', '.join(names[:3])}{', ...' * (len(names) > 3)}"
    return [
        f"{len(bare)} of {networks} networks have parameters without a gradient, such as {shown} of {choices}"
    ]


def default_task(space: SearchSpace) -> TaskSpec:
    """Channels, classes and image size of the space's settings; without them 3 channels, 10 classes and 32x32 pixels."""
    from nas.training.latency import input_size

    declared = getattr(space, "task", None)
    if isinstance(declared, TaskSpec):
        return declared
    size = input_size(space, space.canonical(space.sample(np.random.default_rng(0)))) or (32, 32)
    channels, classes = getattr(space, "in_channels", None), getattr(space, "num_classes", None)
    return TaskSpec(int(channels or 3), int(classes or 10), size)


def choices_of(space: SearchSpace, architecture: Architecture) -> dict[str, Any]:
    """The active parameters by name, or the genes where they have no names."""
    try:
        if isinstance(space, HasChoices):
            return dict(space.choices(architecture))
    except Exception:  # the space fails, which the check reports
        pass
    return {"genes": list(architecture.genes)}


def _checked(
    space: SearchSpace, architecture: Architecture, task: TaskSpec, seed: int, passes: bool
) -> list[str]:
    """Check one combination; returns the names of parameters without a gradient."""
    check_architecture(space, architecture, "sample")
    canonical = space.canonical(architecture)
    text = space.format(canonical)
    ensure(
        space.canonical(space.parse(text)) == canonical,
        f"parse does not invert format: {text!r} is another architecture",
    )
    costs = dict(space.cost(canonical)) if has_cost(space) else {}
    for name, value in costs.items():
        check_number(value, f"cost: {name}")
    if not can_build(space) or not passes:
        return []
    from nas.training.passes import check_passes

    built, bare = check_passes(space, canonical, task, seed)
    counted = costs.get("params")
    ensure(
        counted is None or built is None or counted == built,
        f"cost gives {counted:,} parameters, the built network has {built:,} (for {task})",
    )
    return bare


def _check_contract(space: SearchSpace, seeds: list[int]) -> None:
    """Run `check_space`; if it fails, name the first seed that fails alone."""
    try:
        check_space(space, seeds)
    except Exception as error:
        for seed in seeds:
            try:
                check_space(space, [seed])
            except Exception as alone:
                architecture = space.sample(np.random.default_rng(seed))
                raise NetworkFailed(seed, choices_of(space, architecture), _reason(alone)) from alone
        raise NetworkFailed(None, None, _reason(error)) from error


def _reason(error: BaseException) -> str:
    if isinstance(error, (NasError, AssertionError)):
        return message_of(error) if isinstance(error, NasError) else str(error)
    return summarize_exception(error)
