"""Latency of networks: warmed up, contenders in turns, refused when too unsteady.

Contenders timed one after the other see different loads of the machine, so they are timed in rounds, each once a
round. With one thread on a CPU the clock counts the processor time of the calling thread, which does all of torch's
work, so the time of other processes does not count. With several threads, or on a GPU, it is wall-clock time.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nas.core.checks import check_not_negative, check_positive, check_whole
from nas.core.errors import ConfigError, EvaluationError
from nas.core.records import Architecture
from nas.core.space import SearchSpace, can_build
from nas.core.task_spec import TaskSpec, as_size

if TYPE_CHECKING:
    from torch import nn


Call = Callable[[], object]
_GIVE_SIZE = "give resolution: {name: latency, settings: {resolution: 32}}"
LONGEST_RUN = 60.0  # seconds of one timed run
_SAID_BY = ("picture", "resolution", "image_size", "spec")  # attributes of a space that give its images' size


class UnsteadyTiming(EvaluationError):
    """The machine was too busy for a reliable figure; the message has the measurement."""


@dataclass(frozen=True, slots=True)
class LatencySettings:
    """Settings of the timing. Raises `ConfigError` for invalid values.

    `rounds` timed runs of each contender after `warm_up` that are not counted; a run has as many calls as take
    `least_seconds` (estimated in the warm-up), so that short ones stand out from the clock's and the machine's noise. As long as a contender is
    unsteady (`Timing.unsteadiness` above `tolerance`), as many rounds again are run, up to `extensions` times.
    `device` is a torch device; `threads` apply while measuring on a CPU.
    """

    rounds: int = 15
    warm_up: int = 3
    least_seconds: float = 0.01
    tolerance: float = 0.1
    extensions: int = 3
    threads: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        bounds = (("rounds", 6, 1000), ("warm_up", 1, 1000), ("extensions", 0, 100), ("threads", 1, None))
        for name, least, most in bounds:
            check_whole(f"latency: {name}", getattr(self, name), least, most)
        check_positive("latency: tolerance", self.tolerance)
        check_not_negative("latency: least_seconds", self.least_seconds)
        if self.least_seconds > LONGEST_RUN:
            raise ConfigError(
                f"latency: least_seconds: expected at most {LONGEST_RUN:g} (seconds of one run), got {self.least_seconds!r}"
            )

    @property
    def clock(self) -> str:
        """`processor` (time of the calling thread) or `wall`."""
        return "processor" if self.threads == 1 and self.device == "cpu" else "wall"


@dataclass(frozen=True)
class Timing:
    """Seconds of a call in every counted run of one contender, in order."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median seconds."""
        return statistics.median(self.seconds)

    @property
    def milliseconds(self) -> float:
        """Median milliseconds."""
        return 1e3 * self.median

    @property
    def interval(self) -> tuple[float, float]:
        """Bounds of the median in seconds, with 95% confidence: order statistics, no assumption on the noise."""
        ordered, n = sorted(self.seconds), len(self.seconds)
        away = math.ceil(0.98 * math.sqrt(n))  # 1.96 deviations of a binomial count of n halves
        low, high = max(0, n // 2 - away), min(n - 1, (n - 1) // 2 + away)
        return ordered[low], ordered[high]

    @property
    def drift(self) -> float:
        """How far the medians of the first and the second half of the runs lie apart, relative to the median."""
        middle = len(self.seconds) // 2
        first, second = self.seconds[:middle], self.seconds[middle:]
        return abs(statistics.median(second) - statistics.median(first)) / self.median

    @property
    def unsteadiness(self) -> float:
        """The larger of half the interval's width, relative to the median, and the drift."""
        low, high = self.interval
        return max((high - low) / (2 * self.median), self.drift)


def time_in_turns(calls: Mapping[str, Call], settings: LatencySettings | None = None) -> dict[str, Timing]:
    """Time every call, in turns, however unsteady: `steady` checks it.

    On a GPU each run ends when the device has done its work.
    """
    settings = settings or LatencySettings()
    clock = time.thread_time if settings.clock == "processor" else time.perf_counter
    wait = _waiter(settings.device)

    def run(call: Call, times: int) -> float:
        start = clock()
        for _ in range(times):
            call()
        wait()
        return (clock() - start) / times

    seconds: dict[str, list[float]] = {name: [] for name in calls}
    with _threads(settings.threads):
        last = {name: math.inf for name in calls}
        for _ in range(settings.warm_up):
            last = {name: run(call, 1) for name, call in calls.items()}
        times = {name: _calls_a_run(one, settings.least_seconds) for name, one in last.items()}
        for _ in range(1 + settings.extensions):
            for _ in range(settings.rounds):
                for name, call in calls.items():
                    seconds[name].append(run(call, times[name]))
            timings = {name: Timing(tuple(values)) for name, values in seconds.items()}
            if all(t.unsteadiness <= settings.tolerance for t in timings.values()):
                break
    return timings


def _calls_a_run(one: float, least: float) -> int:
    """Number of calls of `one` second each within `seconds`; a thousand at most."""
    return max(1, min(1000, math.ceil(least / max(one, 1e-9))))


def steady(timings: Mapping[str, Timing], tolerance: float) -> Mapping[str, Timing]:
    """The same timings. Raises `UnsteadyTiming` naming the worst of them when it is above the tolerance."""
    name, worst = max(timings.items(), key=lambda item: item[1].unsteadiness)
    if worst.unsteadiness > tolerance:
        low, high = worst.interval
        raise UnsteadyTiming(
            f"latency of {name}: {worst.milliseconds:.3g} ms in {len(worst.seconds)} runs is too unsteady: the "
            f"median lies between {1e3 * low:.3g} and {1e3 * high:.3g} ms and drifted by {worst.drift:.0%}, above "
            f"the tolerance of {tolerance:.0%}; measure on a quieter machine, with more rounds, or raise the tolerance"
        )
    return timings


def network_latency(
    network: nn.Module, shape: tuple[int, int, int, int], settings: LatencySettings | None = None
) -> Timing:
    """Time of a forward pass on random images of `shape` (b, c, h, w), in evaluation mode.

    `network` must be on the settings' device; its mode is restored. Raises `UnsteadyTiming`.
    """
    settings = settings or LatencySettings()
    timing = network_timing(network, shape, settings)
    return steady({"the network": timing}, settings.tolerance)["the network"]


def network_timing(
    network: nn.Module, shape: tuple[int, int, int, int], settings: LatencySettings | None = None
) -> Timing:
    """`network_latency` without the check for steadiness."""
    settings = settings or LatencySettings()
    call = forward_pass(network, shape, settings.device)
    before = network.training
    network.eval()
    try:
        return time_in_turns({"the network": call}, settings)["the network"]
    finally:
        network.train(before)


def forward_pass(
    network: nn.Module, shape: tuple[int, int, int, int], device: str = "cpu", *, half: bool = False
) -> Call:
    """A forward pass on random images as a call without arguments; the images stay the same.

    Images are in channels_last. `half` runs it in bfloat16 by autocast.
    """
    import torch

    images = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(device)
    images = images.contiguous(memory_format=torch.channels_last)

    def run() -> object:
        with torch.inference_mode(), torch.autocast(images.device.type, torch.bfloat16, enabled=half):
            return network(images)

    return run


def enliven(network: nn.Module) -> nn.Module:
    """Give a fresh network weights and statistics of the magnitude of a trained one; return it.

    At initialisation activations fade with depth to numbers so small that processors slow down on them.
    """
    import torch
    from torch import nn

    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None:
                assert layer.running_var is not None
                layer.running_mean.normal_(0, 0.3, generator=generator)
                layer.running_var.uniform_(0.5, 1.5, generator=generator)
                layer.weight.uniform_(0.5, 1.5, generator=generator)
            elif isinstance(layer, nn.Conv2d):
                layer.weight.normal_(0, layer.weight[0].numel() ** -0.5, generator=generator)
    return network


@dataclass(frozen=True)
class ArchitectureLatency:
    """Milliseconds a batch for an architecture's freshly initialised network; an objective's function."""

    space: Any
    batch: int
    resolution: int | None
    settings: LatencySettings
    task: TaskSpec | None = None

    def for_task(self, task: TaskSpec) -> ArchitectureLatency:
        """The same for networks and images of the data."""
        return replace(self, task=task)

    def __call__(self, architecture: Architecture) -> float:
        """Raises `UnsteadyTiming` when the machine is too busy; a search keeps the value (see `with_spread`)."""
        timing = self._timing(architecture)
        return steady({"the network": timing}, self.settings.tolerance)["the network"].milliseconds

    def with_spread(self, name: str, architecture: Architecture) -> dict[str, float]:
        """Milliseconds under `name`; when the machine is too busy, with bounds of the median and the unsteadiness."""
        timing = self._timing(architecture)
        values = {name: timing.milliseconds}
        if timing.unsteadiness > self.settings.tolerance:
            low, high = timing.interval
            values |= {
                f"{name}_low": 1e3 * low,
                f"{name}_high": 1e3 * high,
                f"{name}_unsteady": timing.unsteadiness,
            }
        return values

    def _timing(self, architecture: Architecture) -> Timing:
        import torch

        network, shape = untrained(
            self.space, architecture, self.resolution, self.task, "latency", _GIVE_SIZE
        )
        network = network.to(self.settings.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network_timing(network, (self.batch, *shape), self.settings)


def untrained(
    space: Any,
    architecture: Architecture,
    resolution: int | None,
    task: TaskSpec | None,
    objective: str,
    remedy: str,
) -> tuple[nn.Module, tuple[int, int, int]]:
    """An architecture's network with weights like trained ones (`enliven`), and the shape (c, h, w) of its images.

    The side of the images is `resolution`, else that of the space, else that of the data (`task`). Raises `ConfigError` with the
    `objective` and the `remedy` where none of them says it.
    """
    import torch

    from nas.training.fresh import with_shapes

    size = input_size(space, architecture) if resolution is None else (resolution,) * 2
    sizes: dict[str, int] = {}
    own = getattr(space, "task", None)  # of a declared space: the one that its costs are counted for
    if task is None and isinstance(own, TaskSpec):
        task = own
    if task is not None:
        size = size or task.image_size
        sizes = {"num_classes": task.num_classes, "in_channels": task.in_channels}
    if size is None:
        raise ConfigError(f"objective {objective!r}: the size of the images is unknown; {remedy}")
    channels = sizes.get("in_channels", int(getattr(space, "in_channels", 3)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = with_shapes(space.build(architecture, **sizes), lambda: (1, channels, *size))
    return enliven(network), (channels, *size)


def architecture_latency(
    space: SearchSpace, *, batch: int = 1, resolution: int | None = None, **settings: Any
) -> ArchitectureLatency:
    """The function of the objective `latency` for a space; `settings` are those of `LatencySettings`.

    `resolution` is the images' side in pixels, where the space does not define it. Raises `ConfigError`.
    """
    if not can_build(space):
        raise ConfigError(f"objective 'latency': space {space.name!r} has no build(architecture) to time")
    known = LatencySettings.__dataclass_fields__
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise ConfigError(
            f"objective 'latency': no setting {unknown[0]!r}; it has: batch, resolution, {', '.join(known)}"
        )
    for name, value in (("batch", batch), ("resolution", 1 if resolution is None else resolution)):
        check_whole(f"objective 'latency': {name}", value)
    if resolution is None and not has_input_size(space):
        raise ConfigError(f"objective 'latency': space {space.name!r} gives no image size; {_GIVE_SIZE}")
    return ArchitectureLatency(space, batch, resolution, LatencySettings(**settings))


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Run with this many threads, then restore the former number."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _waiter(device: str) -> Callable[[], None]:
    """A function that waits until the device has finished its work."""
    if not device.startswith("cuda"):
        return lambda: None
    import torch

    return lambda: torch.cuda.synchronize(device)


def has_input_size(space: Any) -> bool:
    """Whether the space has an attribute that `input_size` reads."""
    return any(hasattr(space, name) for name in _SAID_BY)


def input_size(space: Any, architecture: Architecture) -> tuple[int, int] | None:
    """Height and width in pixels; None where neither the space nor the architecture defines them.

    The architecture's size takes precedence over the space's.
    """
    if hasattr(space, "picture"):  # of a segmentation
        return None if space.picture is None else as_size("picture", space.picture)
    side = space.resolution(architecture) if hasattr(space, "resolution") else None
    if side is None:
        side = getattr(space, "image_size", None)
    if side is None and hasattr(space, "spec"):  # a MUXNet resizes its images
        side = getattr(space.spec(architecture), "resolution", None)
    return None if side is None else as_size("image_size", side)
