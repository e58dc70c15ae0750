"""Preparation of a search: its algorithm, and the identity of the run for resuming it."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nas.core.algorithm import Algorithm
from nas.core.checks import check_known
from nas.core.errors import ConfigError, HistoryError
from nas.core.evaluator import HasIdentity, HasLeastBudget, HasPrepare, HasWeights
from nas.core.objectives import Limit
from nas.core.plugins import make as make_named
from nas.core.plugins import registry
from nas.core.problem import Problem
from nas.core.rungs import HasRule, Rule
from nas.core.tracebacks import called
from nas.engine.declared import DECLARATION, check_parameters, declaration_of
from nas.engine.initial import AnyArchitectures, InitialFirst, initial_architectures, listed
from nas.engine.kept_weights import FOLDER, KeptWeights
from nas.engine.loop import LoopSettings
from nas.engine.warm_start import WarmStart
from nas.runs.history import History
from nas.runs.log_file import well_formed

if TYPE_CHECKING:
    from nas.training.halving import Halving

DEFAULT_ALGORITHM = "sa-moead"
TASK = "task"  # key in a run's identity
NOISE = "noise"  # key in a run's identity
_LOG = logging.getLogger(__name__)

MakeAlgorithm = Callable[[Problem, np.random.Generator, Any], Algorithm]


@dataclass(frozen=True)
class NamedAlgorithm:
    """A factory of an algorithm, and its name in the run; the name is looked up once, and this object passed on."""

    name: str
    make: MakeAlgorithm


def named_algorithm(algorithm: str | MakeAlgorithm) -> NamedAlgorithm:
    """Resolve an algorithm from its name or a factory. Raises `ConfigError` for an unknown name."""
    if isinstance(algorithm, str):
        known = registry("algorithm")
        check_known("algorithm", algorithm, known)
        return NamedAlgorithm(algorithm, known[algorithm])
    return NamedAlgorithm(getattr(algorithm, "__name__", type(algorithm).__name__), algorithm)


@dataclass(frozen=True)
class Plan:
    """A problem with its algorithm, ready to start."""

    problem: Problem
    algorithm: Algorithm
    settings: LoopSettings
    identity: dict[str, Any]
    warm: WarmStart | None = None
    rule: Rule | None = None

    @classmethod
    def make(
        cls,
        problem: Problem,
        algorithm: NamedAlgorithm,
        algorithm_settings: Any,
        settings: LoopSettings,
        earlier: History | None,
        warm: WarmStart | None = None,
        initial: AnyArchitectures = (),
    ) -> Plan:
        """Make the algorithm; with the log of an `earlier` session, check that it is the same search.

        Passes the results of a `warm` start to the algorithm. `initial` are architectures to evaluate first; a resumed run
        reads them from its log.

        Raises `ConfigError` for invalid parts, `HistoryError` when the log belongs to another search.
        """
        name = algorithm.name
        make: Any = algorithm.make
        initial = listed(initial)
        started = None if earlier is None else earlier.meta("identity")
        if earlier is not None and started is None:
            raise HistoryError(
                f"{earlier.path.parent}: the run ended before its first evaluation; start it again"
            )
        # defaults follow the run's original budget, also when it is resumed with another one
        evaluations, seconds = settings.evaluations, settings.seconds
        if earlier is not None and started is not None:
            with well_formed(earlier.path):
                evaluations = None if started["evaluations"] is None else int(started["evaluations"])
                # runs of earlier versions have no time here, and their rules knew none
                seconds = None if started.get("seconds") is None else float(started["seconds"])
                initial = initial or started.get("initial") or ()
                check_parameters(started, problem.space)
        if algorithm_settings is None and hasattr(make, "default_settings"):
            algorithm_settings = make.default_settings(problem.n_objectives, evaluations)
        elif isinstance(algorithm_settings, Mapping):
            algorithm_settings = settings_of(name, make, algorithm_settings, problem, evaluations)
        rule = rule_of(problem, settings, evaluations, seconds)
        if rule is not None and getattr(algorithm_settings, "repeats", False):
            what = "halving" if settings.halving else "own trainings (evaluator: final)"
            raise ConfigError(
                f"repeats and {what} cannot be combined: each architecture continues once; set only one"
            )
        known = [] if warm is None else warm.observations(problem)
        first = initial_architectures(initial, problem, {seen.architecture for seen in known})
        _decide_costs(problem, earlier)
        made = _make_algorithm(name, make, problem, settings.seed, algorithm_settings)
        identity = {
            "space": problem.space.name,
            "cardinalities": [int(c) for c in problem.space.cardinalities],
            DECLARATION: declaration_of(problem.space),
            "objectives": [f"{'max' if o.maximize else 'min'} {o.name}" for o in problem.objectives],
            NOISE: {o.name: [o.noise, *(o.companions or ())] for o in problem.objectives if o.noisy},
            "limits": [str(limit) for limit in problem.all_limits],
            "algorithm": name,
            "algorithm_settings": _plain(algorithm_settings),
            "seed": settings.seed,
            "concurrency": settings.in_flight,
            "ordered": settings.ordered,
            "fidelity": settings.fidelity,
            "halving": _plain(settings.halving),
            **(
                {} if rule is settings.halving else {"own_trainings": _plain(getattr(rule, "settings", None))}
            ),
            **_evaluator_identity(problem),
            **({} if problem.deployment is None else {"target": dict(problem.deployment)}),
            "warm_start": None if warm is None else warm.summary,
            TASK: None if problem.task is None else problem.task.as_json(),
            "initial": [problem.space.format(a) for a in first] or None,
            "evaluations": evaluations,
            "seconds": seconds,
        }
        if settings.evaluations is not None and settings.evaluations < len(first):
            raise ConfigError(
                f"budget: {settings.evaluations} evaluations are fewer than the {len(first)} architectures of initial; "
                "raise the budget, or list fewer"
            )
        if settings.evaluations is not None and settings.evaluations + len(known) < made.initial:
            raise ConfigError(
                f"budget: {settings.evaluations} evaluations are fewer than the {made.initial} of the initial "
                f"design of {name}; raise the budget, or reduce the design (its population)"
            )
        if started is not None:
            # missing in runs of earlier versions
            then = {TASK: identity[TASK], NOISE: identity[NOISE], **started}
            _check_same(_with_later_settings(then, algorithm_settings), identity)
        if known:
            made.tell(known)
        if first:
            made = InitialFirst(made, first)
        return cls(problem, made, settings, identity, warm, rule)


def _evaluator_identity(problem: Problem) -> dict[str, Any]:
    evaluator: object = problem.evaluate
    return {"evaluator": _plain(evaluator.identity())} if isinstance(evaluator, HasIdentity) else {}


def rule_of(
    problem: Problem, settings: LoopSettings, evaluations: int | None, seconds: float | None
) -> Rule | None:
    """The rule of the budgets: halving, or a new one of the evaluator, for a search that began with this budget.

    Raises `ConfigError` for both, or a fidelity beside the latter.
    """
    evaluator: object = problem.evaluate
    if not isinstance(evaluator, HasRule):
        _check_first(evaluator, settings.halving)
        return settings.halving
    for name in ("halving", "fidelity"):
        if getattr(settings, name) is not None:
            raise ConfigError(
                f"{name}: cannot be combined with the evaluator {type(evaluator).__name__}, whose trials have budgets of its own; remove {name}"
            )
    return evaluator.rule(evaluations, seconds)


def _check_first(evaluator: object, halving: Halving | None) -> None:
    """Raise `ConfigError` for a first rung below the least budget of the evaluator."""
    if halving is None or not isinstance(evaluator, HasLeastBudget):
        return
    if halving.first < evaluator.least_budget:
        raise ConfigError(
            f"halving: first {halving.first}: this evaluator needs a budget of at least {evaluator.least_budget:g}; raise "
            "first (0 is for networks with inherited weights, evaluator tuning)"
        )


COST_SECONDS = "cost_seconds"  # of the log: time of exact costs at the start of the run
OWN_COST_SHARE = "own_cost_share"  # of the log: the share of the space's own costs in it


def _decide_costs(problem: Problem, earlier: History | None) -> None:
    """Time exact costs once per run, and log when they are slow; a resumed run keeps its first timing."""
    if earlier is not None:
        times = (earlier.meta(COST_SECONDS), 0.0), (earlier.meta(OWN_COST_SHARE), 1.0)
        problem.set_cost_seconds(*(float(t) if isinstance(t, (int, float)) else d for t, d in times))
    if problem.slow_costs:
        _LOG.warning(
            "exact costs take %.3g ms an architecture: proposals use estimates learned from exact values; trials, "
            "limits and records use exact values",
            1e3 * problem.cost_seconds,
        )


def with_weights(
    problem: Problem, halving: Halving | None, out: Path | None, keep: bool
) -> tuple[Problem, KeptWeights | None]:
    """The problem with an evaluator that keeps weights, where possible and needed, and the callback that prunes them.

    Weights are needed at the end (`keep`), or to continue trainings (`halving`); without a folder nothing is kept.
    """
    evaluator: object = problem.evaluate
    if not isinstance(evaluator, HasWeights) or (not keep and halving is None):
        return problem, None
    folder = None if out is None else out.resolve() / FOLDER
    if folder is None and halving is None:
        return problem, None
    keeping = evaluator.keeping(None if folder is None else str(folder), halving.last if halving else None)
    changed = problem.settled(problem.space, keeping, problem.task)
    return changed, None if folder is None else KeptWeights(folder, cast(HasWeights, keeping), keep)


def check_ready(problem: Problem, *, remote: bool) -> None:
    """Let an evaluator with `HasPrepare` check its requirements before the first trial.

    Skipped for workers on a `remote` cluster, whose data may be absent here. Raises the evaluator's `NasError`, or
    `ConfigError` for any other exception.
    """
    evaluator: object = problem.evaluate
    if remote or not isinstance(evaluator, HasPrepare):
        return
    called("evaluator: prepare() failed", evaluator.prepare)


def settings_of(
    name: str, make: Any, given: Mapping[str, Any], problem: Problem, evaluations: int | None
) -> Any:
    """The `Settings` of an algorithm with the values that are `given` and the defaults for the budget.

    Of one without `Settings` the mapping itself, None where it is empty. Raises `ConfigError` for a value that it refuses.
    """
    if not hasattr(make, "Settings"):
        return dict(given) or None
    checked = make_named("algorithm", make.Settings, given, name)
    if not hasattr(make, "default_settings"):
        return checked
    default = make.default_settings(problem.n_objectives, evaluations)
    return dataclasses.replace(default, **{key: getattr(checked, key) for key in given})


def _make_algorithm(
    name: str, make: Callable[..., Algorithm], problem: Problem, seed: int, settings: Any
) -> Algorithm:
    what = f"algorithm {name}: cannot be made from (problem, rng, settings)"
    made = called(what, make, problem, np.random.default_rng(seed), settings)
    if not isinstance(made, Algorithm):
        raise ConfigError(f"algorithm {name}: expected a nas.Algorithm, got {type(made).__name__}")
    return made


def _with_later_settings(started: dict[str, Any], settings: Any) -> dict[str, Any]:
    """The identity of an earlier run, with defaults for settings that its version lacked."""
    then = started.get("algorithm_settings")
    if not isinstance(then, dict) or not dataclasses.is_dataclass(settings) or isinstance(settings, type):
        return started
    return {**started, "algorithm_settings": {**_plain(type(settings)()), **then}}


def _check_same(started: dict[str, Any], now: dict[str, Any]) -> None:
    if "limits" in started:  # earlier versions wrote six digits of a bound
        same = [_six_digits(one) for one in started["limits"]] == [_six_digits(one) for one in now["limits"]]
        started = {**started, "limits": now["limits"] if same else started["limits"]}
    different = [key for key in now if key != DECLARATION and started.get(key) != now[key]]
    if different:
        changes = "; ".join(line for key in different for line in _changes(key, started.get(key), now[key]))
        raise HistoryError(
            f"this run was started with another configuration ({changes}): resume it with the original one, or "
            "start a new run in another folder"
        )


def _changes(name: str, then: Any, now: Any) -> list[str]:
    """What differs, key by key within mappings."""
    if not isinstance(then, Mapping) or not isinstance(now, Mapping):
        return [f"{name}: {then!r} then, {now!r} now"]
    keys = [key for key in {**then, **now} if then.get(key) != now.get(key)]
    return [line for key in keys for line in _changes(f"{name}.{key}", then.get(key), now.get(key))]


def _six_digits(limit: str) -> str:
    parsed = Limit.parse(limit)
    return f"{parsed.objective} {parsed.upper} {parsed.bound:g}"


def _plain(settings: Any) -> Any:
    """Settings as JSON values, so that those of a resumed run compare equal."""
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        return {f.name: _plain(getattr(settings, f.name)) for f in dataclasses.fields(settings)}
    if isinstance(settings, (list, tuple)):
        return [_plain(item) for item in settings]
    if isinstance(settings, dict):
        return {str(key): _plain(value) for key, value in settings.items()}
    if isinstance(settings, np.generic):
        return settings.item()
    if settings is None or isinstance(settings, (bool, int, float, str)):
        return settings
    return getattr(settings, "__name__", repr(type(settings).__name__))
