"""End threads and processes that candidates left running in this process, so that the command can exit."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from nas.core.text import printable

_EVALUATES = ("nas.executors.serial", "nas.executors.simulated")  # loaded if candidates may have run here
_GRACE_S = 2.0
_CLOCK_S = 2.0  # possible error of a process's start time
_kept: set[int] = set()  # children that callbacks started, such as the service of Weights & Biases


@contextlib.contextmanager
def children_stay() -> Iterator[None]:
    """Children that this thread starts within are not leftovers of candidates; they end by themselves."""
    before = _children_now()
    try:
        yield
    finally:
        _kept.update(_children_now() - before)


class Leftovers:
    """Threads and child processes that start after this object.

    On Ray they end with the worker. In one process a non-daemon thread, or a child of `multiprocessing`, delays the exit of
    the command, and other children outlive it.
    """

    def __init__(self) -> None:
        self._begun = time.time()
        self._threads = set(threading.enumerate())
        self._children = _children_now()

    def end(self) -> None:
        """Print their names on the error stream and end them; if a thread is among them, exit this process."""
        if not any(name in sys.modules for name in _EVALUATES):
            return
        threads = self._threads_left()
        children = self._end_children()
        names = [f"the thread {t.name!r}" for t in threads] + [f"process {pid}" for pid in children]
        if names:
            with contextlib.suppress(OSError, ValueError):
                print(printable(f"Ended leftovers of candidates: {', '.join(names)}."), file=sys.stderr)
        if threads:  # a thread ends only with its process
            code = _exit_code(sys.exc_info()[1])
            atexit._run_exitfuncs()
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
            os._exit(code)

    def _threads_left(self) -> list[threading.Thread]:
        """Threads that delay the exit and do not end soon; the interpreter ends the threads of pools."""
        give_up = time.monotonic() + _GRACE_S
        left = []
        for thread in threading.enumerate():
            target = getattr(thread, "_target", None)
            of_a_pool = getattr(target, "__module__", "") == "concurrent.futures.thread"
            if thread not in self._threads and not thread.daemon and not of_a_pool:
                thread.join(max(0.0, give_up - time.monotonic()))
                if thread.is_alive():
                    left.append(thread)
        return left

    def _end_children(self) -> list[int]:
        import psutil

        ended = []
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process().children():
                if child.pid not in self._children | _kept and child.create_time() >= self._begun - _CLOCK_S:
                    for process in [child, *child.children(recursive=True)]:
                        with contextlib.suppress(psutil.Error):
                            helper = any("resource_tracker" in part for part in process.cmdline())
                            if not helper and process.status() != psutil.STATUS_ZOMBIE:
                                process.kill()
                                ended.append(process.pid)
        return ended


def _children_now() -> frozenset[int]:
    """The children of this process at this moment, such as after `exec` in a shell; empty if the system hides them."""
    try:
        text = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text(encoding="ascii")
    except OSError:
        return frozenset()
    return frozenset(map(int, text.split()))


def _exit_code(error: BaseException | None) -> int:
    """The exit code of the process after this exception (None: none)."""
    if error is None:
        return 0
    code = error.code if isinstance(error, SystemExit) else 1
    return 0 if code is None else code if isinstance(code, int) else 1
