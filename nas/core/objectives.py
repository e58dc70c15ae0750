"""Objectives and limits on them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from nas.core.checks import check_not_negative, check_numbers, did_you_mean
from nas.core.errors import ConfigError
from nas.core.lazy import Lazy
from nas.core.records import Architecture
from nas.core.space import SearchSpace
from nas.core.task_spec import TaskSpec


@dataclass(frozen=True)
class Objective:
    """A property of an architecture to minimise or maximise.

    A *cheap* objective is exact and known before training: from `function(architecture)`, or, without a function, from
    the entry `name` of the space's `cost(architecture)`. An *expensive* one is measured on a worker: by
    `function(architecture)`, or, without a function, as the entry `name` of the evaluator's return value. With
    `for_space`, the problem uses the function `for_space(space)`.

    `best` is the best possible value, if known (0 for an error); `reference` is the value at which the hypervolume starts
    to count (printed in the summary; default: a tenth beyond the worst value of the initial design). Both are in the
    objective's own unit and direction.

    `noise` is the standard deviation of one measurement in the objective's unit; 0 means that measurements are exact.
    `companions` names further values of the same evaluation that tell something about this objective, such as the loss for
    an error. None means: those that the evaluator declares (`nas.core.evaluator.HasCompanions`) for a value that it
    measures. With `noise` None, an objective with companions is noisy and its noise is estimated; one without companions
    counts as exact. The algorithm receives the companions with each result, and the expected value of a noisy objective decides
    about the front (docs/concepts.md, "Noise").
    """

    name: str
    unit: str = ""
    maximize: bool = False
    function: Callable[[Architecture], float] | None = None
    cheap: bool = False
    best: float | None = None
    reference: float | None = None
    for_space: Callable[[SearchSpace], Callable[[Architecture], float]] | None = None
    noise: float | None = None
    companions: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.name):
            raise ConfigError(
                f"objective name {self.name!r}: expected letters, digits and underscores (it names a column)"
            )
        if self.function is not None and not callable(self.function):
            raise ConfigError(
                f"objective {self.name!r}: function must be callable, got {type(self.function).__name__}"
            )
        if self.noise is not None:
            check_not_negative(f"objective {self.name!r}: noise", self.noise)
        check_numbers(f"objective {self.name!r}", self)
        if self.companions is not None:
            names = companion_names(self.companions, f"objective {self.name!r}: companions")
            object.__setattr__(self, "companions", names)
            if self.name in names:
                raise ConfigError(
                    f"objective {self.name!r}: companions: it cannot be its own companion; remove it"
                )
        if self.cheap and (self.noise or self.companions):
            raise ConfigError(
                f"objective {self.name!r}: a cheap objective is exact; remove its noise and companions, or cheap=True"
            )

    def bound(self, space: SearchSpace, task: TaskSpec | None = None) -> Objective:
        """The objective with its function for this space, and for this task if it has `for_task`.

        Raises `ConfigError` if there is none.
        """
        if self.for_space is None or self.function is not None:
            return self
        function = self.for_space(space)
        follow = getattr(function, "for_task", None)
        return replace(self, function=function if task is None or follow is None else follow(task))

    @property
    def by_evaluator(self) -> bool:
        """Whether its value is an entry of the evaluator's return value."""
        return not self.cheap and self.function is None and self.for_space is None

    @property
    def noisy(self) -> bool:
        """Whether its measurements vary, so that the expected value decides: see `noise`."""
        return bool(self.companions) if self.noise is None else self.noise > 0

    @property
    def possible(self) -> tuple[float, float]:
        """The lowest and highest possible value: 0 and 100 for a percentage whose best value is one of them, else infinite."""
        return (0.0, 100.0) if self.unit == "%" and self.best in (0.0, 100.0) else (-math.inf, math.inf)

    @property
    def sign(self) -> float:
        """+1 when minimised, -1 when maximised."""
        return -1.0 if self.maximize else 1.0


def exclusions_text(excluded: Mapping[str, int]) -> str:
    """The numbers of excluded architectures by reason, a limit or a phrase, such as `98 did not meet madds <= 1e+06`."""
    return ", ".join(
        f"{number:,} {'did not meet ' * _is_limit(reason)}{reason}" for reason, number in excluded.items()
    )


def _is_limit(reason: str) -> bool:
    try:
        Limit.parse(reason)
    except ConfigError:
        return False
    return True


OBJECTIVES: dict[str, Objective] = {
    "error": Objective("error", "%", best=0.0),
    "accuracy": Objective("accuracy", "%", maximize=True, best=100.0),
    "robustness": Objective("robustness", "%", maximize=True, best=100.0),
    "miou": Objective("miou", "%", maximize=True, best=100.0),
    "params": Objective("params", "parameters", cheap=True, best=0.0),
    "madds": Objective("madds", "multiply-adds", cheap=True, best=0.0),
    "activations": Objective("activations", "bytes", cheap=True, best=0.0),
    "latency": Objective(
        "latency", "ms", best=0.0, for_space=Lazy("nas.training.latency", "architecture_latency")
    ),
    # of the deployed network (nas.deployment)
    "file_size": Objective(
        "file_size", "bytes", cheap=True, best=0.0, for_space=Lazy("nas.deployment.untrained", "file_size_of")
    ),
    "peak_memory": Objective(
        "peak_memory",
        "bytes",
        cheap=True,
        best=0.0,
        for_space=Lazy("nas.deployment.untrained", "peak_memory_of"),
    ),
    "ort_latency": Objective("ort_latency", "ms", best=0.0, noise=0.0),
    "int8_error": Objective("int8_error", "%", best=0.0),
    "int8_latency": Objective("int8_latency", "ms", best=0.0, noise=0.0),
    "int8_size": Objective("int8_size", "bytes", best=0.0, noise=0.0),
}


AnyObjective = Objective | str | Callable[[Architecture], float]


def sampling_name(objective: str) -> str:
    """Name of the value that reports how far an objective differs on other images drawn alike, as a standard deviation."""
    return f"{objective}_sampling"


def companion_names(given: object, named: str) -> tuple[str, ...]:
    """A list of names as a tuple; `named` begins the `ConfigError` for anything else."""
    if isinstance(given, (str, Mapping)) or not isinstance(given, Iterable):
        raise ConfigError(f"{named}: expected a list of names of values, got {given!r:.100}")
    names = tuple(given)
    if not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"{named}: expected names of values as text, got {list(names)!r:.100}")
    return tuple(dict.fromkeys(names))


def objective(value: AnyObjective) -> Objective:
    """Convert a built-in name, a plain function of an `Architecture`, or an `Objective` to an `Objective`.

    A function becomes an objective under its own name: minimised, without a unit, measured on a worker. Raises `ConfigError`
    for an unknown name, and for a function whose name cannot be a column.
    """
    if isinstance(value, Objective):
        return value
    if not isinstance(value, str):
        return _from_function(value)
    if value in OBJECTIVES:
        return OBJECTIVES[value]
    raise ConfigError(
        f"unknown objective {value!r}{did_you_mean(value, OBJECTIVES)}; built in: {', '.join(OBJECTIVES)}; "
        "your own: pass an Objective, or name it as package.module:name or file.py:name"
    )


def _from_function(value: object) -> Objective:
    more = "give it a name: nas.Objective('name', unit='ms', function=...)"
    if isinstance(value, type) or not callable(value):
        what = (
            f"the class {value.__name__}"
            if isinstance(value, type)
            else f"{type(value).__name__} {value!r:.100}"
        )
        raise ConfigError(
            f"objectives: expected a name, a function of an Architecture, or an Objective, got {what}"
        )
    name = getattr(value, "__name__", None)
    if not isinstance(name, str):
        raise ConfigError(f"objectives: {type(value).__name__} {value!r:.100} has no name; {more}")
    if name == "<lambda>":
        raise ConfigError(f"objectives: a lambda has no name; {more}, or write a function with def")
    return Objective(name, function=value)


SUFFIXES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}  # of numbers in texts


@dataclass(frozen=True)
class Limit:
    """A constraint on the front, such as `madds <= 300e6`, in the objective's own unit.

    `source` names the setting that it follows from, where the user did not write it as a limit.
    """

    objective: str
    bound: float
    upper: bool = True
    source: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str | Limit) -> Limit:
        """Parse `name <= number` or `name >= number`; the number may end with k, M or G (20k = 20e3)."""
        if isinstance(text, Limit):
            return text
        match = re.fullmatch(r"\s*(\w+)\s*(<=|>=|<|>)\s*(\S+?)\s?([kKMG]?)\s*", text)
        try:
            if match is None:
                raise ValueError
            bound = float(match[3].replace("_", "")) * SUFFIXES[match[4]]
            if not math.isfinite(bound):
                raise ValueError
        except ValueError:
            raise ConfigError(
                f"limit {text!r}: expected 'objective <= number' or 'objective >= number', "
                "for example 'madds <= 300e6' or 'params <= 20k'"
            ) from None
        return cls(match[1], bound, upper=match[2].startswith("<"))

    def excess(self, value: float) -> float:
        """Excess of the value beyond the bound, relative to it; 0 when the limit holds."""
        over = value - self.bound if self.upper else self.bound - value
        return max(0.0, over) / (abs(self.bound) or 1.0)

    @property
    def with_source(self) -> str:
        """The text, with the setting that it follows from."""
        return f"{self} ({self.source})" if self.source else str(self)

    def __str__(self) -> str:
        bound = f"{self.bound:g}"
        if float(bound) != self.bound:  # six digits are too few
            bound = str(int(self.bound)) if self.bound.is_integer() else repr(self.bound)
        return f"{self.objective} {'<=' if self.upper else '>='} {bound}"
