"""Where a run stands, in one value: what the live panel, a line of a log and other callbacks show."""

from __future__ import annotations

import time
from dataclasses import dataclass

from nas.engine.work import Work


@dataclass(frozen=True, slots=True)
class Heading:
    """What is searched, how and how far: `evaluations` to make, and `seconds` after which nothing more is asked.

    The time counts once `at_least` evaluations were asked for. The evaluations of a study are not planned: None.
    """

    space: str
    algorithm: str
    seed: int
    evaluations: int | None
    seconds: float | None = None
    out: str = ""
    at_least: int = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """How good the surrogate of an objective is: Kendall's tau with its interval; `text` says the same and more."""

    objective: str
    tau: float
    low: float
    high: float
    reliable: bool
    text: str


@dataclass(frozen=True, slots=True)
class Best:
    """The best value of an objective on the front, in its own unit and direction."""

    objective: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Where a run stands.

    evaluated, failed: trials that came back and were told; those of them without a value. hypervolume: of the
    front, in the box of summary.json (before the initial design is done: of what there is); `curve` holds it over the
    evaluations, at even steps. failures: reasons with their counts, most frequent first. rungs: budgets with
    the results told at each, where there is more than one. workers: what each does, as far as known; `waiting`
    trials were handed out and wait for one. seconds: search time, pauses between sessions left out. rate:
    evaluations a minute, over the last ones. left: seconds, estimated. taken: when this was true (Unix time);
    `ticking` tells whether search time goes on as the wall clock does. last_result: when the last result came (Unix
    time). outcome: how the run ended, as in summary.json; "" while it goes on. trouble: what is wrong with the run or
    with reading it; "" if nothing is.
    """

    heading: Heading
    evaluated: int = 0
    failed: int = 0
    front_size: int = 0
    hypervolume: float = 0.0
    curve: tuple[float, ...] = ()
    best: tuple[Best, ...] = ()
    surrogates: tuple[Judgement, ...] = ()
    failures: tuple[tuple[str, int], ...] = ()
    rungs: tuple[tuple[float, int], ...] = ()
    workers: tuple[Work, ...] = ()
    waiting: int = 0
    seconds: float = 0.0
    rate: float | None = None
    left: float | None = None
    taken: float = 0.0
    ticking: bool = True
    last_result: float | None = None
    outcome: str = ""
    trouble: str = ""

    @property
    def running(self) -> int:
        """Trials under way: on workers, and waiting for one."""
        return self.waiting + sum(work.trial is not None for work in self.workers)

    @property
    def age(self) -> float:
        """Seconds that search time went on since this was taken."""
        return max(0.0, time.time() - self.taken) if self.ticking and not self.outcome else 0.0
