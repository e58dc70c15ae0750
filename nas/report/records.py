"""The description of a report: the content of the page as plain values for JSON.

Numbers that are not finite are None. Rows count from 0 within their run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nas.runs.parameters import Cell
from nas.runs.repeated import Repeated

Number = float | int | None


@dataclass(frozen=True)
class Parameter:
    """The values of one parameter over the rows: its different `cells`, and the place of each row's among them.

    `rows` is a text with one sign of `nas.report.rows.SIGNS` a row, or with more cells than signs a list of numbers.
    """

    name: str
    cells: Sequence[Cell]
    rows: str | Sequence[int]


@dataclass(frozen=True)
class Measure:
    """An objective: its name and better direction; `low` to `high` is the initial range of an axis.

    `limits` are those of the searches, such as `madds <= 600000`.
    """

    name: str
    unit: str
    maximize: bool
    log: bool
    low: float
    high: float
    limits: Sequence[str]


@dataclass(frozen=True)
class Noisy:
    """Beside the expected values of objective number `objective`: the measured ones and the 90% interval, one entry per row.

    The ends are None where a row has no expected value; its value is then the measured one.
    """

    objective: int
    measured: Sequence[Number]
    low: Sequence[Number]
    high: Sequence[Number]


@dataclass(frozen=True)
class Rows:
    """The evaluations with values, in result order; every column has one entry per row.

    `values` has one column per objective, of a noisy one the expected values, with its other columns in `noisy`. `trial` and `order` (counting all evaluations from 1) are None for results
    of an earlier run. `front`, `outside` (of a limit), `superseded` (measured again later) and `unrated` (not compared, for want of
    an expected value, or at a lower budget than the front) are row numbers. `further`
    has columns of some runs, such as `budget`, `parameters` those of the space by name. `left_out` evaluations are omitted to keep the page small,
    `front_left_out` of them on the front.
    """

    trial: Sequence[int | None]
    order: Sequence[int | None]
    seconds: Sequence[Number]
    architecture: Sequence[str]
    values: Sequence[Sequence[float]]
    front: Sequence[int]
    outside: Sequence[int]
    superseded: Sequence[int]
    unrated: Sequence[int]
    noisy: Sequence[Noisy]
    further: Mapping[str, Sequence[Number | str]]
    parameters: Sequence[Parameter]
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
    """An architecture to view; `svg`, `words` and `parts` if its space has them. `reported` are other measured values."""

    row: int
    svg: str
    words: str
    parts: Sequence[Part]
    reported: Mapping[str, float]


@dataclass(frozen=True)
class Networks:
    """The drawn architectures of the front; `left_out` are not drawn, and `note` gives the reason."""

    drawn: Sequence[Network]
    left_out: int
    note: str


@dataclass(frozen=True)
class Curve:
    """Quality over `evaluations` and `seconds` of search; `box` describes the box of the hypervolume."""

    evaluations: Sequence[int]
    seconds: Sequence[Number]
    hypervolume: Sequence[Number]
    igd_plus: Sequence[Number]
    box: str


@dataclass(frozen=True)
class Surrogate:
    """Quality of the predictions of one objective, over the number of results `told`; `text` is the latest report."""

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
class Importance:
    """Importance of the parameters for one objective, the largest first: shares of the variance with 90% intervals.

    `explained` is the share of the variance predicted on held-out results, by the surrogate `model`. With a `reason` there
    are none. `left_out` parameters, the least important, are omitted.
    """

    objective: str
    parameters: Sequence[str] = ()
    share: Sequence[Number] = ()
    low: Sequence[Number] = ()
    high: Sequence[Number] = ()
    left_out: int = 0
    results: int = 0
    model: str = ""
    explained: Number = None
    reason: str = ""


@dataclass(frozen=True)
class SharingStage:
    """Agreement of inherited and own values of `networks` networks at a moment `name`, one entry per measure of `Sharing`."""

    name: str
    networks: int
    value: Sequence[Number]
    low: Sequence[Number]
    high: Sequence[Number]


@dataclass(frozen=True)
class Sharing:
    """How well inherited errors agree with own trainings: `text` is the sentence of the decision, "" without one.

    `measures` are the names of the entries of each stage. `architecture`, `inherited`, `own` (percent) and `cost` have one entry per
    network with both errors; `decided` are the numbers of those by which the search decided. `of_cost` is "" without a cost.
    """

    text: str
    trusted: bool
    measures: Sequence[str]
    stages: Sequence[SharingStage]
    architecture: Sequence[str]
    inherited: Sequence[Number]
    own: Sequence[Number]
    cost: Sequence[Number]
    of_cost: str
    unit: str
    decided: Sequence[int]


@dataclass(frozen=True)
class Worker:
    """A lane of the timeline: intervals in seconds from the first start, without idle gaps.

    Neighbours of equal status without a visible gap form one interval: `trials` is their number, `trial` the first.
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
    """The busy times of the workers. `span` is the length in seconds; `cuts` are positions and lengths of removed idle time.

    `left_out` workers, the least busy ones, are omitted.
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
class Baselines:
    """Networks trained for comparison with the front, one entry a network: `answer` is the comparison in sentences.

    `values` has one column per objective of the page, None where a network has no value; `verdict` is that of the front, or the reason why it was
    not trained. `free` are the numbers of those within the limits that the front does not dominate.
    """

    answer: str
    network: Sequence[str]
    values: Sequence[Sequence[Number]]
    verdict: Sequence[str]
    free: Sequence[int]


@dataclass(frozen=True)
class Command:
    """A command to run next: `before` + `word` + `after`; `{}` in the word stands for an architecture."""

    what: str
    before: str
    word: str = ""
    after: str = ""


@dataclass(frozen=True)
class Run:
    """One search, `seconds` long: `facts` are labels and texts, `commands` are for the run, `picks` for one architecture."""

    name: str
    state: str
    facts: Sequence[tuple[str, str]]
    seconds: float
    rows: Rows
    knee: int | None
    networks: Networks
    curve: Curve | None
    surrogates: Sequence[Surrogate]
    sharing: Sharing | None
    repeated: Sequence[Repeated]
    baselines: Baselines | None
    importances: Sequence[Importance]
    timeline: Timeline | None
    failures: Sequence[Failure]
    commands: Sequence[Command]
    picks: Sequence[Command]
    config: str
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Report:
    """The page; `result` is one sentence, "" for runs that cannot be compared yet."""

    title: str
    result: str
    made: str
    measures: Sequence[Measure]
    runs: Sequence[Run]
    notes: Sequence[str]
