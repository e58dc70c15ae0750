"""Callbacks: the interface, and a dispatcher that survives their errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nas.core.errors import ConfigError
from nas.core.interrupts import is_interrupt
from nas.core.leftovers import children_stay
from nas.core.records import Result, Trial
from nas.core.text import class_name
from nas.core.tracebacks import summarize_exception

if TYPE_CHECKING:
    from nas.engine.search_state import SearchState

_LOG = logging.getLogger(__name__)


class Callback:
    """Observes a search. Override the methods you need; the defaults do nothing.

    Methods run in the search's process and on its thread, so the search waits for them. Read the state; do not change it.
    An exception is logged once, as a warning, and the search continues; KeyboardInterrupt, as from Ctrl-C, ends the search
    cleanly.
    """

    def begin(self, state: SearchState) -> None:
        """Called before the first ask. On resume the state already holds the earlier sessions' results."""

    def asked(self, state: SearchState, trial: Trial) -> None:
        """Called when a trial was handed to the workers (or ruled out at once by a limit)."""

    def told(self, state: SearchState, result: Result) -> None:
        """Called when a result was recorded and passed to the algorithm, in the order of `state.results`, failures included."""

    def waiting(self, state: SearchState) -> None:
        """Called about twice a second while no result arrives, if the executor runs trials outside this process."""

    def end(self, state: SearchState, outcome: str) -> None:
        """Called last, after the files of the run are written.

        `outcome` is the state of summary.json: finished, exhausted, interrupted or stopped (by an error).
        """


AnyCallback = Callback | Callable[["SearchState"], None]


class FunctionCallback(Callback):
    """A function of the state, called at the beginning, after each result, and while none arrives."""

    def __init__(self, look: Callable[[SearchState], None]) -> None:
        self._look = look

    def begin(self, state: SearchState) -> None:
        """Call the function."""
        self._look(state)

    def told(self, state: SearchState, result: Result) -> None:
        """Call the function."""
        self._look(state)

    def waiting(self, state: SearchState) -> None:
        """Call the function."""
        self._look(state)


def as_callback(given: AnyCallback) -> Callback:
    """Convert a function of the state to a callback; return a callback unchanged. Raises `ConfigError` for anything else."""
    if isinstance(given, Callback):
        return given
    if callable(given) and not isinstance(given, type):
        return FunctionCallback(given)
    what = f"the class {given.__name__}; call it" if isinstance(given, type) else type(given).__name__
    raise ConfigError(
        f"callbacks: expected nas.Callback objects, or functions of the search's state, got {what}"
    )


class Callbacks:
    """Calls several callbacks; their errors do not end the search."""

    def __init__(self, callbacks: Sequence[AnyCallback]) -> None:
        self._all = tuple(map(as_callback, callbacks))
        self._begun = False
        self._reported: set[int] = set()  # positions of callbacks whose first error was logged

    def begin(self, state: SearchState) -> None:
        """See `Callback.begin`."""
        self._begun = True
        self._each(lambda callback: callback.begin(state))

    def asked(self, state: SearchState, trial: Trial) -> None:
        """See `Callback.asked`."""
        self._each(lambda callback: callback.asked(state, trial))

    def told(self, state: SearchState, result: Result) -> None:
        """See `Callback.told`."""
        self._each(lambda callback: callback.told(state, result))

    def waiting(self, state: SearchState) -> None:
        """See `Callback.waiting`."""
        self._each(lambda callback: callback.waiting(state))

    def end(self, state: SearchState, outcome: str) -> None:
        """See `Callback.end`; does nothing if the search did not begin."""
        if self._begun:
            self._each(lambda callback: callback.end(state, outcome))

    def _each(self, call: Callable[[Callback], None]) -> None:
        for place, callback in enumerate(self._all):
            try:
                with children_stay():
                    call(callback)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt) or is_interrupt(error):
                    raise
                self._report(place, callback, error)

    def _report(self, place: int, callback: Callback, error: BaseException) -> None:
        if place not in self._reported:
            self._reported.add(place)
            _LOG.warning(
                "callback %s: %s; the search continues, and further errors of this callback are not shown",
                class_name(callback),
                summarize_exception(error),
            )
