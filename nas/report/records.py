"""The description of a report: everything that the page shows, as plain values that become JSON.

Numbers that are not finite are None. Rows are counted from 0 within their run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Number = float | int | None


@dataclass(frozen=True)
class Measure:
    """An objective: how it is called and which way is better; `low` to `high` is what an axis shows at first.

    `limits` are what the searches had to meet, such as `madds <= 600000`.
    """

    name: str
    unit: str
    maximize: bool
    log: bool
    low: float
    high: float
    limits: Sequence[str]


@dataclass(frozen=True)
class Rows:
    """The evaluations that gave values, in the order of telling; every column has one entry a row.

    `values` has a column an objective. `trial` and `order` (counting all evaluations from 1) are None for results
    of an earlier run. `front`, `outside` (of a limit) and `superseded` (measured again later) name rows. `further` has
    what only some runs have, such as `budget`. `left_out` evaluations are not here, to keep the page small, `front_left_out` of them of the front.
    """

    trial: Sequence[int | None]
    order: Sequence[int | None]
    seconds: Sequence[Number]
    architecture: Sequence[str]
    values: Sequence[Sequence[float]]
    front: Sequence[int]
    outside: Sequence[int]
    superseded: Sequence[int]
    further: Mapping[str, Sequence[Number | str]]
    left_out: int
    front_left_out: int


@dataclass(frozen=True)
class Part:
    """One block of a network."""

    kind: str
    text: str
    shape: str
    params: int
    madds: int


@dataclass(frozen=True)
class Network:
    """An architecture to look at; `svg`, `words` and `parts` as far as its space has them. `reported` is what else was measured."""

    row: int
    svg: str
    words: str
    parts: Sequence[Part]
    reported: Mapping[str, float]


@dataclass(frozen=True)
class Networks:
    """The architectures of the front that are drawn; `left_out` of it are not, and `note` says what is missing and why."""

    drawn: Sequence[Network]
    left_out: int
    note: str


@dataclass(frozen=True)
class Curve:
    """Quality over `evaluations` and `seconds` of search; `box` says in words where the hypervolume is measured."""

    evaluations: Sequence[int]
    seconds: Sequence[Number]
    hypervolume: Sequence[Number]
    igd_plus: Sequence[Number]
    box: str


@dataclass(frozen=True)
class Surrogate:
    """How good the predictions of one objective were, over the results `told`; `text` is the latest judgement in words."""

    objective: str
    told: Sequence[int]
    tau: Sequence[Number]
    tau_low: Sequence[Number]
    tau_high: Sequence[Number]
    coverage: Sequence[Number]
    reliable: Sequence[bool]
    chosen: Sequence[str]
    text: str


@dataclass(frozen=True)
class Worker:
    """A lane of the timeline: what ran when, in seconds from the first start, idle gaps cut out.

    Neighbours of one status with no visible gap are one interval: `trials` says how many, `trial` is the first.
    """

    name: str
    start: Sequence[float]
    end: Sequence[float]
    status: Sequence[str]
    trial: Sequence[int]
    trials: Sequence[int]
    count: int
    busy: float


@dataclass(frozen=True)
class Timeline:
    """Who was busy when. `span` is the length in seconds; `cuts` are places where so many idle `seconds` were cut out.

    `left_out` workers, those that ran least, are not here.
    """

    workers: Sequence[Worker]
    span: float
    cuts: Sequence[tuple[float, float]]
    left_out: int
    virtual: bool


@dataclass(frozen=True)
class Failure:
    """Evaluations that failed for one reason (numbers in it aside), with an example."""

    status: str
    count: int
    reason: str
    trial: int
    architecture: str
    details: str


@dataclass(frozen=True)
class Command:
    """Something to do next. `before` + `word` + `after` is the command; `{}` in the word is where an architecture goes."""

    what: str
    before: str
    word: str = ""
    after: str = ""


@dataclass(frozen=True)
class Run:
    """One search, `seconds` long: `facts` are labels and texts, `commands` are about the run, `picks` about one architecture of it."""

    name: str
    state: str
    facts: Sequence[tuple[str, str]]
    seconds: float
    rows: Rows
    knee: int | None
    networks: Networks
    curve: Curve | None
    surrogates: Sequence[Surrogate]
    timeline: Timeline | None
    failures: Sequence[Failure]
    commands: Sequence[Command]
    picks: Sequence[Command]
    config: str
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Report:
    """The whole page."""

    title: str
    made: str
    measures: Sequence[Measure]
    runs: Sequence[Run]
    notes: Sequence[str]
