"""The search's end of the pipe to the Ray process: start it, wait for its cluster, end it."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from nas.core.errors import ExecutorError
from nas.executors.address import ADVICE, is_local, refused
from nas.executors.ray_messages import Failed, Lost, Room, Said, Start

_LOG = logging.getLogger(__name__)
_SAY_S = 10.0  # between messages while waiting
_CLOSE_S = 30.0
_WORDS = 64 * 1024  # bytes of the error stream that are read for its last line
_LAUNCH = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from nas.executors.ray_bridge import main; main(int(sys.argv[2]))"
)


class Link:
    """One such process. `send` and `receive` pass messages; `receive` raises `EOFError` when the process has ended."""

    def __init__(self, start: Start, held: Sequence[int] = ()) -> None:
        """`held` are descriptors that the process keeps open."""
        ours, theirs = socket.socketpair()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed in `close`)
        path = json.dumps([os.path.abspath(entry) for entry in sys.path])
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _LAUNCH, path, str(theirs.fileno())],
                pass_fds=[theirs.fileno(), *held],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # Ray prints a paragraph for every worker that dies
                stderr=self._errors,
                start_new_session=True,  # Ctrl-C is for the search, which then ends this process in order
            )
        self._connection = Connection(ours.detach())
        self.send(start)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def send(self, message: Any) -> None:
        """Send a message; if the process has ended it is dropped, and `receive` raises `EOFError`."""
        try:
            self._connection.send(message)
        except OSError as failure:
            _LOG.debug("not sent: %r", failure)

    def receive(self, timeout: float | None = None) -> Any:
        """The next message, or None after `timeout` seconds."""
        try:
            return self._connection.recv() if self._connection.poll(timeout) else None
        except ConnectionResetError:
            raise EOFError from None

    def last_words(self) -> str:
        """The last line that the process wrote on its error stream."""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _WORDS))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:500] if lines else "no reason given"

    def close(self, wait_s: float = _CLOSE_S) -> None:
        """Let the process stop its trials and end; kill it after `wait_s` seconds. May be called twice."""
        self.send(None)
        try:
            self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._connection.close()
        self._errors.close()


def connect(
    start: Start, within_s: float, wanted: Callable[[], bool], *, held: Sequence[int] = ()
) -> tuple[Link, Room]:
    """A process connected to its cluster, and the room on it. It keeps the descriptors in `held` open.

    Waits up to `within_s` seconds for a cluster to join, with occasional log messages. Raises `ExecutorError`: at once
    when waiting cannot help, or when it is no longer `wanted`.
    """
    address = start.settings.address
    give_up, say = time.monotonic() + within_s, time.monotonic()
    while True:
        why = refused(address)
        if why is None:
            found = _try(start, give_up, wanted, held)
            if not isinstance(found, str):
                return found
            why = found
        left = give_up - time.monotonic()
        if left <= 0 or not wanted():
            raise ExecutorError(
                f"no Ray cluster answers at {address}: {why} (waited {within_s:g} s). {ADVICE}"
            )
        if time.monotonic() >= say:
            say = time.monotonic() + _SAY_S
            _LOG.warning("no Ray cluster answers at %s: %s; trying again for %.0f s", address, why, left)
        time.sleep(min(1.0, left))


def _try(
    start: Start, give_up: float, wanted: Callable[[], bool], held: Sequence[int]
) -> tuple[Link, Room] | str:
    """A connected process, or the reason why there is none."""
    link, keep = Link(start, held), False
    local = is_local(start.settings.address)
    try:
        while wanted() and (local or time.monotonic() < give_up):
            message = link.receive(0.2)
            if isinstance(message, Room):
                keep = True
                return link, message
            if isinstance(message, Said):
                _LOG.log(message.level, "%s", message.text)
            elif isinstance(message, Failed):
                if local or not start.grows:
                    raise ExecutorError(message.text)
                return message.text
            elif isinstance(message, Lost):
                return message.text
    except EOFError:
        why = link.last_words()
        if local:
            raise ExecutorError(f"Ray could not start on this machine: {why}") from None
        return why
    finally:
        if not keep:
            link.close(0.0)
    return "it is silent"
