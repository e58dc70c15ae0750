"""Distinguish Ctrl-C and other terminating signals from the same exceptions raised by user code."""

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
_open: list[InterruptWatch] = []  # active watches, in the main thread


class InterruptWatch:
    """While open, `arrived` records whether a signal interrupted this thread.

    Python calls signal handlers in the main thread, where they raise exceptions. The watch calls each handler as before and
    records whether it raises. Other threads receive no signals, so a KeyboardInterrupt there comes from their own code.
    """

    def __init__(self) -> None:
        self.arrived = False
        self._handlers: list[tuple[int, Any, Any]] = []  # signal number, previous handler, ours

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


def note_interrupt() -> None:
    """Tell the open watches that a signal arrived; for a handler that was set while they are open, before it raises."""
    for watch in _open:
        watch.arrived = True


def is_interrupt(error: BaseException) -> bool:
    """Whether an exception terminates the program: by a signal, or as a KeyboardInterrupt where no watch is open."""
    kind = type(error)  # isinstance would ask the object for its class
    if issubclass(kind, Exception) or threading.current_thread() is not threading.main_thread():
        return False
    return any(watch.arrived for watch in _open) if _open else issubclass(kind, KeyboardInterrupt)
