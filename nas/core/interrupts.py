"""Tell Ctrl-C, and other signals that end a program, from the same exceptions raised by somebody's code."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)
_open: list[InterruptWatch] = []  # those that watch now, in the main thread


class InterruptWatch:
    """While it is open, `arrived` tells whether a signal interrupted this thread.

    Python turns a signal into an exception in the main thread, by calling the signal's handler there. Each handler is
    called as before, and noted if it raises. In any other thread no signal arrives, so a KeyboardInterrupt there was
    raised by the code that runs there.
    """

    def __init__(self) -> None:
        self.arrived = False
        self._handlers: list[tuple[int, Any, Any]] = []  # of each signal: its own handler, ours

    def __enter__(self) -> InterruptWatch:
        if threading.current_thread() is threading.main_thread():
            with contextlib.suppress(ValueError):  # not the main interpreter
                for number in _SIGNALS:
                    own = signal.getsignal(number)
                    if callable(own):
                        ours = self._noting(own)
                        signal.signal(number, ours)
                        self._handlers.append((number, own, ours))
                _open.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self in _open:
            _open.remove(self)
        for number, own, ours in reversed(self._handlers):
            if signal.getsignal(number) is ours:
                signal.signal(number, own)
        self._handlers.clear()

    def _noting(self, own: Callable[[int, FrameType | None], Any]) -> Callable[[int, FrameType | None], Any]:
        def handle(number: int, frame: FrameType | None) -> Any:
            try:
                return own(number, frame)
            except BaseException:
                self.arrived = True
                raise

        return handle


def is_interrupt(error: BaseException) -> bool:
    """Whether an exception ends the program from outside: by a signal, or, where nobody watches, KeyboardInterrupt."""
    kind = type(error)  # not isinstance, which asks the object itself for its class
    if issubclass(kind, Exception) or threading.current_thread() is not threading.main_thread():
        return False
    return any(watch.arrived for watch in _open) if _open else issubclass(kind, KeyboardInterrupt)
