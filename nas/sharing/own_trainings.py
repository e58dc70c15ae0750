"""The candidates of a search by inherited values that are trained themselves, and what their trainings say about these values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from nas.core.records import Architecture, FloatArray, Result
from nas.core.rungs import Observed
from nas.core.text import counted
from nas.pareto.indicators import pareto_ranks
from nas.pareto.subset import spread_subset
from nas.sharing.agreement import Agreement, Measured, agreement
from nas.sharing.settings import LEAST, FinalSettings, TrustSettings
from nas.training.data.account import NOTICES

_SHARE = 4  # at most one evaluation in four is of each kind
_FEWEST = 3  # trainings at the end, however short the time is


class OwnTrainings:
    """The rule of a search by inherited values, budget 0, with own trainings, budget `epochs`; see `nas.core.rungs.FinishingRule`.

    After some evaluations it trains a few candidates, spread evenly over the order of the multiply-adds of those that cost as much as the front. Their
    inherited errors are not selected, so that they show how well these rank networks. If neither errors nor losses add enough to the costs, as many again are trained,
    and if that remains, new candidates start with their own training (`start` 1). At the end it trains the best by inherited errors and losses: those that add the most hypervolume.

    `costs` returns parameters and multiply-adds, or one of them, of an architecture.
    """

    def __init__(
        self,
        epochs: int,
        final: FinalSettings,
        trust: TrustSettings | None,
        costs: Callable[[Architecture], tuple[float, ...]],
        evaluations: int | None = None,
        seconds: float | None = None,
    ) -> None:
        most = 10**9 if evaluations is None else evaluations // _SHARE
        self.epochs = epochs
        self.finals = min(final.networks, most)
        self.probes = 0 if trust is None else min(trust.networks, most)
        self.probes *= self.probes >= LEAST
        self.after = 0 if trust is None else min(trust.after, most)
        self.threshold = -1.0 if trust is None else trust.threshold
        self._costs = costs
        self._inherited: dict[Architecture, Mapping[str, float]] = {}
        self._own: dict[Architecture, Mapping[str, float]] = {}
        self._most = most
        self._left = int(self.probes > 0)  # times that candidates are chosen to measure the trust
        self._unselected: set[Architecture] = set()  # chosen whatever their inherited values
        self._waiting: set[Architecture] = set()  # probes without a result
        self._seconds: list[float] = []  # of own trainings
        self._limit = seconds  # of the search
        self._workers: set[str | None] = set()
        self._told_unmeasured = False
        self.start = 0

    @property
    def settings(self) -> dict[str, Any]:
        """What a resumed run must have in common."""
        names = ("epochs", "finals", "probes", "after", "threshold")
        return {name: getattr(self, name) for name in names}

    @property
    def budgets(self) -> tuple[float, float]:
        """0, by inherited weights, and the epochs of an own training."""
        return 0.0, float(self.epochs)

    @property
    def reserve(self) -> int:
        """Evaluations that are left for the end, and for the candidates that measure the trust; none where all candidates are trained."""
        return 0 if self.start else self.finals + self._left * self.probes

    @property
    def end_seconds(self) -> float:
        """Expected seconds of the trainings at the end: the median of those before, for each."""
        return (
            self._affordable() * float(np.median(self._seconds)) if self._seconds and not self.start else 0.0
        )

    def _affordable(self) -> int:
        """Trainings at the end: those of the settings, as far as a quarter of the search's time permits."""
        if self._limit is None or not self._seconds:
            return self.finals
        each = float(np.median(self._seconds)) / max(1, len(self._workers))
        return min(self.finals, max(_FEWEST, int(self._limit / _SHARE / max(each, 1e-9))))

    def promote(
        self, rung: int, observed: Observed, promoted: AbstractSet[Architecture]
    ) -> list[Architecture]:
        """The candidates that measure the trust, once or twice."""
        if rung or not self._left or self._waiting or len(observed) < self.after:
            return []
        chosen = self._spread([one for one in observed if one[0] not in promoted])
        self._left -= 1
        self._waiting = set(chosen)
        self._unselected |= self._waiting
        return chosen

    def _spread(self, observed: Observed) -> list[Architecture]:
        sound = [(a, values) for a, values in observed if np.isfinite(values).all()]
        if not sound:
            return []
        ranks = pareto_ranks(np.array([values for _, values in sound]))
        by_cost = sorted((self._costs(a)[-1], a.genes, a) for a, _ in sound)
        on_front = [self._costs(a)[-1] for (a, _), rank in zip(sound, ranks, strict=True) if rank == 0]
        as_front = [a for cost, _, a in by_cost if min(on_front) <= cost <= max(on_front)]
        found = as_front if len(as_front) >= self.probes else [a for _, _, a in by_cost]
        places = np.linspace(0, len(found) - 1, min(self.probes, len(found))).round().astype(int)
        return [found[i] for i in places]

    def in_line(self, observed: Observed, promoted: AbstractSet[Architecture]) -> list[Architecture]:
        """None: inherited weights are those of the supernet."""
        return []

    def finish(self, observed: Observed, promoted: AbstractSet[Architecture]) -> list[Architecture]:
        """The best by inherited values that are not trained yet; none where all candidates are trained."""
        if self.start:
            return []
        if self._left and not self._unselected and not self._told_unmeasured:
            self._told_unmeasured = True
            NOTICES.warning(
                "the trust in inherited errors is not measured: the search ends after %s, and measures it after %d (trust: {after: ...})",
                *(counted(len(observed), "evaluation"), self.after),
            )
        sound = [(a, values) for a, values in observed if np.isfinite(values).all()]
        if not sound:
            return []
        different: dict[tuple[Any, ...], int] = {}  # the first of each function
        for i, (a, _) in enumerate(sound):
            if a in promoted or self._alike(a) not in different:
                different[self._alike(a)] = i
        rows = sorted(different.values())
        taken = [k for k, i in enumerate(rows) if sound[i][0] in promoted]
        found = spread_subset(self._with_losses(sound)[rows], self._affordable(), taken)
        return [sound[rows[k]][0] for k in found]

    def _alike(self, architecture: Architecture) -> tuple[Any, ...]:
        """Equal for networks with the same inherited values and costs: they are the same function, but for what has no effect."""
        values = self._inherited.get(architecture, {})
        same = values.get("inherited_error"), values.get("inherited_loss")
        return (*(same if None not in same else (architecture,)), *self._costs(architecture))

    def _with_losses(self, sound: Observed) -> FloatArray:
        """The objectives (n, m), with the mean of standardised error and loss in place of the error, on its scale: both rank better than one."""
        points = np.array([values for _, values in sound])
        inherited = [self._inherited.get(a, {}) for a, _ in sound]
        error, loss = (
            np.array([v.get(f"inherited_{n}", np.nan) for v in inherited]) for n in ("error", "loss")
        )
        if not np.isfinite(loss).all() or np.ptp(loss) == 0:
            return points
        as_error = error.mean() + (loss - loss.mean()) * error.std() / loss.std()
        for j in range(points.shape[1]):
            if np.ptp(points[:, j] - error) < 1e-9:  # error, or minus accuracy
                points[:, j] += (as_error - error) / 2.0
        return points

    def told(self, result: Result) -> Mapping[str, Any] | None:
        """Take in a result; a new measurement of the trust once the candidates for it are trained, and after each later training."""
        trial = result.trial
        architecture = trial.architecture
        if not trial.budget:
            if result.ok:
                self._inherited[architecture] = result.values
            return None
        if result.ok:
            self._own[architecture] = result.values
            self._seconds.append(result.seconds)
            self._workers.add(result.worker)
        complete = self._waiting == {architecture}
        self._waiting.discard(architecture)
        if self._waiting or not (complete or result.ok):
            return None
        among = self._unselected if complete else None
        found, loss = self.measured("error", among), self.measured("loss", among)
        if found.networks < LEAST:
            if complete:
                NOTICES.warning(
                    "the trust in inherited errors is not measured: %s for it succeeded, and %d are needed; the search goes on with inherited errors",
                    *(counted(found.networks, "own training"), LEAST),
                )
            return None
        return self._note(found, loss, self._decision(found, loss) if complete else "")

    def _decision(self, found: Agreement, loss: Agreement) -> str:
        """Decide with the measurement of all candidates for it, in a sentence."""
        if max(found.partial.value, loss.partial.value) >= self.threshold:
            return "The search goes on with inherited values."
        below = f"Both are below the threshold of {self.threshold:g} given the costs"
        doubtful = max(found.partial.high, loss.partial.high) >= self.threshold
        if doubtful and len(self._unselected) < 2 * self.probes <= self._most:
            self._left += 1  # few networks say little, and a search without inherited values costs much
            return f"{below}: {self.probes} more networks are trained before the decision."
        self.start = 1
        return f"{below}: from here on candidates are trained."

    def measured(self, name: str = "error", among: AbstractSet[Architecture] | None = None) -> Agreement:
        """The agreement of inherited with own values of this name, of all candidates (or those `among` them) with both."""
        both = [a for a in self._own if f"inherited_{name}" in self._values(a)]
        both = [a for a in both if among is None or a in among]
        inherited = np.array([self._values(a)[f"inherited_{name}"] for a in both])
        own = np.array([self._own[a][name] for a in both])
        return agreement(inherited, own, np.array([self._costs(a) for a in both]))

    def _values(self, architecture: Architecture) -> Mapping[str, float]:
        """Inherited values: of an own row, or of the earlier evaluation."""
        return self._inherited.get(architecture, self._own.get(architecture, {}))

    def _note(self, found: Agreement, loss: Agreement, decision: str) -> dict[str, Any]:
        values: dict[str, Any] = {"networks": found.networks, "threshold": self.threshold}
        for name, part in (("tau", found.tau), ("partial", found.partial), ("bias", found.bias)):
            values |= _flat(name, part)
        values |= _flat("loss_tau", loss.tau) | _flat("loss_partial", loss.partial)
        return values | {"trusted": not self.start, "text": self._text(found, loss, decision)}

    def _text(self, found: Agreement, loss: Agreement, decision: str) -> str:
        return decision and (
            f"inherited errors of {found.networks} networks against own trainings of {counted(self.epochs, 'epoch')}: tau {found.tau}, given the costs "
            f"{found.partial}; losses: tau {loss.tau}, given the costs {loss.partial}; bias of the error {found.bias.value:+.1f} points. {decision}"
        )


def _flat(name: str, part: Measured) -> dict[str, float]:
    return {name: part.value, f"{name}_low": part.low, f"{name}_high": part.high}
