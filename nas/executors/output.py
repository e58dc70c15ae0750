"""Keep the output of a process in a file of bounded size, one trial after the other; `output_cap` writes it."""

from __future__ import annotations

import fcntl
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nas.core.text import printable
from nas.executors import output_cap

LIMIT = 2**20  # bytes of one trial's output that are kept
_LOOK_S = 0.02  # between looks whether the last output is there
_SHOWN = 1500  # characters of its end that are part of a reason


@dataclass(frozen=True)
class Kept:
    """The file at `path`, which `begin` empties for a new trial."""

    path: str
    mark: bytes

    def begin(self) -> None:
        """Begin the output of a new trial."""
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # an evaluator may have put anything in their place
                stream.flush()
        with suppress(OSError):
            os.write(1, self.mark)


def keep_output(folder: Path | None, limit: int = LIMIT, streams: Sequence[int] = (1, 2)) -> Kept:
    """Redirect the output of this process and its children to a new file in `folder` (None: the temporary folder).

    Another process reads Ray's log files line by line, and they never shrink: gigabytes printed by a candidate would
    cost time and fill the disk. The file keeps the first and the last half of `limit` bytes of each trial.
    """
    descriptor, path = tempfile.mkstemp(prefix=f"evaluation-{os.getpid()}-", suffix=".txt", dir=folder)
    os.close(descriptor)
    mark = secrets.token_bytes(16)
    reads, writes = os.pipe()
    command = [output_cap.__file__, path, str(limit), mark.hex(), str(os.getpid())]
    subprocess.run(
        [sys.executable, "-I", "-S", *command],  # which leaves a process that reads on
        stdin=reads,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    os.close(reads)
    for stream in streams:
        os.dup2(writes, stream)
    os.close(writes)
    return Kept(path, mark)


def last_lines(path: str, patience_s: float = 0.0) -> str:
    """The end of the file, indented; "" if it is empty or missing.

    Of a process that has ended, the last output may still be on its way: it waits for that, at most `patience_s` seconds.
    """
    try:
        with open(path, "rb") as file:
            _wait_for_the_end(file.fileno(), patience_s)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _SHOWN))
            text = file.read().decode(errors="replace").strip()
    except OSError:
        return ""
    return "\n".join(f"  {line}" for line in printable(text).splitlines())


def _wait_for_the_end(descriptor: int, patience_s: float) -> None:
    """Wait until the program that writes the file has ended and released its lock."""
    give_up = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= give_up:
                return
            time.sleep(_LOOK_S)
        except OSError:  # a file system without locks
            return
