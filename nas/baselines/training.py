"""Train the networks with a run's data and recipe on its executor; every result is written when it arrives."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nas.baselines.from_run import Given, Terms
from nas.baselines.networks import FAMILIES, NARROW, WIDTHS, AnyName, Located, Network, fitted
from nas.baselines.space import BaselineSpace
from nas.config.assemble import make_executor, make_problem
from nas.config.schema import Part
from nas.core.errors import ConfigError, DataError, HistoryError
from nas.core.evaluator import HasWeights
from nas.core.executor import Executor
from nas.core.objectives import Limit
from nas.core.problem import Problem
from nas.core.records import Result, Status, Trial
from nas.core.task_spec import TaskSpec
from nas.core.text import counted, duration, one_line
from nas.engine.plan import check_ready
from nas.engine.search_state import trial_seed
from nas.engine.settle import settled
from nas.runs.baselines import FILE, PLOT, WEIGHTS, Baseline, read_baselines, write_baselines
from nas.runs.files import run_files
from nas.training.counts import check_data
from nas.training.from_config import trained_on

Say = Callable[[str], None]
_WAIT = 1.0  # seconds between looks at the executor


@dataclass(frozen=True)
class Prepared:
    """Networks that are ready to train: the problem of their space, the executor, and the rows of those that are not trained."""

    given: Given
    terms: Terms
    problem: Problem | None  # None without networks
    networks: Mapping[str, Network]
    executor: Part
    excluded: Sequence[Baseline]
    fitting: Sequence[str] = ()  # where none of a family fits: its widest network that does


def prepare(
    given: Given,
    terms: Terms,
    networks: Sequence[tuple[str, AnyName | Located]],
    executor: Part | None = None,
) -> Prepared:
    """Make the networks for the run's data, and check data, executor and files; trains nothing.

    A listed network that does not fit the data, and one that violates a limit that is known before training, is among the `excluded`. Raises `DataError`
    for data that cannot be read or changed since the run, `ConfigError` for an unusable executor, and for a function or an architecture
    that gives no network for the data, `ForeignFileError` for files in the way.
    """
    part = _executor(given, executor)
    make_executor(part, given.base)
    _check_files(given.folder)
    remote = "address" in part.settings
    task = _task(given, terms, remote)
    found = _sorted_out(given, terms, networks, task, remote)
    narrow = _narrower(found[1], [name for name, _ in networks])
    if narrow:
        more = _sorted_out(given, terms, [*networks, *((name, name) for name in narrow)], task, remote)
        extra = set(narrow) - set(_widest_fitting(narrow, more[1]))
        fitting = {name: network for name, network in more[1].items() if name not in extra}
        found = more[0], fitting, [row for row in more[2] if row.network not in narrow]
    problem, fitting, excluded = found
    if problem is not None and fitting:
        check_ready(problem, remote=remote)
    return Prepared(
        given,
        terms,
        problem,
        fitting,
        part,
        excluded,
        _fitting(given, terms, fitting, excluded, task, remote),
    )


def _fitting(
    given: Given,
    terms: Terms,
    found: Mapping[str, Network],
    excluded: Sequence[Baseline],
    task: TaskSpec,
    remote: bool,
) -> list[str]:
    """Of each family whose named networks all violate a limit, the widest network that fits; none for a family without one."""
    families = {row.network.partition("@")[0] for row in excluded if row.values}
    families -= {name.partition("@")[0] for name in found}
    names = [f + width for f in FAMILIES if f in families for width in (*WIDTHS[::-1], *NARROW)]
    names = [name for name in names if name not in {row.network for row in excluded}]
    if not names:
        return []
    return _widest_fitting(names, _sorted_out(given, terms, [(n, n) for n in names], task, remote)[1])


def _narrower(fitting: Mapping[str, Network], names: Sequence[str]) -> list[str]:
    """The narrower networks of each family of which all default widths were asked for, and none fits."""
    families = [
        f for f in FAMILIES if all(f + width in names and f + width not in fitting for width in WIDTHS)
    ]
    return [family + width for family in families for width in NARROW]


def _widest_fitting(narrow: Sequence[str], fitting: Mapping[str, Network]) -> list[str]:
    """Of each family the widest of these networks that fits."""
    found: dict[str, str] = {}
    for name in narrow:  # from wide to narrow
        if name in fitting:
            found.setdefault(name.partition("@")[0], name)
    return list(found.values())


def _sorted_out(
    given: Given,
    terms: Terms,
    networks: Sequence[tuple[str, AnyName | Located]],
    task: TaskSpec,
    remote: bool,
) -> tuple[Problem | None, dict[str, Network], list[Baseline]]:
    """The problem with the space of all networks that fit the data (None without any), those within the limits, and rows of the others."""
    fitting: dict[str, Network] = {}
    excluded: list[Baseline] = []
    config = terms.config
    wanted = {*(o.name for o in config.objectives), *(Limit.parse(text).objective for text in config.limits)}
    for name, item in networks:
        try:
            network = fitted(name, item, task, traced="activations" in wanted)
            network.cost()
            fitting[name] = network
        except (ConfigError, DataError) as error:
            if not isinstance(item, str) or ":" in item:  # code of the user, or a text of an architecture
                text = str(error).removeprefix(f"network {name}: ").removeprefix(f"model {name}: ")
                raise type(error)(f"network {name}: {text}") from error
            excluded.append(_not_trained(name, f"does not fit the data: {one_line(str(error), 300)}", terms))
    if not fitting:
        return None, {}, excluded
    space = BaselineSpace(fitting, task)
    problem = settled(make_problem(config, given.base, space), recorded=task, optional=remote)
    for name in list(fitting):
        architecture = space.of(name)
        reason = problem.cost_failure(architecture) or problem.why_excluded(architecture)
        if reason:
            costs = {
                key: value for key, value in space.cost(architecture).items() if key in ("params", "madds")
            }
            excluded.append(replace(_not_trained(name, reason, terms), values=costs))
            fitting.pop(name)
    return problem, fitting, excluded


def _executor(given: Given, executor: Part | None) -> Part:
    part = executor or given.config.executor
    return Part(name="serial") if part.name == "simulated" else part


def _check_files(folder: Path) -> None:
    try:
        run_files(folder).check([FILE, f"{WEIGHTS}/", f"plots/{PLOT}"])
    except OSError as error:
        raise HistoryError(
            f"{error.filename}: cannot be written ({error.strerror}); allow writing (chmod u+w)"
        ) from error


def _task(given: Given, terms: Terms, remote: bool) -> TaskSpec:
    """Channels, classes and image size of the run's data, as its recipe reads them now."""
    assert terms.config.evaluator is not None
    evaluator: Any = trained_on(None, terms.config.evaluator.settings, BaselineSpace({}))
    try:
        found: TaskSpec = evaluator.task_spec()
    except DataError:
        if not remote or given.task is None:
            raise
        return given.task
    check_data(given.task, found)
    return found


def _not_trained(name: str, reason: str, terms: Terms) -> Baseline:
    return Baseline(name, Status.INVALID.value, reason, terms.changed)


def train(prepared: Prepared, say: Say = lambda line: None) -> list[Baseline]:
    """Train the networks that have no result yet; return the rows of the run's file, the prepared networks first.

    Every result is written to the file when it arrives, so that a further call trains only the missing ones. Failed ones, and those
    whose code changed, are trained again. Raises `HistoryError` on a disk error.
    """
    rows = _Rows(prepared)
    rows.add(prepared.excluded)
    missing = [name for name in prepared.networks if not rows.has(name)]
    known = len(prepared.networks) - len(missing)
    if missing:
        epochs = prepared.terms.epochs
        done = f"; {known} {'is' if known == 1 else 'are'} trained already" if known else ""
        each = " each" if len(missing) > 1 else ""
        say(f"Training {counted(len(missing), 'network')} for {counted(epochs, 'epoch')}{each}{done}")
        _train(prepared, missing, rows, say)
    return rows.all()


def rows_of(prepared: Prepared) -> list[Baseline]:
    """The rows of the run's file: trained ones first, the prepared networks in their order, then the others."""
    return _Rows(prepared).all()


class _Rows:
    """The rows of the file; each change is written at once, over the rows that are there by then."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._folder = prepared.given.folder
        changed = prepared.terms.changed
        excluded = [row.network for row in prepared.excluded]
        self._first = [(name, changed) for name in (*prepared.networks, *excluded)]
        self._names = [] if prepared.problem is None else prepared.problem.names

    def has(self, name: str) -> bool:
        """Whether a network has a result by the same terms and code, with every objective."""
        key = name, self._prepared.terms.changed
        row = next((row for row in read_baselines(self._folder) if row.key == key and row.ok), None)
        return (
            row is not None
            and row.code == self._prepared.networks[name].code
            and set(self._names) <= set(row.values)
        )

    def add(self, new: Sequence[Baseline]) -> None:
        """Add rows, in place of earlier ones of the same networks and terms. Raises `HistoryError`."""
        if not new:
            return
        keys = {row.key for row in new}
        try:
            write_baselines(
                self._folder, [*(r for r in read_baselines(self._folder) if r.key not in keys), *new]
            )
        except OSError as error:
            raise HistoryError(f"{self._folder / FILE}: cannot be written: {error.strerror}") from error

    def all(self) -> list[Baseline]:
        """See `rows_of`."""
        place = {key: number for number, key in enumerate(self._first)}
        found = read_baselines(self._folder)
        return sorted(
            found, key=lambda row: (row.status == Status.INVALID.value, place.get(row.key, len(place)))
        )


def _train(prepared: Prepared, missing: Sequence[str], rows: _Rows, say: Say) -> None:
    assert prepared.problem is not None
    problem, folder = _keeping(prepared, prepared.problem), prepared.given.folder
    space: Any = problem.space
    waiting = deque(
        Trial(number, space.of(name), seed_of(prepared.given.config.seed, name), float(prepared.terms.epochs))
        for number, name in enumerate(missing)
    )
    trials, done, spent = len(waiting), 0, 0.0
    factory, settings = make_executor(prepared.executor, prepared.given.base)
    workers = getattr(settings, "workers", None) or 1
    running: set[int] = set()
    executor: Executor = factory(problem.measure(), problem.measured)
    try:
        while waiting or running:
            while waiting and executor.free > 0:
                trial = waiting.popleft()
                _forget_weights(problem.evaluate, trial)
                executor.submit(trial)
                running.add(trial.id)
            for result in executor.collect(_WAIT):
                running.discard(result.trial.id)
                row = _row(prepared, problem, result)
                rows.add([row])
                done, spent = done + 1, spent + result.seconds
                left = spent / done * (trials - done) / min(workers, max(1, trials - done))
                about = f", about {duration(left)} left" if done < trials else ""
                say(f"{done} of {trials}: {_said(row, problem)}{about}")
    finally:
        executor.close()
        if (folder / WEIGHTS).is_dir():
            with suppress(OSError):  # if it is empty
                (folder / WEIGHTS).rmdir()


def _keeping(prepared: Prepared, problem: Problem) -> Problem:
    """The problem with an evaluator that keeps weights in the run's folder, if the run keeps those of its candidates."""
    evaluator: object = problem.evaluate
    if not prepared.given.config.keep_weights or not isinstance(evaluator, HasWeights):
        return problem
    run_files(prepared.given.folder).claim(f"{WEIGHTS}/")
    keeping = evaluator.keeping(str(prepared.given.folder / WEIGHTS), prepared.terms.epochs)
    return problem.settled(problem.space, keeping, problem.task)


def _weights(evaluator: object, trial: Trial) -> Path | None:
    if not isinstance(evaluator, HasWeights):
        return None
    try:
        return evaluator.weights_file(trial)
    except ConfigError:  # it keeps none
        return None


def _forget_weights(evaluator: object, trial: Trial) -> None:
    """Remove the weights of an earlier training, which would be continued: the code of the network may have changed."""
    file = _weights(evaluator, trial)
    if file is not None and not file.is_symlink():
        file.unlink(missing_ok=True)


def seed_of(seed: int, name: str) -> int:
    """The seed of a network's training, from the run's seed by the rule of its candidates: the name stands for the trial's number."""
    return trial_seed(seed, zlib.crc32(name.encode()))


def _row(prepared: Prepared, problem: Problem, result: Result) -> Baseline:
    trial = result.trial
    name = problem.space.format(trial.architecture)
    file = _weights(problem.evaluate, trial)
    row = Baseline(
        name,
        result.status.value,
        "" if result.ok else one_line(result.error.partition("\n")[0], 300),
        prepared.terms.changed,
        prepared.terms.epochs,
        trial.seed,
        round(result.seconds, 3),
        prepared.networks[name].code,
        file.name if result.ok and file is not None and file.is_file() else "",
    )
    if not result.ok:
        return row
    space: Any = problem.space
    costs = {
        key: value for key, value in space.cost(trial.architecture).items() if key in ("params", "madds")
    }
    cheap = problem.cheap_values(trial.architecture)
    objectives = {o.name: 0.0 for o in problem.objectives}  # the first columns
    return replace(row, values={**objectives, **costs, **result.values, **cheap})


def _said(row: Baseline, problem: Problem) -> str:
    if not row.ok:
        return f"{row.network}: {row.status.replace('_', ' ')}: {row.reason}"
    values = ", ".join(
        f"{o.name} {_number(row.values[o.name])}{'%' * (o.unit == '%')}" for o in problem.objectives
    )
    return f"{row.network}: {values}, {duration(row.seconds)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
