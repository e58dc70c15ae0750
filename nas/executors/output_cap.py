"""Write the output of a worker to a file of bounded size; a separate program, started by the path of this file.

usage: output_cap.py FILE LIMIT MARK PID, with the output on standard input. The file holds the first and the last half
of LIMIT bytes. MARK in the input empties the file: a new trial begins. The program ends when its input is closed, or
when process PID is gone and no input came for a while; until then it has a lock on the file. It is a process, not a thread, because compiled code may print
while it holds the interpreter's lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import sys

_CHUNK = 1 << 16
_IDLE_S = 0.2


class Capped:
    """The file: `write` takes output, `flush` writes its end."""

    def __init__(self, descriptor: int, limit: int, mark: bytes) -> None:
        self._file = descriptor
        self._half = limit // 2
        self._mark = mark
        self._pending = b""  # may be the beginning of a mark
        self._start()

    def _start(self) -> None:
        os.ftruncate(self._file, 0)
        self._head = 0  # bytes of the first half, in the file
        self._tail = bytearray()  # the newest of the rest
        self._left_out = 0
        self._fresh = True  # the tail is in the file unchanged

    def write(self, data: bytes) -> None:
        """Add output."""
        data = self._pending + data
        *over, data = data.split(self._mark)
        if over:
            self._start()
        kept = _beginning_of(self._mark, data)
        self._pending = data[len(data) - kept :]
        self._add(data[: len(data) - kept])

    def _add(self, data: bytes) -> None:
        room = self._half - self._head
        if room > 0 and data:
            written = os.pwrite(self._file, data[:room], self._head)
            self._head += written
            data = data[written:]
        if data:
            self._tail += data[-self._half :]
            self._left_out += max(0, len(data) - self._half)
            if len(self._tail) > self._half:
                over = len(self._tail) - self._half
                self._left_out += over
                del self._tail[:over]
            self._fresh = False

    def flush(self, last: bool = False) -> None:
        """Write the end of the output to the file."""
        if last:
            self._add(self._pending)
            self._pending = b""
        if self._fresh:
            return
        gap = f"\n[... {self._left_out} bytes left out ...]\n".encode() if self._left_out else b""
        end = gap + bytes(self._tail)
        os.ftruncate(self._file, self._head)
        os.pwrite(self._file, end, self._head)
        self._fresh = True


def _beginning_of(mark: bytes, data: bytes) -> int:
    """Number of bytes at the end of the data that may begin a mark."""
    for length in range(min(len(mark) - 1, len(data)), 0, -1):
        if data.endswith(mark[:length]):
            return length
    return 0


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def main(file: str, limit: str, mark: str, pid: str) -> None:
    """Read standard input to its end."""
    descriptor = os.open(file, os.O_RDWR | os.O_NOFOLLOW)
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if os.fork() > 0:  # not the worker's child, which Ray would kill together with it
        os._exit(0)
    os.setsid()
    capped = Capped(descriptor, int(limit), bytes.fromhex(mark))
    quiet = 0
    while quiet < 10 or _is_there(int(pid)):
        if not select.select([0], [], [], _IDLE_S)[0]:
            capped.flush()
            quiet += 1
            continue
        data = os.read(0, _CHUNK)
        if not data:
            break
        quiet = 0
        try:
            capped.write(data)
        except OSError:  # the disk is full: the output is lost, the candidate continues
            continue
    capped.flush(last=True)
    if os.fstat(descriptor).st_size == 0:
        os.unlink(file)


if __name__ == "__main__":
    main(*sys.argv[1:])
