"""End what candidates that ran in this process left behind, so that the command ends when its work is done."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time

_EVALUATES = ("nas.executors.serial", "nas.executors.simulated")  # loaded where candidates may have run here


class Leftovers:
    """Threads and child processes that begin after this was made.

    On Ray they end with the worker. In one process a thread that is no daemon, or a child of `multiprocessing`, would keep the
    command from ending for as long as it runs, and other children would outlive it.
    """

    def __init__(self) -> None:
        self._begun = time.time()
        self._threads = set(threading.enumerate())

    def end(self) -> None:
        """Name them on the error stream and end them; with a thread among them this process, with its exit code."""
        if not any(name in sys.modules for name in _EVALUATES):
            return
        threads = [t for t in threading.enumerate() if t not in self._threads and not t.daemon]
        children = self._end_children()
        names = [f"the thread {t.name!r}" for t in threads] + [f"process {pid}" for pid in children]
        if names:
            with contextlib.suppress(OSError, ValueError):
                print(f"Ended what candidates left running: {', '.join(names)}.", file=sys.stderr)
        if threads:  # which nothing can end but the end of the process
            code = _exit_code(sys.exc_info()[1])
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
            os._exit(code)

    def _end_children(self) -> list[int]:
        import psutil

        ended = []
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    helper = any("resource_tracker" in part for part in child.cmdline())
                    zombie = child.status() == psutil.STATUS_ZOMBIE
                    if child.create_time() >= self._begun - 0.1 and not helper and not zombie:
                        child.kill()
                        ended.append(child.pid)
        return ended


def _exit_code(error: BaseException | None) -> int:
    """What the process would exit with after this exception (None: none)."""
    if error is None:
        return 0
    code = error.code if isinstance(error, SystemExit) else 1
    return 0 if code is None else code if isinstance(code, int) else 1
