"""Inputs that nobody meant: damaged copies of good files and texts, and the rule for what may come of them.

Any input may be refused by one of the project's own errors, and nothing else may happen: no other exception, no
hang, no allocation without bound. `NAS_FUZZ_INPUTS` says how many inputs a test tries (`make fuzz` sets it).
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import psutil
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from nas.core.errors import NasError

INPUTS = int(os.environ.get("NAS_FUZZ_INPUTS", "16"))
SECONDS = 10  # of processor time that one input may take; pytest's own limit ends what only waits
BYTES = 1 << 30  # of address space that one input may take

fuzzed = settings(
    max_examples=INPUTS,
    deadline=None,
    database=None,
    derandomize=INPUTS <= 1000,  # tests and CI try the same inputs every time, a long run new ones
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)

fuzzed_a_little = settings(fuzzed, max_examples=max(3, INPUTS // 20))  # where an input takes a second

_NUMBERS = [
    *(struct.pack("<i", n) for n in (0, 1, -1, 127, 128, 255, 256, 65535, 2**31 - 1, -(2**31))),
    *(struct.pack("<q", n) for n in (-1, 2**32, 2**62, -(2**63))),
    *(struct.pack("<d", x) for x in (float("nan"), float("inf"), -0.0, 1e308)),
]
_TOKENS = [
    "0",
    "-1",
    "1e400",
    ".nan",
    "999999999999999999999",
    "null",
    "[]",
    "{}",
    "''",
    "\x00",
    "\ud7ff",
    "é",
    "~",
]
_TOKENS += [
    "&a [*a]",
    "!!python/object/apply:os.system ['true']",
    "../../etc/passwd",
    "<script>",
    "%s",
    "'; DROP",
]


@st.composite
def damaged(draw: st.DrawFn, originals: Sequence[bytes], most: int = 4) -> bytes:
    """One of the originals with one to `most` pieces overwritten, removed, repeated, moved or cut off."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, most))):
        place = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from([1, 2, 4, 8, 64, 1024]))
        match draw(st.integers(0, 5)):
            case 0:
                data[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
            case 1:
                number = draw(st.sampled_from(_NUMBERS))
                data[place : place + len(number)] = number
            case 2:
                del data[place : place + length]
            case 3:
                data[place:place] = data[place : place + length]
            case 4:
                data[place:place] = draw(st.binary(max_size=16))
            case _:
                del data[place:]
    return bytes(data)


@st.composite
def damaged_text(draw: st.DrawFn, originals: Sequence[str], most: int = 4) -> str:
    """One of the originals with pieces replaced by tokens that readers of text stumble over, or any text at all."""
    text = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(1, most))):
        place = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 8))
        piece = draw(st.sampled_from(_TOKENS) | st.text(max_size=4) | st.just(""))
        text = text[:place] + piece + text[place + length :]
    return draw(st.just(text) | st.text(max_size=60)) if draw(st.integers(0, 9)) == 0 else text


def damaged_value(originals: Sequence[Any]) -> st.SearchStrategy[Any]:
    """Values of the wrong type or size for a place in a config, and right ones."""
    odd = st.sampled_from(
        [None, True, -1, 0, 1, 2, 10**9, 10**20, -0.5, float("nan"), float("inf"), "", "x", [], {}]
    )
    return st.sampled_from(list(originals)) | odd | st.text(max_size=5) | st.lists(odd, max_size=3)


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Raise if the block takes too long or allocates too much."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise AssertionError(f"still busy after {SECONDS} s")

    before = signal.signal(signal.SIGPROF, stop)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    size = psutil.Process().memory_info().vms + BYTES
    resource.setrlimit(resource.RLIMIT_AS, (size, limits[1]))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        resource.setrlimit(resource.RLIMIT_AS, limits)


def refused(read: Callable[..., object], *arguments: object) -> bool:
    """Whether `read` refuses the arguments by an error of ours; any other exception passes through."""
    with bounded():
        try:
            read(*arguments)
        except NasError as error:
            said = str(error).strip()
        else:
            return False
    assert said, "an error without a text"
    return True


def put(folder: Path, name: str, data: bytes) -> Path:
    """A file with this content."""
    path = folder / name
    path.write_bytes(data)
    return path
