"""Warn once of a value that the evaluator returns for an objective which is measured otherwise."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from nas.core.measure import IGNORED
from nas.core.records import Result
from nas.deployment.wiring import MEASURED
from nas.engine.callbacks import Callback

if TYPE_CHECKING:
    from nas.engine.search_state import SearchState

_LOG = logging.getLogger(__name__)


class IgnoredValues(Callback):
    """Looks for such values until the first warning."""

    def __init__(self) -> None:
        self._warned = False

    def told(self, state: SearchState, result: Result) -> None:
        """Warn where the result has a value that is not used."""
        ignored = [name for name in result.values if name.endswith(IGNORED)]
        if self._warned or not ignored:
            return
        self._warned = True
        name = ignored[0].removesuffix(IGNORED)
        declare = (
            "; or, if the evaluator measures it, list all values that it returns in its attribute reports"
        )
        _LOG.warning(
            "the evaluator returns %s = %g, but the search measures this objective itself (%g): the returned value is not used, and is kept as "
            "%s (logged once). To use it, rename the objective%s",
            *(name, result.values[ignored[0]], result.values.get(name, float("nan")), ignored[0]),
            f"{declare}: evaluate.reports = ['{name}', ...]" if name in MEASURED else "",
        )
