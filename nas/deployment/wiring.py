"""Objectives and constraints of a deployed network in a search: who measures them, and the limits of the target."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from nas.core.errors import ConfigError
from nas.core.evaluator import Evaluate, HasReports
from nas.core.objectives import Limit, Objective
from nas.core.problem import check_list
from nas.core.space import SearchSpace
from nas.deployment.target import Target, read_target

EXACT = ("file_size", "peak_memory")  # known before training
BY_TRAINED = ("int8_error",)  # which needs trained weights
MEASURED = ("ort_latency", "int8_latency", "int8_size", *BY_TRAINED)


class Parts(NamedTuple):
    """Arguments of `nas.core.problem.Problem`."""

    objectives: list[Objective]
    evaluate: Evaluate | None
    limits: list[Limit | str]
    quantities: list[Objective]
    deployment: dict[str, Any] | None


def with_deployment(
    space: SearchSpace,
    objectives: Sequence[Objective],
    evaluate: Evaluate | None,
    limits: Sequence[Limit | str],
    target: Target | str | os.PathLike[str] | None,
) -> Parts:
    """The parts of a problem with the objectives of deployment measured for `target` (None: the default), and its limits.

    A text is the path of a target's file or the name of a built-in target.

    An evaluator that declares a measured value in `reports` measures it itself. Of the others, one that trains networks measures them after the
    training; otherwise workers measure networks with random weights. Networks that exceed
    the target's memory or use operators that it lacks are excluded before training. Raises `ConfigError` for an objective that needs trained networks
    without an evaluator that trains them, or a space that builds none.
    """
    check_list("limits", limits)
    if isinstance(target, (str, os.PathLike)):
        target = read_target(os.fspath(target))
    given: object = target
    if given is not None and not isinstance(given, Target):
        raise ConfigError(
            f"target: expected the path of a YAML file, the name of a built-in target (nas targets), or a Target, got {given!r:.100}"
        )
    declared = evaluate.reports or () if isinstance(evaluate, HasReports) else ()
    own = [name for name in MEASURED if name in declared]  # the evaluator measures them
    named = [
        o.name for o in objectives if o.name in (*EXACT, *MEASURED) and not o.function and o.name not in own
    ]
    bounded = [Limit.parse(text).objective for text in limits]
    if target is None and not named and not set(bounded) & set(EXACT):
        return Parts(list(objectives), evaluate, list(limits), [], None)
    chosen = target or Target()
    measured = tuple(name for name in named if name in MEASURED)
    evaluate, by_functions = _measuring(evaluate, measured, chosen)
    made = [_with_function(o, chosen, o.name in by_functions) if o.name in named else o for o in objectives]
    required = _requirements(chosen) if target is not None else []
    quantities = [_quantity(name, chosen) for name in (*EXACT, "model_size", "unsupported_operators")]
    return Parts(made, evaluate, [*limits, *required], quantities, chosen.as_json())


def _with_function(item: Objective, target: Target, by_function: bool) -> Objective:
    """The objective with its function for the target; unchanged where the evaluator measures it."""
    if item.name in EXACT:
        from nas.deployment import untrained

        return dataclasses.replace(
            item, for_space=untrained.MakeGraphValue(getattr(untrained, item.name), target)
        )
    if not by_function:
        return item
    from nas.deployment.measure import MakeUntrainedValue

    return dataclasses.replace(item, for_space=MakeUntrainedValue(item.name, target))


def _measuring(
    evaluate: Evaluate | None, names: tuple[str, ...], target: Target
) -> tuple[Evaluate | None, tuple[str, ...]]:
    """The evaluator that measures these values too, and those of them that functions of the architecture must measure."""
    if not names:
        return evaluate, ()
    inner: Any = evaluate
    holder = None
    if not hasattr(inner, "also") and hasattr(getattr(inner, "evaluator", None), "also"):
        holder, inner = inner, inner.evaluator  # it reports more values of the same networks
    if not hasattr(inner, "also"):
        needing = [name for name in names if name in BY_TRAINED]
        if needing:
            raise ConfigError(
                f"objective {needing[0]!r}: needs trained networks: use the evaluator training or shared (nas.search: data=...), not a custom one; an "
                f"evaluator that measures it itself lists its values: evaluate.reports = [{needing[0]!r}, ...]"
            )
        return evaluate, names
    if "int8_error" in names and not getattr(inner, "classifies", True):
        raise ConfigError(
            "objective 'int8_error': measured for classifiers alone; remove it from the objectives"
        )
    from nas.deployment.measure import DeployedValues

    values = DeployedValues(names, target, inner.recipe, getattr(inner, "task", None))
    inner = dataclasses.replace(inner, also=(*inner.also, values))
    return (inner if holder is None else dataclasses.replace(holder, evaluator=inner)), ()


def _requirements(target: Target) -> list[Limit | str]:
    """The limits of a target."""
    bounds = (
        ("peak_memory", "ram", target.ram),
        ("model_size", "flash", target.flash),
        ("unsupported_operators", "operators", None if target.operators is None else 0),
    )
    return [
        Limit(name, float(bound), source=f"{key} of target {target.name!r}")
        for name, key, bound in bounds
        if bound is not None
    ]


def _quantity(name: str, target: Target) -> Objective:
    from nas.deployment import untrained

    unit = "operators" if name == "unsupported_operators" else "bytes"
    return Objective(
        name, unit, cheap=True, best=0.0, for_space=untrained.MakeGraphValue(getattr(untrained, name), target)
    )
