"""One kept connection for each device in each process, for one thread at a time; ended when the process ends."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from nas.deployment.connection import Connection


class KeptConnection:
    """The connection of one device, made on first use."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._connection: Connection | None = None

    def get(self, make: Callable[[], Connection]) -> Connection:
        """The connection, made again if its process has ended in the meantime."""
        if self._connection is not None and self._connection.has_ended:
            self.end()
        if self._connection is None:
            self._connection = make()
        return self._connection

    def end(self) -> None:
        """End the connection; the next `get` makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.end()

    def leave_to_parent(self) -> None:
        """After a fork: close this process's copies of the pipes."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close_pipes()
            _OF_PARENT.append(connection)  # or its collection would look for a child of another process


_KEPT: dict[Hashable, KeptConnection] = {}
_LOCK = threading.Lock()
_OF_PARENT: list[Connection] = []


@contextmanager
def kept_connection(device: Hashable) -> Iterator[KeptConnection]:
    """The device's connection in this process, while no other thread uses it."""
    with _LOCK:
        kept = _KEPT.setdefault(device, KeptConnection())
    with kept.lock:
        yield kept


def end_connections() -> None:
    """End all connections of this process."""
    for kept in list(_KEPT.values()):
        kept.end()


def _after_fork() -> None:
    global _LOCK
    _LOCK = threading.Lock()  # another thread may have held it
    for kept in _KEPT.values():
        kept.leave_to_parent()
    _KEPT.clear()


atexit.register(end_connections)
os.register_at_fork(after_in_child=_after_fork)
