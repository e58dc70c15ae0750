"""The status of a run in one value, for the live panel, log lines and other callbacks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from nas.engine.work import Work
from nas.runs.sharing_quality import SharingQuality


@dataclass(frozen=True, slots=True)
class Heading:
    """The space, algorithm and budget of a run: `evaluations`, and `seconds` after which nothing more is asked.

    The time limit applies once `at_least` evaluations were asked for. `evaluations` is None for a study.
    """

    space: str
    algorithm: str
    seed: int
    evaluations: int | None
    seconds: float | None = None
    out: str = ""
    at_least: int = 0
    original: Mapping[str, float] = field(default_factory=dict)  # values of the network that the run shrinks


@dataclass(frozen=True, slots=True)
class Judgement:
    """Quality of an objective's surrogate: Kendall's tau with its interval; `text` is a longer summary."""

    objective: str
    tau: float
    low: float
    high: float
    reliable: bool
    text: str


@dataclass(frozen=True, slots=True)
class Best:
    """The best value of an objective on the front, in the objective's unit and direction; `expected` for a noisy one."""

    objective: str
    value: float
    unit: str
    expected: bool = False


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The status of a run.

    evaluated, failed: results passed to the algorithm; failures among them. hypervolume: of the front, in the box of
    summary.json (before the initial design is done: in the box of all results); `curve` has it over the evaluations, at
    even steps. sharing: how well inherited errors agree with own trainings, with the sentence of the decision, of a search by
    inherited weights. failures: reasons with their counts, most frequent first. rungs: budgets with their numbers of results,
    if there are several. workers: the trial of each, as far as known; `waiting` trials wait for a worker. trains: whether
    trials train networks. checked: architectures whose exact values were computed, where these take long (0: elsewhere). seconds:
    search time without pauses between sessions. rate: evaluations per minute, over the last ones. left: estimated
    seconds. taken: time of this status (Unix time); `ticking` is whether search time follows the wall clock.
    last_result: time of the last result (Unix time). outcome: how the run ended, as in summary.json; "" while it runs.
    trouble: a problem with the run or with reading it; "" if none. crashed: the search ended without finishing the run, or sends no heartbeat.
    """

    heading: Heading
    evaluated: int = 0
    failed: int = 0
    front_size: int = 0
    hypervolume: float = 0.0
    curve: tuple[float, ...] = ()
    best: tuple[Best, ...] = ()
    surrogates: tuple[Judgement, ...] = ()
    sharing: SharingQuality | None = None
    failures: tuple[tuple[str, int], ...] = ()
    rungs: tuple[tuple[float, int], ...] = ()
    workers: tuple[Work, ...] = ()
    waiting: int = 0
    trains: bool = False
    checked: int = 0
    seconds: float = 0.0
    rate: float | None = None
    left: float | None = None
    taken: float = 0.0
    ticking: bool = True
    last_result: float | None = None
    outcome: str = ""
    trouble: str = ""
    crashed: bool = False

    @property
    def running(self) -> int:
        """Trials under way: on workers, and waiting for one."""
        return self.waiting + sum(work.trial is not None for work in self.workers)

    @property
    def age(self) -> float:
        """Search time passed since this status was taken, in seconds."""
        return max(0.0, time.time() - self.taken) if self.ticking and not self.outcome else 0.0
