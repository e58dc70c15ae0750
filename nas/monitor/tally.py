"""Running totals of a run, updated result by result, for a search under way and for its log."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from nas.core.objectives import Limit, Objective
from nas.core.records import FloatArray, Note, Status
from nas.engine.work import Work
from nas.monitor.records import Best, Heading, Judgement, RunStatus
from nas.pareto.indicators import Box
from nas.runs.failures import first_line, kind_of
from nas.runs.fold import Fold
from nas.runs.notes import SURROGATE
from nas.runs.sharing_quality import SharingQuality, decision, sharing_qualities

_Key = tuple[Hashable, float | None]  # an architecture and a budget


@dataclass(frozen=True, slots=True)
class Told:
    """A result passed to the algorithm: `point` (m,) is minimised, None unless ok; `seconds` is search time, None if unknown."""

    key: Hashable  # identifies the architecture
    budget: float | None
    point: FloatArray | None
    status: str
    error: str = ""
    seconds: float | None = None


@dataclass(frozen=True)
class Expected:
    """Expected values of the objectives `columns`, minimised, by architecture; all of one `budget` (0: the default; None: unknown)."""

    columns: Sequence[int]
    values: Mapping[Any, FloatArray]
    budget: float | None


class RunTally:
    """The front, its hypervolume, the failures and the pace of a run; the cost per result does not grow with the run.

    Where an objective is noisy, `expect` gives the expected values, and everything about the front is by them: an
    architecture counts with its newest expected value from its result on, and without one not yet.
    """

    RECENT = 50  # newest results that give the pace
    CURVE = 64  # the curve has from this many to twice as many points

    def __init__(
        self,
        heading: Heading,
        objectives: Sequence[Objective],
        limits: Sequence[Limit],
        initial: int,
        *,
        curve: bool = True,
    ) -> None:
        """Without `curve`, the hypervolume is not measured along the run, which takes most of the time."""
        self.heading = heading
        self._objectives = tuple(objectives)
        self._new_fold: Callable[[], Fold[_Key]] = partial(Fold, objectives, limits, initial)
        self._fold: Fold[_Key] = self._new_fold()
        self._points: list[
            tuple[Hashable, float | None, FloatArray] | None
        ] = []  # None for a failed evaluation
        self._before = 0  # of them from a warm start
        self._expected: Expected | None = None
        self._measured_in: Box | None = None  # the box of the curve
        self._evaluated = self._failed = 0
        self._kinds: Counter[tuple[str, str]] = Counter()
        self._examples: dict[tuple[str, str], str] = {}
        self._budgets: Counter[float | None] = Counter()
        self._times: deque[float] = deque(maxlen=self.RECENT + 1)
        self._curve: list[float] = []
        self._has_curve = curve
        self._step = 1  # evaluations between two places of the curve

    def begin_with(self, key: Hashable, budget: float | None, point: FloatArray) -> None:
        """Add a result of a warm start: it may be on the front but is not an evaluation."""
        self._put(key, budget, point)
        self._before += 1

    def take(self, told: Told) -> None:
        """Add the next result."""
        self._budgets[told.budget] += 1
        if told.status == Status.INVALID.value:
            return
        self._evaluated += 1
        if told.seconds is not None:
            self._times.append(told.seconds)
        if told.point is not None:
            self._put(told.key, told.budget, told.point)
        else:
            self._points.append(None)
            self._failed += 1
            kind = kind_of(told.status, told.error)
            self._kinds[kind] += 1
            self._examples.setdefault(kind, _named(told.status, told.error))
        self._draw(self._evaluated)

    def _draw(self, evaluated: int) -> None:
        """Add to the curve after this evaluation."""
        if self._has_curve and evaluated % self._step == 0:
            value = self.hypervolume  # which may bring the curve to another box
            self._curve.append(value)
            if len(self._curve) == 2 * self.CURVE:
                self._curve, self._step = self._curve[1::2], 2 * self._step

    def _put(self, key: Hashable, budget: float | None, point: FloatArray) -> None:
        self._points.append((key, budget, point))
        self._fold_in(key, budget, point)

    def _fold_in(self, key: Hashable, budget: float | None, point: FloatArray) -> None:
        if self._expected is not None:
            values = self._expected.values.get(key)
            if values is None or self._expected.budget not in (None, budget or 0.0):
                return
            point = point.copy()
            point[self._expected.columns] = values
        self._fold.put(key, budget, point, (key, budget))

    def expect(self, expected: Expected) -> None:
        """Use expected values from now on, also for earlier results."""
        self._expected = expected
        self._fold, self._curve, self._step, self._measured_in = self._new_fold(), [], 1, None
        for number, seen in enumerate(self._points, 1 - self._before):
            if seen is not None:
                self._fold_in(*seen)
            if number > 0:
                self._draw(number)

    @property
    def hypervolume(self) -> float:
        """Hypervolume of the front, in the box of summary.json once the initial design is done, before in the box of all results."""
        self._rescale(self._fold.box)
        return self._fold.hypervolume

    @property
    def front(self) -> tuple[list[Hashable], FloatArray]:
        """The architectures on the front, and their points (k, m), minimised."""
        return [key for key, _ in self._fold.front.items], self._fold.front.points.copy()

    def _rescale(self, box: Box | None) -> None:
        """Rescale the curve to a box with a better ideal."""
        before, self._measured_in = self._measured_in, box
        if before is None or box is None or self._fold.design_box is None:
            return
        if not (before.reference == box.reference).all():
            return
        share = float(np.prod((before.reference - before.ideal) / (box.reference - box.ideal)))
        if share != 1.0:
            self._curve = [value * share for value in self._curve]

    def status(
        self,
        seconds: float,
        *,
        workers: Sequence[Work] = (),
        waiting: int = 0,
        trains: bool = False,
        checked: int = 0,
        notes: Sequence[Note] = (),
        ticking: bool = True,
        last_result: float | None = None,
        outcome: str = "",
        trouble: str = "",
    ) -> RunStatus:
        """The status at search time `seconds`; `notes` are the newest on each surrogate, and those on inherited errors: at least the first and the newest."""
        volume = self.hypervolume
        rate = self._rate(seconds)
        return RunStatus(
            self.heading,
            evaluated=self._evaluated,
            failed=self._failed,
            front_size=len(self._fold.front.items),
            hypervolume=volume,
            curve=(*self._curve, volume) if self._evaluated and self._has_curve else (),
            best=self._best(),
            surrogates=tuple(judgement(note.values) for note in notes if note.kind == SURROGATE),
            sharing=_sharing(notes),
            failures=tuple((self._examples[kind], times) for kind, times in self._kinds.most_common()),
            rungs=self._rungs(),
            workers=tuple(workers),
            waiting=waiting,
            trains=trains,
            checked=checked,
            seconds=seconds,
            rate=rate,
            left=None if outcome else self._left(seconds, rate),
            taken=time.time(),
            ticking=ticking,
            last_result=last_result,
            outcome=outcome,
            trouble=trouble,
        )

    def _rate(self, seconds: float) -> float | None:
        """Evaluations a minute since the oldest of the last results; the time since the newest counts, so a halt shows."""
        if len(self._times) < 3:
            return None
        passed = max(seconds, self._times[-1]) - self._times[0]
        return 60.0 * (len(self._times) - 1) / passed if passed > 0 else None

    def _left(self, seconds: float, rate: float | None) -> float | None:
        limit, planned = self.heading.seconds, self.heading.evaluations
        if planned is None:  # a study, which its user ends
            return None
        missing = min(planned, self.heading.at_least) - self._evaluated  # before the limit counts
        if self._evaluated >= planned or (limit is not None and seconds >= limit and missing <= 0):
            return None  # nothing more is asked; running trials end at unknown times
        if rate is None:
            return None if limit is None or seconds >= limit else limit - seconds
        left = 60.0 * (planned - self._evaluated) / rate
        return left if limit is None else min(left, max(limit - seconds, 60.0 * missing / rate))

    def _best(self) -> tuple[Best, ...]:
        points = self._fold.front.points
        if not len(points):
            return ()
        values = points.min(axis=0)
        noisy = () if self._expected is None else self._expected.columns
        return tuple(
            Best(o.name, o.sign * float(v), o.unit, j in noisy)
            for j, (o, v) in enumerate(zip(self._objectives, values, strict=True))
        )

    def _rungs(self) -> tuple[tuple[float, int], ...]:
        known = [(budget, told) for budget, told in self._budgets.items() if budget is not None]
        return tuple(sorted(known)) if len(known) > 1 else ()


def _named(status: str, error: str) -> str:
    """The status and the reason, without repetition."""
    line = first_line(status, error)
    return line if line == status else f"{status}: {line}"


def _sharing(notes: Sequence[Note]) -> SharingQuality | None:
    """The newest quality of inherited errors, with the sentence of the decision."""
    found = sharing_qualities(notes)
    if not found:
        return None
    decided = decision(found)
    return replace(found[-1], text="" if decided is None else decided.text)


def judgement(values: Mapping[str, float | int | str | bool]) -> Judgement:
    """The judgement in a note about a surrogate; missing values are NaN or empty."""
    tau, low, high = (float(values.get(key, np.nan)) for key in ("tau", "tau_low", "tau_high"))
    objective, text = (str(values.get(key, "")) for key in ("objective", "text"))
    return Judgement(objective, tau, low, high, bool(values.get("reliable", True)), text)
