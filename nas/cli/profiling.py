"""`nas space profile`: sizes and costs of random networks, the share within limits, the time of a search."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from rich.table import Table

from nas.algorithms.candidates import Candidates
from nas.cli.console import output, print_json
from nas.cli.show import number
from nas.cli.spaces import SpaceOptions, Subject, read_subject
from nas.core.checks import did_you_mean
from nas.core.cost_timing import EXCLUDE, CostFailed
from nas.core.errors import ConfigError, InfeasibleError, NasError
from nas.core.objectives import Limit, Objective
from nas.core.problem import Problem
from nas.core.records import RESERVED
from nas.core.space import HasChoices, SearchSpace, can_build, has_cost
from nas.core.text import counted, duration
from nas.spaces.profiling import QUARTILES, Drawn, Share, draw, parameter_rows

_ROWS = 60  # printed parameters
_EXACT = 10**30  # size up to which all digits are printed


@dataclass(frozen=True)
class Steps:
    """Seconds of a training step of the networks at the quartiles of their costs, sorted, or why there are none."""

    seconds: tuple[float, ...] = ()
    batch: int = 0
    where: str = ""
    reason: str = ""
    of: str = ""  # the only network that was timed; "": random ones

    @property
    def mean(self) -> float:
        """Of a random network, by the trapezoidal rule over the quartiles."""
        first, *inner, last = self.seconds
        return (0.5 * (first + last) + sum(inner)) / (len(inner) + 1)


@dataclass(frozen=True)
class Estimate:
    """The training time of a search, one network at a time."""

    budget: int
    steps: int  # in an epoch
    epochs: int
    seconds: float


def run_profile(
    options: SpaceOptions, limits: Sequence[str], budget: int | None, samples: int, seed: int, as_json: bool
) -> None:
    """Print the profile of a space. Raises `InfeasibleError` after it if no network meets the limits."""
    parsed = [Limit.parse(text) for text in limits]  # report a typo first
    subject = read_subject(options)
    space = subject.space
    problem = _problem(subject)
    drawn = None
    if problem is not None:
        try:
            drawn = draw(
                space, lambda a: {**_all_costs(problem, a), **problem.cheap_values(a)}, samples, seed
            )
        except CostFailed as error:
            raise _with_remedy(error) from error
    known, left_out = _split(subject, drawn, [*(subject.config.limits if subject.config else ()), *parsed])
    share = None if drawn is None or not known else drawn.within(known)
    found, infeasible = _meeting(problem, share, known, seed)
    steps = (
        Steps(reason="no network meets the limits")
        if infeasible
        else _steps(subject, drawn, samples, seed, found)
    )
    estimate = _estimate(subject, steps, budget)
    if as_json:
        print_json(_as_json(subject, drawn, share, steps, estimate, infeasible, known))
    else:
        _print_space(space)
        if drawn is not None:
            _print_drawn(subject, drawn, steps, seed)
        _print_limits(space, known, left_out, share, found)
        _print_time(steps, estimate, budget)
    if infeasible is not None:
        raise infeasible


def _problem(subject: Subject) -> Problem | None:
    """The exact objectives: those of the config, and every entry of the space's cost. None if there are none."""
    space = subject.space
    cheap = {o.name: o for o in (subject.problem.objectives if subject.problem else ()) if o.cheap}
    if has_cost(space):
        first = space.canonical(space.sample(np.random.default_rng(0)))
        taken = RESERVED | set(space.parameters if isinstance(space, HasChoices) else ())
        try:
            costs = space.cost(first)
        except ConfigError as error:
            raise _with_remedy(error) from error
        for name in costs:
            if re.fullmatch(r"[A-Za-z_]\w*", name) and name not in taken:
                cheap.setdefault(name, Objective(name, cheap=True))
    return Problem(space, list(cheap.values())) if cheap else None


def _with_remedy(error: ConfigError) -> ConfigError:
    return ConfigError(f"{error}; if it is right to fail, {EXCLUDE}")


def _all_costs(problem: Problem, architecture: Any) -> Mapping[str, float]:
    return problem.costs(architecture) if has_cost(problem.space) else {}


def _split(
    subject: Subject, drawn: Drawn | None, limits: Sequence[str | Limit]
) -> tuple[list[Limit], list[Limit]]:
    """The limits on exact costs, and those on objectives that are measured in training. Raises `ConfigError`."""
    every = [Limit.parse(limit) for limit in limits]
    measured = {o.name for o in (subject.problem.objectives if subject.problem else ()) if not o.cheap}
    costs = {} if drawn is None else drawn.costs
    for limit in every:
        if limit.objective not in costs and limit.objective not in measured:
            raise ConfigError(
                f"limit '{limit}': the cost of space {subject.space.name!r} has no {limit.objective!r}"
                f"{did_you_mean(limit.objective, costs)}; it has {', '.join(costs) or 'no entry'}"
            )
    return [x for x in every if x.objective in costs], [x for x in every if x.objective not in costs]


def _meeting(
    problem: Problem | None, share: Share | None, limits: Sequence[Limit], seed: int
) -> tuple[str | None, InfeasibleError | None]:
    """A network within the limits that no random one meets, or the error of a search with these limits."""
    if problem is None or share is None or share.count:
        return None, None
    limited = Problem(problem.space, problem.objectives, None, limits)
    try:
        found = Candidates(limited, np.random.default_rng(seed)).random()
    except InfeasibleError as error:
        return None, error
    return (None if found is None else problem.space.format(found)), None


def _steps(subject: Subject, drawn: Drawn | None, samples: int, seed: int, only: str | None = None) -> Steps:
    """Time training steps of the networks at the quartiles, or of `only` one, where no random one meets the limits."""
    space = subject.space
    if not can_build(space):
        return Steps(reason="the space builds no networks")
    from nas.training import Recipe
    from nas.training.passes import step_seconds

    if drawn is None or not drawn.costs:
        drawn = draw(space, lambda a: {"any": 0.0}, samples, seed)
    chosen = drawn.at_quartiles(
        next((n for n in ("madds", "params") if n in drawn.costs), next(iter(drawn.costs)))
    )
    if only is not None:
        chosen = [space.parse(only)] * len(QUARTILES)
    evaluator = subject.evaluator
    batch = (Recipe() if evaluator is None else evaluator.recipe).batch_size
    threads, device = getattr(evaluator, "threads", 1), getattr(evaluator, "device", None) or "cpu"
    where = f"{device}, {counted(threads, 'thread')}"
    try:
        times = {
            a: step_seconds(space, a, subject.task, batch, threads, device) for a in dict.fromkeys(chosen)
        }
    except NasError as error:
        return Steps(reason=str(error))
    return Steps(tuple(sorted(times[a] for a in chosen)), batch, where, of=only or "")


def _estimate(subject: Subject, steps: Steps, budget: int | None) -> Estimate | None:
    """The time of a search on its data; None without data, a budget or times."""
    if budget is None and subject.config is not None:
        budget = subject.config.budget.evaluations
    if subject.evaluator is None or budget is None or not steps.seconds:
        return None
    recipe = subject.evaluator.recipe
    images = len(subject.evaluator.prepare().train)
    fidelity = None if subject.config is None else subject.config.fidelity
    epochs, count = int(fidelity or recipe.epochs), math.ceil(images / recipe.batch_size)
    return Estimate(budget, count, epochs, budget * epochs * count * steps.mean)


def _print_space(space: SearchSpace) -> None:
    say = output().print
    rows = parameter_rows(space)
    columns = f"{len(rows)} parameters" if rows else f"{len(space.cardinalities)} genes"
    say(f"Space {space.name!r}: {size_text(space.size)}, {columns}")
    if not rows:
        return
    view = Table(header_style="bold")
    for title in ("parameter", "kind", "options", "active if"):
        view.add_column(title, overflow="fold")
    for row in rows[:_ROWS]:
        view.add_row(row.name, row.kind, row.options, row.condition)
    say(view)
    if len(rows) > _ROWS:
        say(f"{len(rows) - _ROWS} more parameters: --json lists all")


def size_text(size: int | None) -> str:
    """The number of networks, exact up to 30 digits."""
    if size is None:
        return "size unknown"
    text = f"{size:,}" if size < _EXACT else f"{Decimal(size):.3e}"
    return f"{text} different network{'s' * (size != 1)}"


def _print_drawn(subject: Subject, drawn: Drawn, steps: Steps, seed: int) -> None:
    say, space = output().print, subject.space
    which = "All networks" if drawn.whole else f"{len(drawn.architectures):,} random networks (seed {seed})"
    view = Table(
        title=f"{which}{f', for {subject.task}' if can_build(space) else ''}",
        title_justify="left",
        header_style="bold",
    )
    view.add_column("")
    for title in QUARTILES:
        view.add_column(title, justify="right", no_wrap=True)
    for name in drawn.costs:
        view.add_row(name, *[_cell(v) for v in drawn.quartiles(name).values()])
    if steps.seconds and not steps.of:
        view.add_row(f"ms per training step, batch {steps.batch}", *[_ms(s) for s in steps.seconds])
    say(view)
    first = next(iter(drawn.costs))
    for what, place in (("Smallest", 0), ("Largest", -1)):
        say(f"{what} by {first}: {space.format(drawn.at_quartiles(first)[place])}")


def _cell(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else number(value)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:,.0f}" if seconds >= 0.1 else number(1000 * seconds)


def _print_limits(
    space: SearchSpace,
    known: Sequence[Limit],
    left_out: Sequence[Limit],
    share: Share | None,
    found: str | None,
) -> None:
    say = output().print
    if share is not None:
        low, high = share.interval
        of = "all networks" if share.whole else f"random networks ({low:.1%} to {high:.1%}, 95% interval)"
        say(f"Within {'; '.join(map(str, known))}: {share.share:.1%} of {of}")
        if found is not None:
            say(f"A descent to the limits finds {found}: a search starts there")
    for limit in left_out:
        say(f"{limit} is measured in training, so its share is unknown")


def _print_time(steps: Steps, estimate: Estimate | None, budget: int | None) -> None:
    say = output().print
    if not steps.seconds:
        say(f"Time of a training step not measured: {steps.reason}")
    elif estimate is None:
        more = (
            ""
            if budget is None
            else f" A search of {budget:,} networks needs the data: set --data, or --config."
        )
        say(
            f"A training step {'of this network ' * bool(steps.of)}takes {_ms(steps.mean)} ms {'' if steps.of else 'on average '}(batch {steps.batch}, {steps.where}).{more}"
        )
    else:
        say(
            f"A search of {estimate.budget:,} networks trains for about {duration(estimate.seconds)}, one at a time: "
            f"{_ms(steps.mean)} ms a step x {estimate.steps:,} steps an epoch x {estimate.epochs} epochs "
            f"({steps.where}{', of the network that the descent finds' * bool(steps.of)}). Workers divide this time; "
            f"a search may prefer larger or smaller networks{' than ' + ('this one' if steps.of else 'random ones')}."
        )


def _as_json(
    subject: Subject,
    drawn: Drawn | None,
    share: Share | None,
    steps: Steps,
    estimate: Estimate | None,
    infeasible: InfeasibleError | None,
    limits: Sequence[Limit],
) -> dict[str, Any]:
    space = subject.space
    found: dict[str, Any] = {
        "space": space.name,
        "size": space.size,
        "parameters": [vars(row) for row in parameter_rows(space)],
        "task": subject.task.as_json(),
    }
    if drawn is not None:
        found["networks"] = len(drawn.architectures)
        found["whole_space"] = drawn.whole
        found["costs"] = {name: drawn.quartiles(name) for name in drawn.costs}
        ends = drawn.at_quartiles(next(iter(drawn.costs)))
        found["smallest"], found["largest"] = space.format(ends[0]), space.format(ends[-1])
    found["step_seconds"] = dict(zip(QUARTILES, steps.seconds, strict=True)) if steps.seconds else None
    found["timed"] = steps.of or None  # the only network behind step_seconds
    found["batch"] = steps.batch or None
    if share is not None:
        found["limits"] = list(map(str, limits))
        found |= {"share": share.share, "share_interval": list(share.interval)}
        found["feasible"] = infeasible is None
    found["search_seconds"] = None if estimate is None else estimate.seconds
    return found
