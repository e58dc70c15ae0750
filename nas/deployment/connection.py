"""A device script in a child process, local or behind ssh: requests, and answers with a deadline each."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import IO, Any

from nas.deployment.faults import Broken, printable

PREFIX = b"nas-device: "  # as in device_script.py
LONGEST_LINE = 1 << 20  # bytes; a device that sends more without a line's end sends no answer
# Runs on the device: reads the script from standard input, length first. No quotes that a remote shell could change.
BOOTSTRAP = (
    'import sys; sys.version_info < (3, 8) and sys.exit("nas needs Python 3.8 or later; this is " + sys.version.split()[0]); '
    'sys.path[0] == "" and sys.path.pop(0); i = sys.stdin.buffer; '
    'exec(compile(i.read(int(i.readline())), "device_script.py", "exec"))'
)


class Connection:
    """A child process that runs the device script. Raises `OSError` where its program cannot be started."""

    def __init__(self, command: Sequence[str]) -> None:
        pipe = subprocess.PIPE
        # A session of its own: Ctrl-C reaches this process alone, which then ends the child.
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True
        )
        self._answers: queue.Queue[bytes | None] = queue.Queue(maxsize=100)
        self._noise: deque[bytes] = deque(maxlen=3)
        self._errors = b""
        self._error_reader = self._in_thread(self._read_errors)
        self._in_thread(self._read_answers)
        self.hello: Mapping[str, Any] = {}
        script = resources.files("nas.deployment").joinpath("device_script.py").read_bytes()
        self.send(b"%d\n" % len(script) + script)

    @property
    def has_ended(self) -> bool:
        """Whether the child process has ended."""
        return self._process.poll() is not None

    def request(self, fields: Mapping[str, Any], blobs: Mapping[str, bytes]) -> None:
        """Send one request with its bytes."""
        line = json.dumps({**fields, "sizes": {name: len(blob) for name, blob in blobs.items()}})
        self.send(line.encode() + b"\n" + b"".join(blobs.values()))

    def send(self, data: bytes) -> None:
        """Write in a thread: a device that does not read would block this one. A failure shows in the answers."""
        self._writer = self._in_thread(self._write, data)

    def answer(self, seconds: float, doing: str) -> dict[str, Any]:
        """The next answer. Raises `Broken` where none comes in time, the child ended or the line is not an object."""
        try:
            line = self._answers.get(timeout=max(0.0, seconds))
        except queue.Empty:
            raise Broken(f"no answer for {seconds:g} s while {doing}{self._heard()}") from None
        if line is None:
            raise self._ended(doing)
        with contextlib.suppress(ValueError, RecursionError):
            found = json.loads(line)
            if isinstance(found, dict):
                return found
        raise Broken(f"an answer that is not of the protocol while {doing}: {_shown(line)}")

    def end(self) -> None:
        """End the child process; a script behind ssh ends when its connection closes."""
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
        self._writer.join(1)
        self._close(self._process.stdin)

    def close_pipes(self) -> None:
        """Close the pipes and leave the process to the parent, after a fork."""
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            self._close(stream)

    def _close(self, stream: IO[bytes] | None) -> None:
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()

    def _in_thread(self, function: Any, *arguments: Any) -> threading.Thread:
        thread = threading.Thread(target=function, args=arguments, daemon=True, name="nas device")
        thread.start()
        return thread

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            while left:
                left = left[os.write(self._process.stdin.fileno(), left) :]

    def _read_answers(self) -> None:
        """Keep the answers; other lines, such as a login shell's greeting, only for a message."""
        assert self._process.stdout is not None
        buffer = b""
        with contextlib.suppress(OSError, ValueError):
            while data := os.read(self._process.stdout.fileno(), 1 << 16):
                *lines, buffer = (buffer + data).split(b"\n")
                if len(buffer) > LONGEST_LINE:
                    lines, buffer = [*lines, buffer], b""
                for line in lines:
                    self._sort(line)
        self._close(self._process.stdout)
        self._answers.put(None)

    def _sort(self, line: bytes) -> None:
        if not line.startswith(PREFIX):
            if line.strip():
                self._noise.append(line[:200])
            return
        try:
            self._answers.put_nowait(line[len(PREFIX) :])
        except queue.Full:  # of answers that nobody asked for
            self._process.kill()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        with contextlib.suppress(OSError, ValueError):
            while data := os.read(self._process.stderr.fileno(), 1 << 16):
                self._errors = (self._errors + data)[-4000:]
        self._close(self._process.stderr)

    def _ended(self, doing: str) -> Broken:
        self._error_reader.join(1)
        try:
            status = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return Broken(f"its output ended while {doing}{self._heard()}")
        how = f"by signal {-status}" if status < 0 else f"with exit status {status}"
        errors = self._errors.decode(errors="replace")
        return Broken(f"the process ended {how} while {doing}{self._heard()}", status, errors)

    def _heard(self) -> str:
        """What the device wrote, for a message."""
        lines = self._errors.splitlines()[-3:] or list(self._noise)
        return f"; it wrote: {_shown(b' / '.join(lines))}" if lines else ""


def _shown(data: bytes) -> str:
    return printable(data[:300].decode(errors="replace")).strip()
