"""A thread that keeps a list of runs up to date while pages ask for it."""

from __future__ import annotations

import logging
import threading
import time

from nas.dashboard.listing import RunList

_EVERY_S = 1.0
_SWEEP_S = 2.0  # between two looks at all runs, at least
_SHARE = 20  # a look at all runs follows after this many times its duration, so that a shared disk has little to do
_PATIENCE_S = 15.0  # without a request for this long, nothing is read
_SLICE_S = 1.0  # reading of new runs before others are looked at again
_LOG = logging.getLogger(__name__)


class Watcher:
    """Context manager that refreshes a list about once a second, and rests when `asked` is not called for a while."""

    def __init__(self, runs: RunList) -> None:
        self._runs = runs
        self._stopped = threading.Event()
        self._wanted = threading.Event()
        self._last = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="nas-dashboard", daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._wanted.set()
        self._thread.join(timeout=5.0)

    def asked(self) -> None:
        """Note that somebody looks at the list."""
        self._last = time.monotonic()
        self._wanted.set()

    def _work(self) -> None:
        due = 0.0
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                if began >= due:
                    complete = self._runs.refresh(_SLICE_S)
                    ended = time.monotonic()
                    due = ended + max(_SWEEP_S, _SHARE * (ended - began)) if complete else 0.0
                else:
                    self._runs.refresh_live()
            except OSError as error:  # such as a share that is away for a while
                _LOG.debug("dashboard: %s", error)
                due = time.monotonic() + _SWEEP_S
            if due:
                self._stopped.wait(_EVERY_S)
            if time.monotonic() - self._last > _PATIENCE_S:
                self._wanted.clear()
                self._wanted.wait()
