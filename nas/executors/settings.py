"""Settings of the executors, checked when made; nothing here needs Ray."""

from __future__ import annotations

from dataclasses import dataclass

from nas.core.checks import LONGEST, check_whole
from nas.core.errors import ConfigError
from nas.executors.capacity import Share, check_share


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """`timeout_s`: seconds a candidate may take, None for no limit (`SerialExecutor` lists code it cannot stop)."""

    timeout_s: float | None = None

    def __post_init__(self) -> None:
        _check_positive("timeout_s", self.timeout_s, optional=True)


@dataclass(frozen=True, slots=True)
class SimulatedSettings:
    """How trials are spread over logical workers on a virtual clock.

    Attributes:
        workers: trials that run at the same virtual time.
        seconds: the name of the value that the evaluator reports as the time a trial takes, in seconds, such as
            `train_seconds`; a candidate without it has failed. None: every trial takes `seconds_per_trial`.
        seconds_per_trial: virtual seconds of a trial whose time is not reported, or which failed.
        generational: start trials only when all running ones have ended.
        thinking: count the real time of the search between results on the virtual clock as well.
    """

    workers: int = 2
    seconds: str | None = None
    seconds_per_trial: float = 1.0
    generational: bool = False
    thinking: bool = False

    def __post_init__(self) -> None:
        check_whole("workers", self.workers, at_least=1)
        if self.seconds is not None and (not isinstance(self.seconds, str) or not self.seconds):
            raise ConfigError(
                f"seconds: expected the name of a value that the evaluator reports, such as train_seconds, or "
                f"none, got {self.seconds!r}; for a fixed time set seconds_per_trial"
            )
        _check_positive("seconds_per_trial", self.seconds_per_trial)
        for name, value in (("generational", self.generational), ("thinking", self.thinking)):
            if not isinstance(value, bool):
                raise ConfigError(f"{name}: expected true or false, got {value!r}")


@dataclass(frozen=True, slots=True)
class RaySettings:
    """How trials are spread over Ray workers.

    Attributes:
        workers: trials that run at the same time, each in a separate process. On a cluster that is joined it is a
            maximum: workers that do not fit start when machines join.
        address: None starts a cluster on this machine and stops it at the end; `host:port` (or `auto`) joins one.
        cpus_per_trial: CPUs that Ray reserves for a worker, and its number of threads (rounded down, at least one).
        gpus_per_trial: GPUs that Ray reserves for a worker; fractions below 1 share a GPU.
        timeout_s: seconds an evaluation may take before its process is killed; None for no limit.
        memory_bytes: private memory an evaluation may take beyond what its process had when it was ready to
            start, in bytes; None for no limit. Imports of the first evaluation count: PyTorch about 130 MB.
        retries: times that a trial is tried again when its process or its machine dies.
        connect_timeout_s: seconds to wait at the start for the cluster at `address`.
        patience_s: seconds to wait for a cluster that was lost in the middle, or that has no room for a single worker.
    """

    workers: int = 2
    address: str | None = None
    cpus_per_trial: float = 1
    gpus_per_trial: float = 0
    timeout_s: float | None = None
    memory_bytes: int | None = None
    retries: int = 2
    connect_timeout_s: float = 60.0
    patience_s: float = 600.0

    def __post_init__(self) -> None:
        check_whole("workers", self.workers, at_least=1)
        check_whole("retries", self.retries, at_least=0)
        if self.memory_bytes is not None:
            check_whole("memory_bytes", self.memory_bytes, at_least=1)
        _check_positive("timeout_s", self.timeout_s, optional=True)
        _check_positive("connect_timeout_s", self.connect_timeout_s)
        _check_positive("patience_s", self.patience_s)
        check_share("cpus_per_trial", self.cpus_per_trial)
        check_share("gpus_per_trial", self.gpus_per_trial)

    @property
    def share(self) -> Share:
        """The share that a worker reserves by default."""
        return Share(self.cpus_per_trial, self.gpus_per_trial)


def _check_positive(name: str, value: object, *, optional: bool = False) -> None:
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= LONGEST:
        raise ConfigError(
            f"{name}: expected a number above 0, at most {LONGEST:g}{', or none' * optional}, got {value!r}"
        )
