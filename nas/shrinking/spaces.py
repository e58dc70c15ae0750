"""The space of the smaller networks within one network: its first candidates, and limits that none meets."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from nas.core.errors import ConfigError
from nas.core.objectives import Limit
from nas.core.records import Architecture, FloatArray
from nas.core.space import for_task
from nas.core.task_spec import TaskSpec
from nas.spaces import from_module

UNIFORM = (0.875, 0.75, 0.625, 0.5, 0.375, 0.25)  # shares of the channels of every layer
_QUIET_S = 5.0  # without a line of progress


def shrinkable(
    network: nn.Module,
    task: TaskSpec,
    keep: Sequence[str] = (),
    resolutions: Sequence[int] | None = None,
    scores: Mapping[str, FloatArray] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Any:
    """The space of the smaller networks within `network`, for images and classes of `task`; see `from_module`. Raises `ConfigError`.

    An analysis that takes more than some seconds reports its progress to `say`.
    """
    if isinstance(keep, str):
        keep = [name.strip() for name in keep.split(",") if name.strip()]
    assert task.image_size is not None
    shape = (task.in_channels, *task.image_size)
    found = from_module(
        network, shape, keep=tuple(keep), resolutions=resolutions, scores=scores, progress=slow_progress(say)
    )
    return for_task(found, task)


def slow_progress(
    say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
) -> Callable[[int, int], None]:
    """A function of the cuts that were tried and all of them, which reports to `say` after some seconds, then now and then."""
    due = clock() + _QUIET_S

    def progress(done: int, total: int) -> None:
        nonlocal due
        if clock() >= due:
            due = clock() + 2 * _QUIET_S
            say(f"Analysing the network: {done} of {total} layers and blocks tried")

    return progress


def smallest(space: Any) -> Architecture:
    """The network with the smallest options: the fewest channels, no block that can be removed, the smallest images."""
    found: Architecture = space.canonical(Architecture(space.name, (0,) * len(space.cardinalities)))
    return found


def initial_design(space: Any) -> list[Architecture]:
    """The whole network, then the uniform ones from large to small, each once."""
    return list(dict.fromkeys([space.whole, *(space.uniform(share) for share in UNIFORM)]))


def check_limits(space: Any, limits: Sequence[Limit | str]) -> None:
    """Raise `ConfigError` for an upper limit on an exact cost that the smallest network exceeds."""
    if not limits:
        return
    least = smallest(space)
    costs = dict(space.cost(least))
    for limit in map(Limit.parse, limits):
        cost = costs.get(limit.objective)
        if cost is not None and limit.upper and cost > limit.bound:
            raise ConfigError(
                f"limit {limit}: the smallest candidate has {cost:,.0f} {limit.objective}, the original "
                f"{dict(space.cost(space.whole))[limit.objective]:,.0f}; raise the limit to {cost:,.0f} or more, or keep fewer "
                "modules"
            )
