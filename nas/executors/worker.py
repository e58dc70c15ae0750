"""One evaluation: call the evaluator, time it, and turn every outcome into a `Result`."""

from __future__ import annotations

import contextlib
import errno
import time
import traceback

from nas.core.errors import EvaluationError
from nas.core.evaluator import Evaluate
from nas.core.interrupts import InterruptWatch
from nas.core.records import Result, Status, Trial
from nas.core.text import class_name, message_of, one_line, storable
from nas.core.values import reported

ERROR_LIMIT = 4000  # characters of a reason with its traceback; a log of 10,000 failures stays small
_FRAMES = 8
_CAUSES = 3  # exceptions of a chain or a group that a reason names


__all__ = ["ERROR_LIMIT", "TimeUp", "clip", "describe_failure", "is_out_of_memory", "one_line", "run_trial"]


class TimeUp(BaseException):
    """Raised inside an evaluation by the serial executor's timer; no `except Exception` swallows it."""


def run_trial(
    evaluate: Evaluate, trial: Trial, required: frozenset[str] | None = None, *, worker: str = ""
) -> Result:
    """Evaluate one trial here and now.

    `required` names the expensive objectives that must be returned as finite numbers; other values that are not finite
    numbers are dropped and named in the result's `error` (see `nas.core.values.reported`). With None
    every value is required. `worker` is passed on to the result.

    Never raises an error of the evaluator: any exception becomes a failed result, a `MemoryError` or PyTorch's equivalents
    an out-of-memory one. When a signal such as Ctrl-C interrupts this thread, the exception of its handler passes
    through, or KeyboardInterrupt if the evaluator caught it.
    """
    status, error = Status.OK, ""
    values: dict[str, float] = {}
    started, clock = time.time(), time.perf_counter()
    finished_clock = None
    with InterruptWatch() as watch:
        try:
            returned = evaluate(trial)
            finished_clock = time.perf_counter()
            found = reported(returned, required)
            values, error = found.values, clip(found.left_out)
        except TimeUp:
            status = Status.TIMEOUT
        except BaseException as failure:
            if watch.arrived and not issubclass(type(failure), Exception):
                raise
            status, error = _outcome(failure)
        if watch.arrived:
            raise KeyboardInterrupt
    seconds = (finished_clock or time.perf_counter()) - clock
    if status is Status.TIMEOUT:
        error = f"stopped after {seconds:.3g} s, the time limit"
    return Result(trial, status, values, seconds, error, worker, started, started + seconds)


def _outcome(failure: BaseException) -> tuple[Status, str]:
    """The status and the reason for this exception of a candidate."""
    if issubclass(type(failure), EvaluationError):
        return Status.FAILED, clip(one_line(message_of(failure)))
    if not is_out_of_memory(failure):
        return Status.FAILED, describe_failure(failure)
    traceback.clear_frames(failure.__traceback__)  # frees the memory; describing needs some
    return Status.OUT_OF_MEMORY, describe_failure(failure)


def is_out_of_memory(failure: BaseException) -> bool:
    """Whether memory ran out: the exceptions of Python, NumPy and PyTorch, on CPU and GPU."""
    kind = type(failure)  # not isinstance, which asks the object itself for its class
    if issubclass(kind, MemoryError) or class_name(failure) == "OutOfMemoryError":
        return True
    if issubclass(kind, OSError):
        number = None
        with contextlib.suppress(Exception):  # a class may make anything of it
            number = getattr(failure, "errno", None)
        return type(number) is int and number == errno.ENOMEM
    if not issubclass(kind, RuntimeError):
        return False
    text = message_of(failure).lower()
    return "can't allocate memory" in text or "out of memory" in text or "std::bad_alloc" in text


def describe_failure(failure: BaseException) -> str:
    """`ValueError: message` in one line, then the last frames of the traceback, at most `ERROR_LIMIT` characters.

    The line also names the causes of the exception (`raise ... from`) and the members of a group. Never raises for an
    exception whose own methods fail.
    """
    head = one_line("; caused by ".join(map(_named, _chain(failure))))
    shown = ""
    with contextlib.suppress(Exception):  # the source of a frame may be any text, or none
        frames = traceback.extract_tb(failure.__traceback__, limit=-_FRAMES)
        shown = "".join(traceback.format_list([frame for frame in frames if frame.filename != __file__]))
    return clip(head, "\n" + shown if shown else "")


def _chain(failure: BaseException) -> list[BaseException]:
    """The exception and its explicit causes, outermost first."""
    chain: list[BaseException] = []
    cause: BaseException | None = failure
    while cause is not None and len(chain) < _CAUSES and not any(cause is known for known in chain):
        chain.append(cause)
        cause = cause.__cause__
    return chain


def _named(failure: BaseException) -> str:
    """The class and message of one exception, and of a group's members."""
    message = one_line(message_of(failure))
    text = class_name(failure) + (f": {message}" if message else "")
    with contextlib.suppress(Exception):
        members = getattr(failure, "exceptions", ())
        if isinstance(members, tuple) and all(isinstance(member, BaseException) for member in members):
            text += "".join(f"; in it {_named(member)}" for member in members[:_CAUSES])
    return text


def clip(head: str, tail: str = "") -> str:
    """Head and tail as a text that can be stored, with the beginning of the tail cut away where both are too long."""
    head, tail = storable(head, ERROR_LIMIT), storable(tail)
    room = ERROR_LIMIT - len(head)
    if len(tail) > room:
        tail = "\n  ..." + tail[-(room - 6) :] if room > 6 else ""
    return (head + tail).rstrip()
