"""One run of a comparison: an ordinary search in its folder; finished, started or missing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from nas.compare.config import CompareConfig, ProblemPart, search_config, slug
from nas.compare.design import WithDesign, draw_design
from nas.compare.shared_costs import WithCosts
from nas.config.assemble import assemble, make_problem
from nas.config.schema import Part
from nas.core.code_files import code_of
from nas.core.errors import DataError, EvaluationError, HistoryError
from nas.core.files import check_no_links
from nas.core.json_text import read_json
from nas.core.plugins import collecting
from nas.core.problem import Problem
from nas.core.records import Trial
from nas.engine.callbacks import AnyCallback
from nas.engine.changed_code import measuring
from nas.engine.plan import NamedAlgorithm, Plan
from nas.engine.run import SearchSpec, run
from nas.engine.settle import settled
from nas.runs.files import asked

RUNS = "runs"
_DONE = {"finished", "exhausted"}  # final states


class RunKey(NamedTuple):
    """Key of a run: problem name, algorithm label, seed."""

    problem: str
    algorithm: str
    seed: int

    def __str__(self) -> str:
        return f"{self.problem}, {self.algorithm}, seed {self.seed}"


@dataclass(frozen=True)
class Comparison:
    """A checked config, the base folder of its paths, and the folder of the runs."""

    config: CompareConfig
    base: Path
    out: Path

    def every_run(self) -> Iterator[RunKey]:
        """All runs, seed by seed, so that partial results compare the same seeds."""
        for seed in self.config.seeds:
            for problem in self.config.problems:
                for label in self.config.labels:
                    yield RunKey(problem.name, label, seed)

    def folder(self, key: RunKey) -> Path:
        """The folder of a run."""
        return self.out / RUNS / slug(key.problem) / slug(key.algorithm) / f"{key.seed:04d}"

    def done(self, key: RunKey) -> bool:
        """Whether a run is complete."""
        return str(summary_of(self.folder(key)).get("state")) in _DONE

    def problem_of(self, part: ProblemPart) -> Problem:
        """Space, objectives and evaluator, created once per problem."""
        search = search_config(self.config, part, Part(name="random"), 0)
        text = json.dumps([search.model_dump(mode="json"), str(self.base)])
        return _problem(text)

    def assemble(self, part: ProblemPart, label: str, seed: int) -> SearchSpec:
        """The parts of one run with the shared initial design. Raises `ConfigError`."""
        chosen = next(a for a in self.config.algorithms if a.label == label)
        problem = self.problem_of(part)
        parts = assemble(search_config(self.config, part, chosen, seed), self.base, problem=problem)
        design = draw_design(problem, self.config.initial, seed)
        make = WithCosts(parts.algorithm.make, label) if part.share_costs else parts.algorithm.make
        return replace(parts, algorithm=NamedAlgorithm(label, WithDesign(make, label, design)))

    def made_by(self, part: ProblemPart, label: str) -> object:
        """The class of an algorithm, as its name is resolved. Raises `ConfigError`."""
        chosen = next(a for a in self.config.algorithms if a.label == label)
        search = search_config(self.config, part, chosen, 0)
        return assemble(search, self.base, problem=self.problem_of(part)).algorithm.make

    def check(self) -> dict[str, str]:
        """Check that every run can start; return the hashes of the user's code by file.

        Raises `ConfigError`; evaluates nothing.
        """
        things: list[Any] = []
        with collecting() as found:
            for problem in self.config.problems:
                for label in self.config.labels:
                    parts = self.assemble(problem, label, self.config.seeds[0])
                    Plan.make(parts.problem, parts.algorithm, parts.algorithm_settings, parts.loop, None)
                    things += [*measuring(parts.problem), parts.algorithm.make]
        return code_of([*things, *found], self.base)


@lru_cache(maxsize=4)
def _problem(text: str) -> Problem:
    values, base = read_json(text)
    from nas.config.schema import check_config

    problem = make_problem(check_config(values), Path(base))
    try:
        return settled(problem)
    except DataError:  # a training run raises it again; a report needs no data
        return problem


def summary_of(folder: Path) -> dict[str, Any]:
    """The summary of a finished run; empty before."""
    try:
        found = read_json((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def carry_out(comparison: Comparison, key: RunKey, callbacks: Sequence[AnyCallback] = ()) -> dict[str, float]:
    """Make or continue a run and return its number of evaluations.

    Raises as `nas.search`, and `KeyboardInterrupt` if interrupted; the next call continues it.
    """
    part, folder = comparison.config.problem(key.problem), comparison.folder(key)
    check_no_links(folder, comparison.out)
    spec = comparison.assemble(part, key.algorithm, key.seed)
    result = run(
        replace(
            spec,
            out=folder,
            resume=asked(folder),
            keep_weights=False,
            callbacks=callbacks,
            plots=False,
            record=None,
            accept_changed_code=True,  # checked by the comparison for all runs
        )
    )
    if result.state == "interrupted":
        raise KeyboardInterrupt
    return {"evaluations": float(result.summary["evaluations"])}


@dataclass(frozen=True)
class CarryOut:
    """An evaluator whose trials are runs, for use with any executor."""

    comparison: Comparison
    keys: tuple[RunKey, ...]

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        """Make the run with the trial's number."""
        key = self.keys[trial.id]
        try:
            return carry_out(self.comparison, key)
        except HistoryError as error:
            folder = self.comparison.folder(key)
            raise EvaluationError(f"{error} (to restart this run, remove {folder})") from error
