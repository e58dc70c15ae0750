"""End what candidates that ran in this process left behind, so that the command ends when its work is done."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
from pathlib import Path

from nas.core.text import printable

_EVALUATES = ("nas.executors.serial", "nas.executors.simulated")  # loaded where candidates may have run here
_GRACE_S = 2.0
_CLOCK_S = 2.0  # by which the system's time of a process's beginning may be wrong


class Leftovers:
    """Threads and child processes that begin after this was made.

    On Ray they end with the worker. In one process a thread that is no daemon, or a child of `multiprocessing`, would keep the
    command from ending for as long as it runs, and other children would outlive it.
    """

    def __init__(self) -> None:
        self._begun = time.time()
        self._threads = set(threading.enumerate())
        self._children = _children_now()

    def end(self) -> None:
        """Name them on the error stream and end them; with a thread among them this process, with its exit code."""
        if not any(name in sys.modules for name in _EVALUATES):
            return
        threads = self._threads_left()
        children = self._end_children()
        names = [f"the thread {t.name!r}" for t in threads] + [f"process {pid}" for pid in children]
        if names:
            with contextlib.suppress(OSError, ValueError):
                print(printable(f"Ended what candidates left running: {', '.join(names)}."), file=sys.stderr)
        if threads:  # which nothing can end but the end of the process
            code = _exit_code(sys.exc_info()[1])
            atexit._run_exitfuncs()
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
            os._exit(code)

    def _threads_left(self) -> list[threading.Thread]:
        """Those that would hold up the end, and do not end by themselves in a moment; the interpreter ends those of pools."""
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
                if child.pid not in self._children and child.create_time() >= self._begun - _CLOCK_S:
                    for process in [child, *child.children(recursive=True)]:
                        with contextlib.suppress(psutil.Error):
                            helper = any("resource_tracker" in part for part in process.cmdline())
                            if not helper and process.status() != psutil.STATUS_ZOMBIE:
                                process.kill()
                                ended.append(process.pid)
        return ended


def _children_now() -> frozenset[int]:
    """The children that this process has from before, as after `exec` in a shell; none where the system does not tell."""
    try:
        text = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text(encoding="ascii")
    except OSError:
        return frozenset()
    return frozenset(map(int, text.split()))


def _exit_code(error: BaseException | None) -> int:
    """What the process would exit with after this exception (None: none)."""
    if error is None:
        return 0
    code = error.code if isinstance(error, SystemExit) else 1
    return 0 if code is None else code if isinstance(code, int) else 1
