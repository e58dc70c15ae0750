"""Measure ONNX networks on the machine where this runs; `nas.deployment.device` sends it there as text.

It needs numpy and onnxruntime, Python 3.8 or later and a POSIX system. Requests arrive on standard input: a line of JSON
with sizes, then the bytes of the network and of the reference network. Answers are lines of JSON on standard output,
each behind `PREFIX`, by which the client tells them from the output of a login shell.

One network at a time is measured for a user of the device: a lock on a file in the user's folder in the temporary
folder is held for the measurement. The lock ends with the process.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import json
import math
import os
import platform
import queue
import re
import signal
import stat
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Say = Callable[..., None]
    Call = Callable[[], None]

PROTOCOL = 1
PREFIX = "nas-device: "
WAITING_S = 2.0  # seconds between two `waiting` lines
FEWEST = 6  # rounds
LATE = 0.8  # part of a measurement's limit after which no more rounds are begun
KILL_AFTER_S = 5.0  # seconds beyond a measurement's limit, after which the system ends this process
TYPES = {"float": "f4", "float16": "f2", "double": "f8"}


class Refused(Exception):
    """This network or this device cannot be measured; `kind` says which fault it is."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Wire:
    """Requests on standard input and answers on standard output; other output of this process goes to its errors."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)
        self._requests: queue.Queue[dict[str, Any]] = queue.Queue()
        self._lock = threading.Lock()
        self._source = sys.stdin.buffer

    def say(self, **answer: Any) -> None:
        """Write one answer, on a new line, since a login shell may have left one open."""
        data = ("\n" + PREFIX + json.dumps(answer) + "\n").encode()
        with self._lock:
            while data:
                data = data[os.write(self._out, data) :]

    def requests(self) -> Iterator[dict[str, Any]]:
        """Yield requests. A thread reads them, and ends the process when the client has gone."""
        threading.Thread(target=self._read, daemon=True).start()
        while True:
            yield self._requests.get()

    def _read(self) -> None:
        with contextlib.suppress(Exception):
            while True:
                request = json.loads(self._source.readline())
                for name, size in request.pop("sizes").items():
                    request[name] = self._source.read(size)
                    if len(request[name]) != size:
                        raise EOFError
                self._requests.put(request)
        os._exit(0)


def versions() -> dict[str, Any]:
    """What the client is told first. Raises `Refused` where a package is missing."""
    # onnxruntime 1.29 and later send facts about each network to its maker, from a thread that takes time
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    missing = []
    for name in ("numpy", "onnxruntime"):
        try:
            __import__(name)
        except Exception as error:  # a broken installation raises what it likes
            missing.append(name)
            reason = f"{type(error).__name__}: {error}"
    if missing:
        raise Refused("packages", " ".join(missing) + "\n" + reason)
    private_folder()
    import numpy
    import onnxruntime

    return {
        "protocol": PROTOCOL,
        "python": platform.python_version(),
        "executable": sys.executable,
        "numpy": numpy.__version__,
        "onnxruntime": onnxruntime.__version__,
        "machine": platform.machine(),
        "system": platform.system(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "pid": os.getpid(),
    }


def processor() -> str:
    """The processor's name, or its kind where the system has no /proc/cpuinfo."""
    with contextlib.suppress(OSError):
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            found = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", file.read(), re.MULTILINE)
        if found:
            return found.group(1).strip()
    return platform.processor() or platform.machine()


def private_folder() -> str:
    """The user's folder in the temporary folder, with rights for this user alone. Raises `Refused` if another's."""
    path = os.path.join(tempfile.gettempdir(), f"nas-device-{os.getuid()}")
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        found = os.lstat(path)
    except OSError as error:
        raise Refused(
            "folder", f"cannot make the folder {path}: {error.strerror}; set TMPDIR there"
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise Refused("folder", f"{path} is not a folder that its user alone can use; remove it there")
    return path


@contextlib.contextmanager
def turn(folder: str, say: Say) -> Iterator[None]:
    """Hold the device's lock; while another process has it, say so every few seconds."""
    with open(os.path.join(folder, "lock"), "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            got = threading.Event()
            teller = threading.Thread(target=tell_waiting, args=(got, say), daemon=True)
            teller.start()
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
            finally:
                got.set()
                teller.join()
        yield


def tell_waiting(got: threading.Event, say: Say) -> None:
    """Say how many seconds have passed, until `got` is set."""
    start = time.monotonic()
    while True:
        say(waiting=time.monotonic() - start)
        if got.wait(WAITING_S):
            return


def make_session(model: bytes, threads: int, arena: bool = True) -> tuple[Any, dict[str, Any]]:
    """A session on the CPU, and its inputs: the same random values every time. Raises `Refused`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = options.enable_mem_pattern = arena
    # or waiting threads of one network disturb the other
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise Refused("model", str(error)) from error
    return session, {item.name: values(item) for item in session.get_inputs()}


def values(item: Any) -> Any:
    """Values for one input of a network; a dimension without a size has size 1. Raises `Refused`."""
    import numpy

    shape = [size if isinstance(size, int) and size > 0 else 1 for size in item.shape]
    kind = re.sub(r"tensor\((\w+)\)", r"\1", item.type)
    drawn = numpy.random.RandomState(0).standard_normal(shape)
    if kind in TYPES:
        return drawn.astype(TYPES[kind])
    if re.match(r"^u?int(8|16|32|64)$", kind):
        return (numpy.abs(drawn) * 50).clip(0, 127).astype(kind)
    raise Refused("model", f"the input {item.name!r} has the type {item.type}; expected numbers")


def caller(model: bytes, threads: int) -> Call:
    """A function that runs the network once. Raises `Refused` where the first run fails."""
    session, inputs = make_session(model, threads)

    def call() -> None:
        session.run(None, inputs)

    try:
        call()
    except Exception as error:
        raise Refused("model", str(error)) from error
    return call


def unsteadiness(seconds: list[float]) -> float:
    """As `nas.training.latency.Timing.unsteadiness`: half the width of the median's interval, or the drift, over it."""
    ordered, n, median = sorted(seconds), len(seconds), statistics.median(seconds)
    away = math.ceil(0.98 * math.sqrt(n))
    width = ordered[min(n - 1, (n - 1) // 2 + away)] - ordered[max(0, n // 2 - away)]
    drift = abs(statistics.median(seconds[n // 2 :]) - statistics.median(seconds[: n // 2]))
    return max(width / 2, drift) / median


def time_in_turns(calls: list[Call], request: dict[str, Any]) -> list[list[float]]:
    """Seconds of a run of each call, in rounds: more while one is unsteady, fewer where the time limit comes near.

    With one thread the clock counts processor time, of which the calling thread uses all: other processes do not count.
    """
    clock = time.process_time if request["threads"] == 1 else time.perf_counter

    def run(call: Call, times: int) -> float:
        start = clock()
        for _ in range(times):
            call()
        return max(clock() - start, 1e-9) / times

    for _ in range(request["warm_up"]):
        last = [run(call, 1) for call in calls]
    check_speed(sum(max(one, request["least_seconds"]) for one in last), request)
    times = [max(1, min(1000, math.ceil(request["least_seconds"] / one))) for one in last]
    seconds: list[list[float]] = [[] for _ in calls]
    for done in range(1, request["rounds"] * (1 + request["extensions"]) + 1):
        for i, call in enumerate(calls):
            seconds[i].append(run(call, times[i]))
        steady = done % request["rounds"] == 0 and all(
            unsteadiness(kept) <= request["tolerance"] for kept in seconds
        )
        if steady or (done >= FEWEST and time.monotonic() > request["late"]):
            break
    return seconds


def check_speed(needed: float, request: dict[str, Any]) -> None:
    """Raise `Refused` where the fewest rounds, of `needed` seconds each, would not end in time."""
    if FEWEST * needed > request["late"] - time.monotonic():
        raise Refused("slow", f"{FEWEST} rounds would take about {FEWEST * needed:.3g} s")


def peak_memory(request: dict[str, Any]) -> int | None:
    """Bytes that a run needs beyond the loaded network, the least of three runs; None where the system has no count."""
    session, inputs = make_session(request["model"], request["threads"], arena=False)
    session.run(None, inputs)
    found = []
    try:
        for _ in range(3):
            with contextlib.suppress(OSError, AttributeError):
                ctypes.CDLL(None).malloc_trim(0)  # or memory of the run before is used again, uncounted
            with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
                file.write("5")  # sets VmHWM back to VmRSS
            before = resident("VmRSS")
            session.run(None, inputs)
            found.append(max(0, resident("VmHWM") - before))
            if time.monotonic() > request["late"]:
                break
    except (OSError, ValueError):
        return None
    return min(found)


def resident(name: str) -> int:
    """Bytes under this name in the status of the process."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        found = re.search(name + r":\s*(\d+) kB", file.read())
    if not found:
        raise ValueError(name)
    return 1024 * int(found.group(1))


def baseline(folder: str, request: dict[str, Any], median: float, steady: bool) -> float | None:
    """The first steady median of the reference network in seconds since the device's start; None without one."""
    import onnxruntime

    boot = ""
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    key = repr(
        (hashlib.sha256(request["reference"]).hexdigest(), onnxruntime.__version__, request["threads"], boot)
    )
    path = os.path.join(folder, f"baseline-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json")
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        with open(path, encoding="ascii") as file:
            kept = json.load(file)
        if kept["key"] == key and 0 < kept["seconds"] < math.inf:
            return float(kept["seconds"])
    if not steady:
        return None
    with contextlib.suppress(OSError):  # a full disk costs the correction, not the measurement
        with open(path + ".new", "w", encoding="ascii") as file:
            json.dump({"key": key, "seconds": median}, file)
        os.replace(path + ".new", path)
    return median


def measure(request: dict[str, Any], folder: str) -> dict[str, Any]:
    """The answer to one request: times in seconds, memory in bytes, `began` and `ended` on the device's clock.

    Raises `Refused`.
    """
    began = time.monotonic()
    calls = [caller(request[name], request["threads"]) for name in ("model", "reference")]
    seconds, reference = time_in_turns(calls, request)
    del calls  # its memory, before the network is loaded again
    steady = unsteadiness(reference) <= request["tolerance"]
    return {
        "seconds": seconds,
        "reference": reference,
        "baseline": baseline(folder, request, statistics.median(reference), steady),
        "peak_memory": peak_memory(request),
        "began": began,
        "ended": time.monotonic(),
    }


def answer(request: dict[str, Any], say: Say) -> None:
    """Measure when it is this process's turn; the system ends the process when the time limit has passed."""
    with turn(private_folder(), say):
        say(measuring=True)
        request["late"] = time.monotonic() + LATE * request["timeout_s"]
        signal.setitimer(signal.ITIMER_REAL, request["timeout_s"] + KILL_AFTER_S)
        try:
            measured = measure(request, private_folder())
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    say(measured=measured)


def main() -> None:
    """Announce this device, then answer requests until the client goes."""
    wire = Wire()
    wire.say(started=PROTOCOL)
    try:
        wire.say(hello=versions())
    except Refused as error:
        wire.say(refused=error.kind, message=str(error), executable=sys.executable)
        return
    for request in wire.requests():
        try:
            answer(request, wire.say)
        except Refused as error:
            wire.say(refused=error.kind, message=str(error)[:4000])
        except Exception as error:
            wire.say(refused="device", message=f"{type(error).__name__}: {error}"[:4000])


if __name__ == "__main__":
    main()
