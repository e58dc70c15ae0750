"""A periodic call on a background thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from nas.core.tracebacks import summarize_exception

_LOG = logging.getLogger(__name__)


class RepeatingTimer:
    """Calls `act` periodically on its own thread, from `start` to `stop`.

    The first exception is logged as a warning; calls continue regardless.
    """

    def __init__(self, seconds: float, act: Callable[[], object]) -> None:
        self._seconds = seconds
        self._act = act
        self._stopped = threading.Event()
        self._reported = False
        self._thread = threading.Thread(target=self._main, name="nas-every", daemon=True)

    def start(self) -> None:
        """Start the thread; the first call comes after one period."""
        self._thread.start()

    def stop(self) -> None:
        """Stop and wait for a running call; may be called twice, and before `start`."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _main(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                self._act()
            except BaseException as error:  # SystemExit too would end this thread silently
                if not self._reported:
                    self._reported = True
                    _LOG.warning("%s; the search continues", summarize_exception(error))
