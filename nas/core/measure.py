"""The function that workers run for a trial: the evaluator, and the functions of measured objectives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from nas.core.counting import counting
from nas.core.evaluator import Evaluate, HasMeasuredAgain, HasResources
from nas.core.records import Architecture, Trial
from nas.core.space import HasChoices, SearchSpace, with_choices
from nas.core.text import message_of

IGNORED = "_returned"  # after the name of an objective with a function: what the evaluator returned for it
SPREAD = ("low", "high", "unsteady")  # suffixes of the columns beside an unsteady measurement


@runtime_checkable
class HasSpread(Protocol):
    """An objective's function whose measurement may be unsteady, such as a latency."""

    def with_spread(self, name: str, architecture: Architecture) -> Mapping[str, float]:
        """Return the value as `name`; if unsteady, also `name_low`, `name_high` and `name_unsteady` (spread, above 0)."""


@dataclass(frozen=True)
class Measure:
    """The function that workers run: the user's evaluator, then each expensive objective with a function."""

    evaluate: Evaluate | None
    functions: tuple[tuple[str, Callable[[Architecture], float]], ...] = ()
    space: SearchSpace | None = None  # the space whose costs the search reports, where networks are trained
    named: HasChoices | None = None  # the space, where its parameters have names
    by_choices: bool = False  # the evaluator takes the choices, not the trial

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        if self.named is not None:
            trial = replace(trial, choices=self.named.choices(trial.architecture))
        with counting(self.space):
            return self._measured(trial)

    def _measured(self, trial: Trial) -> Mapping[str, float]:
        if self.evaluate is None:
            return self._again(trial, self._of_functions(trial))
        if not self.functions:
            return self._evaluated(trial)
        # functions first: they need no trained network, so their failure costs no training
        before = self._of_functions(trial)
        returned: Any = self._evaluated(trial)
        if not isinstance(returned, Mapping):
            return returned  # type: ignore[no-any-return]  # refused by who called, who names it
        ignored = {f"{name}{IGNORED}": returned[name] for name, _ in self.functions if name in returned}
        return {**returned, **ignored, **self._again(trial, before)}

    def _evaluated(self, trial: Trial) -> Mapping[str, float]:
        evaluate: Any = self.evaluate
        try:
            return evaluate(trial.choices if self.by_choices else trial)  # type: ignore[no-any-return]
        except (TypeError, AttributeError) as error:
            if self.named is None or self.by_choices or "'Trial'" not in message_of(error):
                raise
            text = (
                f"{message_of(error)}; the evaluator received a nas.Trial: name its argument c or choices to receive the "
                "choices, or use trial.choices"
            )
            raise type(error)(text).with_traceback(error.__traceback__) from None

    def _of_functions(self, trial: Trial) -> dict[str, float]:
        values: dict[str, float] = {}
        function: Any
        architecture = with_choices(self.named, trial.architecture)
        for name, function in self.functions:
            if isinstance(function, HasSpread):
                values |= function.with_spread(name, architecture)
            else:
                values[name] = function(architecture)
        return values

    def _again(self, trial: Trial, values: dict[str, float]) -> dict[str, float]:
        """Measure unsteady values once more, when the machine may be quieter; keep the steadier result."""
        function: Any
        for name, function in self.functions:
            if isinstance(function, HasSpread) and f"{name}_unsteady" in values:
                second = function.with_spread(name, with_choices(self.named, trial.architecture))
                if second.get(f"{name}_unsteady", 0.0) < values[f"{name}_unsteady"]:
                    ours = {name, *(f"{name}_{end}" for end in SPREAD)}
                    values = {k: v for k, v in values.items() if k not in ours} | dict(second)
        return values

    def again(self, trial: Trial) -> dict[str, float]:
        """The values of a trial that differ from measurement to measurement, measured once more, by name."""
        found: dict[str, float] = (
            dict(self.evaluate.measured_again(trial)) if isinstance(self.evaluate, HasMeasuredAgain) else {}
        )
        varying = tuple((name, f) for name, f in self.functions if isinstance(f, HasSpread))
        return found | replace(self, functions=varying)._of_functions(trial)

    def resources(self, trial: Trial) -> Mapping[str, float]:
        """The trial's resources according to the user's evaluator; empty if it states none."""
        return self.evaluate.resources(trial) if isinstance(self.evaluate, HasResources) else {}
