"""Do something again and again while the process is busy elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Every:
    """Calls `act` every so many seconds on a thread of its own, from `start` to `stop`; what it raises ends that."""

    def __init__(self, seconds: float, act: Callable[[], object]) -> None:
        self._seconds = seconds
        self._act = act
        self._stopped = threading.Event()
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
            self._act()
