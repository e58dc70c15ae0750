"""The process that speaks with Ray on behalf of a search.

Ray ends, or hangs, a process whose cluster goes away or comes back as another one, and no setting prevents that. So
this process speaks with Ray and gets its trials through a pipe. When it ends for any reason, the search starts another
and sends it the unfinished trials (`nas.executors.ray_link`).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from nas.core.errors import ExecutorError
from nas.executors.address import is_local
from nas.executors.ray_folder import remove_session
from nas.executors.ray_messages import Failed, Lost, Said, Start


class _ToTheSearch(logging.Handler):
    def __init__(self, send: Callable[[Any], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        self._send(Said(record.levelno, record.getMessage()))


def main(descriptor: int) -> None:
    """Run trials until the stop message, or until the other end of the pipe is gone."""
    connection = Connection(descriptor)
    lock = threading.Lock()

    def send(message: Any) -> None:
        with lock, suppress(OSError):  # the search may be gone, which the reading side notices
            connection.send(message)

    start: Start = connection.recv()
    log = logging.getLogger("nas")
    log.addHandler(_ToTheSearch(send))
    log.propagate = False
    try:
        _serve(start, connection, send)
    except ExecutorError as failure:
        send(Failed(str(failure)))


def _serve(start: Start, connection: Connection, send: Callable[[Any], None]) -> None:
    from nas.executors.ray_cluster import open_cluster, prepare_environment

    prepare_environment(is_local(start.settings.address))
    import ray

    from nas.executors.ray_pool import WorkerPool

    try:
        head = open_cluster(start.settings, len(start.packed), start.folder)
        pool = WorkerPool(start, head, _ending_with_the_cluster(send))
        while True:
            try:
                message = connection.recv()
            except EOFError:
                message = None
            if message is None:
                break
            pool.submit(message)
        pool.stop()
    finally:
        ray.shutdown()
        if start.folder is not None:  # the search removes it too, unless it was killed
            remove_session(Path(start.folder))


def _ending_with_the_cluster(send: Callable[[Any], None]) -> Callable[[Any], None]:
    def deliver(message: Any) -> None:
        try:
            send(message)
        finally:
            if isinstance(message, (Lost, Failed)):
                os._exit(3)  # leaving a lost cluster in order may hang, or abort this process after all

    return deliver
