"""`nas.search`: search a space for the Pareto front of your objectives."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas.core.errors import ConfigError
from nas.core.evaluator import Evaluate
from nas.core.files import absolute
from nas.core.objectives import AnyObjective, Limit, Objective
from nas.core.plugins import make
from nas.core.problem import Problem, as_objectives
from nas.core.space import SearchSpace, can_build
from nas.deployment.target import Target
from nas.deployment.wiring import BY_TRAINED, MEASURED, Parts, with_deployment
from nas.engine.callbacks import AnyCallback
from nas.engine.initial import AnyArchitectures
from nas.engine.loop import LoopSettings
from nas.engine.plan import DEFAULT_ALGORITHM, MakeAlgorithm, named_algorithm
from nas.engine.record import SearchResult
from nas.engine.run import SearchSpec, check_spec, run
from nas.engine.settle import settled
from nas.engine.stopping import AnyRules, stop_rules
from nas.engine.warm_start import AnySource
from nas.executors import AnyExecutor, executor_factory
from nas.runs.files import check_new
from nas.training.from_config import trained_on

__all__ = ["SearchResult", "search", "shrink"]


_LOG = logging.getLogger(__name__)


def search(
    space: SearchSpace,
    objectives: Sequence[AnyObjective],
    evaluate: Evaluate | None = None,
    *,
    data: Any = None,
    training: Mapping[str, Any] | None = None,
    algorithm: str | MakeAlgorithm = DEFAULT_ALGORITHM,
    algorithm_settings: Any = None,
    executor: AnyExecutor = "serial",
    executor_settings: Any = None,
    budget: int | None = None,
    seed: int | None = None,
    limits: Sequence[Limit | str] = (),
    target: Target | str | os.PathLike[str] | None = None,
    loop: LoopSettings | Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    keep_weights: bool = True,
    warm_start: AnySource | None = None,
    initial: AnyArchitectures = (),
    stop: AnyRules = (),
    callbacks: Sequence[AnyCallback] = (),
    accept_changed_code: bool = False,
    csv: bool = False,
) -> SearchResult:
    """Search a space for the Pareto front of the objectives.

    Args:
        space: the space to search; any `SearchSpace`.
        objectives: built-in names (``error``, ``accuracy``, ``params``, ``madds``, ``activations``), `Objective` values, or
            plain functions of an `Architecture`: each is minimised under the function's name, without a unit, and measured on a
            worker.
        evaluate: measures the expensive objectives of one `Trial` on a worker; returns them by name. None trains the networks
            that the space builds on `data`, by the evaluator ``training``, as the command line does.
        data: images to train on: the path of a folder with one folder per class, or of a Parquet file; the name of a data set
            (``"cifar10"``); a mapping such as ``{"name": "images", "resolution": 64}``; or a `DataSource`. By default
            scikit-learn's digits, if an objective needs training.
        training: other settings of the evaluator ``training``, as in a config: ``{"recipe": {"epochs": 10}}``.
        algorithm: a name in `nas.algorithms.ALGORITHMS`, or a class or function of (problem, rng, settings). The default,
            "sa-moead", is worthwhile when an evaluation takes a second or more; "moead" proposes in a fraction of its time.
        algorithm_settings: its `Settings`, or a mapping of some of them; defaults depend on the budget.
        executor: ``serial``, ``ray``, ``simulated``, a mapping as in a config (``{"name": "ray", "workers": 4}``), or a factory
            of (evaluate, names to return).
        executor_settings: settings of a named executor, apart from it: `SerialSettings`, `RaySettings` or `SimulatedSettings` of
            `nas.executors`, or a mapping of some of them; None for their defaults. Without a `concurrency` in `loop`, a
            new search on more than four workers evaluates other architectures than one on fewer.
        budget: number of architectures to evaluate (100); candidates that violate a cheap limit cost none.
        seed: determines all random choices (0).
        limits: bounds on any objective, and on ``params``, ``madds``, ``activations``, ``peak_memory`` and ``file_size`` also where
            they are not objectives, such as ``"madds <= 300e6"``.
        target: the device to deploy on: the path of a YAML file, the name of a built-in target, or a `nas.deployment.target.Target`.
            Networks that exceed its memory or use other operators are never trained; ``ort_latency``, ``int8_error`` and the other
            objectives of deployment are measured for it.
        loop: the other settings of the loop, or a mapping of them (``{"halving": {"first": 1, "last": 9}}``); `budget` and
            `seed` override its fields.
        out: a folder for the log, the front and the plots, new or empty; None keeps the search in memory.
        resume: continue the run in `out`. Same space, objectives, limits, algorithm and seed, or `HistoryError`.
        keep_weights: with `out` and an evaluator that trains (`nas.training.TrainingEvaluator`), keep the weights of
            the front's networks, and no others, in `out/weights`; see `nas.load_network`.
        warm_start: initial results: the folder of an earlier run of the same space and objectives, or a CSV file or
            DataFrame (a column ``architecture``, or one for each parameter, and one for each measured objective). They teach the algorithm, may be on
            the front, are not measured again and do not count in the budget. A resumed run has them in its own log.
        initial: known good architectures to evaluate first: text forms, genes, `Architecture` values, or mappings of parameters
            to values (``[{"depth": 2, "width": 32}]``), where these have names. They count in the budget and replace as many of the initial design. A resumed run has them in its own log.
        stop: rules that end the search before its budget is spent: ``nas.Stalled(30)`` (no growth of the hypervolume for
            30 evaluations), ``nas.Reached("error <= 2")`` (by a member of the front), or the same as in a config,
            ``{"stalled": 30}``. A callback may stop it too: `SearchState.request_stop`. Rules may change on resume.
        callbacks: `nas.Callback` objects, or functions, each called with the `SearchState` after every result and about
            twice a second while none arrives. Their errors do not end the search.
        accept_changed_code: on resume, or with `warm_start`, continue although your code (the files of the space, the
            evaluator and so on, and the local modules that they import) has changed; the change is recorded.
        csv: also write every trial to `out/history.csv`, a table that spreadsheets open.

    Returns:
        The result. Ctrl-C (KeyboardInterrupt) ends a search early, with a warning: the result then has the state ``interrupted``, and
        a run in a folder can be resumed.

    Raises:
        ConfigError: an invalid argument; nothing was evaluated.
        HistoryError: the folder holds another run, or files of yours (`ForeignFileError`), or its log cannot be read or written.
        ExecutorError: workers cannot be reached. TooManyFailures: most candidates failed.
    """
    settings = _loop(loop)
    if budget is not None:
        settings = replace(settings, evaluations=budget)
    if seed is not None:
        settings = replace(settings, seed=seed)
    wanted = as_objectives(objectives)
    make_executor, settings_of_executor = executor_factory(executor, executor_settings)
    evaluator = _evaluator(space, wanted, evaluate, data, training)
    parts = with_deployment(space, wanted, evaluator, limits, target)
    problem = Problem(space, *parts[:3], quantities=parts.quantities, deployment=parts.deployment)
    result = run(
        SearchSpec(
            problem=problem,
            algorithm=named_algorithm(algorithm),
            algorithm_settings=algorithm_settings,
            executor=make_executor,
            executor_settings=settings_of_executor,
            loop=settings,
            out=None if out is None else Path(out),
            resume=resume,
            keep_weights=keep_weights,
            warm_start=warm_start,
            initial=initial,
            stop=stop_rules(stop, problem),
            callbacks=callbacks,
            accept_changed_code=accept_changed_code,
            csv=csv,
        )
    )
    if result.state == "interrupted":
        _LOG.warning(
            "the search was interrupted after %d of %s evaluations%s",
            result.summary["evaluations"],
            settings.evaluations or "unlimited",
            "" if out is None else "; continue it with resume=True",
        )
    return result


def shrink(
    model: Any,
    *,
    data: Any = None,
    weights: str | os.PathLike[str] | None = None,
    keep: Sequence[str] = (),
    ranking: str = "magnitude",
    objectives: Sequence[AnyObjective] = ("error", "params", "madds"),
    budget: int = 40,
    limits: Sequence[Limit | str] = (),
    target: Target | str | os.PathLike[str] | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    resume: bool = False,
    pick: str = "knee",
    training: Mapping[str, Any] | None = None,
    train: Mapping[str, Any] | None = None,
    trust: bool = False,
    **search_arguments: Any,
) -> SearchResult:
    """Search for smaller networks within a trained one; the front is from the original to the smallest (docs/shrink.md).

    Candidates inherit the weights, are fine-tuned by the evaluator ``tuning`` and evaluated on the validation images. The first
    ones are the whole network and uniformly narrower ones.

    Args:
        model: a trained `torch.nn.Module` (it is copied); a function that returns one, called with ``num_classes`` and
            ``in_channels`` if it takes them; ``"file.py:function"``; a listed network (``"resnet18"``); or the folder of a run.
        data: the images, as in `search`; None takes those of a run.
        weights: a PyTorch file with the network's tensors. A network that is not a module, and has none, is trained first.
        keep: names of modules whose tensors all stay as they are.
        ranking: of channels: ``"magnitude"`` of their weights, or ``"taylor"``, the change of the loss without them on training images.
        pick: the network of a run, as in `nas export`.
        training: settings of the evaluator ``tuning``: ``{"recipe": {"epochs": 5}, "distillation": 0.5}``.
        train: the recipe of an original network that is trained first, such as ``{"epochs": 30}``.
        trust: import the code that a run names.
        search_arguments: further arguments of `search`, such as ``executor`` or ``loop``.

    The others are those of `search`. With `out` the original network is kept in `out/original`. Returns and raises as `search`.
    """
    from nas.shrinking.python import Asked, shrinking_parts  # imports torch

    folder = None if out is None else absolute(out)
    if folder is not None and not resume:
        check_new(folder)
    own = Asked(
        model, data, weights, keep, ranking, pick, training or {}, train, limits, folder, resume, seed, trust
    )

    def parts_of(space: SearchSpace, evaluate: Evaluate) -> Parts:
        return with_deployment(space, as_objectives(objectives), evaluate, limits, target)

    def problem_of(space: SearchSpace, evaluate: Evaluate) -> Problem:
        parts = parts_of(space, evaluate)
        return Problem(space, *parts[:3], quantities=parts.quantities, deployment=parts.deployment)

    def check(space: SearchSpace, evaluate: Evaluate) -> None:
        given, problem = search_arguments, problem_of(space, evaluate)
        inspect.signature(search).bind(space, objectives, evaluate, **{"budget": budget, **given})
        check_spec(
            SearchSpec(
                problem=problem,
                algorithm=named_algorithm(given.get("algorithm", DEFAULT_ALGORITHM)),
                algorithm_settings=given.get("algorithm_settings"),
                executor=executor_factory(given.get("executor", "serial"), given.get("executor_settings"))[0],
                loop=replace(_loop(given.get("loop")), evaluations=budget, seed=seed),
                warm_start=given.get("warm_start"),
                initial=given.get("initial") or (),
                stop=stop_rules(given.get("stop", ()), problem),
                callbacks=given.get("callbacks", ()),
            )
        )

    say = logging.getLogger("nas.data").warning
    space, evaluator = shrinking_parts(own, say, lambda *of: parts_of(*of).evaluate, check)
    given = search_arguments.pop("initial", None)
    if given is None and not resume:
        from nas.shrinking.start import starting_texts

        given = starting_texts(settled(problem_of(space, evaluator)), budget)
    return search(
        space,
        objectives,
        evaluator,
        budget=budget,
        limits=limits,
        target=target,
        seed=seed,
        out=folder,
        resume=resume,
        initial=given or (),
        **search_arguments,
    )


def _loop(given: LoopSettings | Mapping[str, Any] | None) -> LoopSettings:
    if given is None or isinstance(given, LoopSettings):
        return given or LoopSettings()
    if not isinstance(given, Mapping):
        raise ConfigError(f"loop: expected nas.LoopSettings or a mapping, got {given!r:.200}")
    return make("loop", LoopSettings, given, "settings")  # type: ignore[no-any-return]


def _evaluator(
    space: SearchSpace,
    objectives: Sequence[Objective],
    evaluate: Evaluate | None,
    data: Any,
    training: Mapping[str, Any] | None,
) -> Evaluate | None:
    """The user's evaluator; else the one that trains, if it is asked for or an objective needs it."""
    asked = "data" if data is not None else "training" if training is not None else ""
    if evaluate is not None:
        if asked:
            raise ConfigError(
                f"{asked}: not used with evaluate, which measures the networks itself; pass one of the two"
            )
        return evaluate
    if not isinstance(space, SearchSpace) or not can_build(space):
        if asked and isinstance(space, SearchSpace):
            raise ConfigError(
                f"{asked}: space {space.name!r} builds no networks to train; decorate a function with @space.build (in a "
                "SearchSpace: write a method build), or pass evaluate, a function of a trial, instead"
            )
        return None
    if not asked:
        untrained = set(MEASURED) - set(BY_TRAINED)
        if not any(o.by_evaluator and o.name not in untrained for o in objectives):
            return None
        logging.getLogger("nas.data").warning(
            "no data given: networks are trained on data='digits', as by the command line"
        )
    return trained_on(data, training, space)
