"""Do something again and again while the process is busy elsewhere."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from nas.core.tracebacks import summarize_exception

_LOG = logging.getLogger(__name__)


class RepeatingTimer:
    """Calls `act` every so many seconds on a thread of its own, from `start` to `stop`.

    What it raises is reported the first time, as a warning; the next call comes all the same: nothing ends the thread.
    """

    def __init__(self, seconds: float, act: Callable[[], object]) -> None:
        self._seconds = seconds
        self._act = act
        self._stopped = threading.Event()
        self._reported = False
        self._thread = threading.Thread(target=self._main, name="nas-every", daemon=True)

    def start(self) -> None:
        """Begin to wait for the first time."""
        self._thread.start()

    def stop(self) -> None:
        """Call no more, and wait for a call under way; may be called twice, and before `start`."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _main(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                self._act()
            except BaseException as error:  # SystemExit too would end this thread without a word
                if not self._reported:
                    self._reported = True
                    _LOG.warning("%s; the search goes on", summarize_exception(error))
