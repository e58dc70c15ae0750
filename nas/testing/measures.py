"""The contracts of objectives and evaluators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from nas.core.evaluator import Evaluate
from nas.core.objectives import Objective
from nas.core.records import Architecture, Trial
from nas.core.space import SearchSpace, has_cost
from nas.testing.claims import check_number, check_pickle, ensure


def check_objective(objective: Objective, space: SearchSpace, seeds: Iterable[int] = range(5)) -> None:
    """Check that the objective's function returns finite numbers and, if cheap, the same one each time.

    A cheap objective without a function is read from the space's cost; for others see `check_evaluator`.
    """
    if objective.function is None and not objective.cheap:
        return
    if objective.function is not None:
        check_pickle(objective.function, f"the function of objective {objective.name!r}")
    elif not has_cost(space):
        raise AssertionError(
            f"objective {objective.name!r} is read from the space's cost(), which is missing"
        )
    for seed in seeds:
        architecture = space.canonical(space.sample(np.random.default_rng(seed)))
        value = _value(objective, space, architecture)
        check_number(value, f"objective {objective.name!r} of {space.format(architecture)}")
        if objective.cheap:
            again = _value(objective, space, architecture)
            ensure(
                float(again) == float(value),
                f"objective {objective.name!r} is cheap, so it must be exact; it gave {value!r}, then {again!r} for "
                f"{space.format(architecture)}",
            )


def _value(objective: Objective, space: Any, architecture: Architecture) -> Any:
    if objective.function is not None:
        return objective.function(architecture)
    cost = space.cost(architecture)
    ensure(objective.name in cost, f"the space's cost has no {objective.name!r}; it has {', '.join(cost)}")
    return cost[objective.name]


def check_evaluator(
    evaluate: Evaluate,
    space: SearchSpace,
    *,
    required: Iterable[str] = (),
    seeds: Iterable[int] = range(2),
    budget: float | None = None,
) -> None:
    """Check that the evaluator can be pickled and returns finite numbers, including those `required`.

    Evaluates one architecture per seed, at the fidelity `budget`, with the pickled copy, as a worker would.
    """
    copy = check_pickle(evaluate, "the evaluator")
    for number, seed in enumerate(seeds):
        architecture = space.canonical(space.sample(np.random.default_rng(seed)))
        values = copy(Trial(number, architecture, seed, budget))
        text = space.format(architecture)
        ensure(isinstance(values, Mapping), f"the evaluator must return a mapping, got {values!r} for {text}")
        missing = set(required) - set(values)
        ensure(
            not missing,
            f"the evaluator returned {', '.join(map(str, values)) or 'nothing'} for {text}; it lacks "
            f"{', '.join(sorted(missing))}",
        )
        for name, value in values.items():
            ensure(isinstance(name, str), f"the evaluator's keys must be text, got {name!r} for {text}")
            check_number(value, f"the evaluator's {name!r} for {text}")
