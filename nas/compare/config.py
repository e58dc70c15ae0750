"""The YAML file that describes a comparison."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from nas.config.schema import AnyObjective, AnyPart, Closed, HalvingPart, Part, SearchConfig, checked
from nas.core.checks import check_known
from nas.core.errors import ConfigError

LABEL_LENGTH = 40
# keys of a problem that its searches take over
_OF_THE_SEARCH = (
    "space objectives limits target evaluator fidelity halving concurrency ordered max_failures"
).split()
SPREAD = "ray"  # executor of a problem whose trials, not its runs, go to workers


class ReferencePart(Closed):
    """Reference of the quality: a front, and the box of the hypervolume, in the objectives' units."""

    enumerate: bool = False
    front: str | None = Field(default=None, min_length=1)
    ideal: dict[str, float] = Field(default_factory=dict)
    point: dict[str, float] = Field(default_factory=dict)


def _reported(value: Any) -> Any:
    return {"": value} if isinstance(value, str) else value


class ProblemPart(Closed):
    """One problem: the keys of a search's config, and how to read its results."""

    name: str = Field(min_length=1, max_length=LABEL_LENGTH)
    space: AnyPart
    objectives: list[AnyObjective] = Field(min_length=1)
    limits: list[str] = Field(default_factory=list)
    target: str | None = Field(default=None, min_length=1)
    evaluator: AnyPart | None = None
    executor: AnyPart = Part(name="serial")
    fidelity: float | None = Field(default=None, gt=0)
    halving: HalvingPart | None = None
    concurrency: int = Field(default=1, ge=1)
    ordered: bool = True
    max_failures: float = Field(default=0.5, ge=0, le=1)
    share_costs: bool = False
    budget: int | None = Field(default=None, ge=1)
    targets: list[float] | None = None
    checkpoints: list[int] | None = Field(default=None, min_length=1)
    report: Annotated[
        dict[str, str], BeforeValidator(_reported, json_schema_input_type=str | dict[str, str])
    ] = Field(default_factory=dict)
    time: str | None = Field(default=None, min_length=1)
    reference: ReferencePart = ReferencePart()


class AlgorithmPart(Part):
    """An algorithm with its settings and its label in tables and figures."""

    label: str = Field(min_length=1, max_length=LABEL_LENGTH)


def _algorithm(value: Any) -> Any:
    if isinstance(value, str):
        value = {"name": value}
    if isinstance(value, Mapping) and isinstance(value.get("name"), str) and "label" not in value:
        return {**value, "label": value["name"].rpartition(":")[2]}
    return value


def _seeds(value: Any) -> Any:
    number = isinstance(value, int) and not isinstance(value, bool)
    return list(range(value)) if number else value


class CompareConfig(Closed):
    """The config of a comparison. Each component is a name from `nas list`, or `file.py:Name`."""

    problems: list[ProblemPart] = Field(min_length=1)
    algorithms: list[
        Annotated[AlgorithmPart, BeforeValidator(_algorithm, json_schema_input_type=str | Part)]
    ] = Field(min_length=2)
    budget: int = Field(default=100, ge=1)
    seeds: Annotated[
        list[Annotated[int, Field(ge=0, lt=2**63)]],
        BeforeValidator(_seeds, json_schema_input_type=int | list[int]),
    ] = Field(default_factory=lambda: list(range(30)), min_length=1)
    initial: int = Field(default=10, ge=0)
    targets: list[Annotated[float, Field(gt=0, le=1)]] = Field(default=[0.9, 0.95, 0.98, 0.99])
    checkpoints: list[Annotated[int, Field(ge=1)]] | None = Field(default=None, min_length=1)
    difference: list[str] | None = Field(default=None, min_length=2, max_length=2)
    alpha: float = Field(default=0.05, gt=0, lt=1)
    workers: int = Field(default=2, ge=1)
    executor: AnyPart = Part(name="ray")
    out: str = "runs/compare"

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the algorithms, in order."""
        return tuple(a.label for a in self.algorithms)

    @property
    def pair(self) -> tuple[str, str]:
        """The two algorithms of the attainment difference."""
        first, second = self.difference or self.labels[:2]
        return first, second

    def problem(self, name: str) -> ProblemPart:
        """The problem of that name."""
        return next(p for p in self.problems if p.name == name)

    def budget_of(self, problem: ProblemPart) -> int:
        """Evaluations of each run of a problem."""
        return problem.budget or self.budget

    def checkpoints_of(self, problem: ProblemPart) -> tuple[int, ...]:
        """Evaluations at which quality is reported, ascending; the last is the full budget."""
        budget = self.budget_of(problem)
        chosen = problem.checkpoints or self.checkpoints or [max(1, budget // 4), max(1, budget // 2)]
        return tuple(sorted({n for n in chosen if n < budget} | {budget}))

    def targets_of(self, problem: ProblemPart) -> tuple[float, ...]:
        """Shares of the reference front's hypervolume; with one objective, its values (default none)."""
        if problem.targets is not None:
            return tuple(problem.targets)
        return tuple(self.targets) if len(problem.objectives) > 1 else ()


def check_comparison(values: Mapping[str, Any]) -> CompareConfig:
    """The checked config. Raises `ConfigError` with a line per error."""
    config = checked(CompareConfig, values)
    _unique("problems: name", [p.name for p in config.problems])
    _unique("algorithms: label", config.labels, "set a label for each: {name: NAME, label: OTHER}")
    if len(set(config.seeds)) < len(config.seeds):
        raise ConfigError(f"seeds: expected no duplicates, got {config.seeds}")
    for label in config.pair:
        check_known("difference", label, config.labels)
    if config.pair[0] == config.pair[1]:
        raise ConfigError(f"difference: expected two algorithms, got {config.pair[0]!r} twice")
    for problem in config.problems:
        _check_problem(config, problem)
    return config


def _unique(what: str, names: Sequence[str], advice: str = "choose another") -> None:
    """Check that names, which become folders, differ in letters and digits."""
    counts = Counter(map(slug, names))
    if twice := [name for name in names if counts[slug(name)] > 1]:
        raise ConfigError(f"{what} {twice[0]!r} appears twice (only letters and digits count); {advice}")


def _check_problem(config: CompareConfig, problem: ProblemPart) -> None:
    where, names = f"problem {problem.name}", [o.name.rpartition(":")[2] for o in problem.objectives]
    if config.initial > config.budget_of(problem):
        raise ConfigError(
            f"initial: {config.initial} architectures exceed the evaluations of {where} "
            f"({config.budget_of(problem)}); lower initial or raise the budget"
        )
    for name in problem.report:
        if name:
            check_known(f"{where}: report", name, names)
    if len(names) == 1 and (problem.reference.enumerate or problem.reference.front):
        raise ConfigError(f"{where}: reference: a front needs at least two objectives; remove it")
    if problem.reference.enumerate and problem.reference.front:
        raise ConfigError(f"{where}: reference: front and enumerate cannot be combined; set only one")
    if len(names) > 1 and any(not 0 < t <= 1 for t in problem.targets or ()):
        raise ConfigError(f"{where}: targets: expected shares above 0 and up to 1, got {problem.targets}")
    _check_points(where, problem, names)


def _check_points(where: str, problem: ProblemPart, names: Iterable[str]) -> None:
    known = [*names, *problem.report.values()]
    for key, point in (("ideal", problem.reference.ideal), ("point", problem.reference.point)):
        for name in point:
            check_known(f"{where}: reference.{key}", name, known)


def slug(label: str) -> str:
    """A label as part of a file name: its letters and digits in lower case, joined by '-'."""
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") or "x"


def spread(executor: Part, workers: int) -> Part:
    """Ray with `workers` workers unless the part sets them; any other executor unchanged."""
    if executor.name != SPREAD or "workers" in executor.settings:
        return executor
    return Part.model_validate({"name": executor.name, "workers": workers, **executor.settings})


def search_config(config: CompareConfig, problem: ProblemPart, algorithm: Part, seed: int) -> SearchConfig:
    """One run of the comparison as a search."""
    return SearchConfig(
        **{name: getattr(problem, name) for name in _OF_THE_SEARCH},
        algorithm=Part.model_validate({"name": algorithm.name, **algorithm.settings}),
        executor=spread(problem.executor, config.workers),
        budget={"evaluations": config.budget_of(problem)},  # type: ignore[arg-type]
        seed=seed,
        keep_weights=False,
    )
