"""One evaluation: call the evaluator, time it, and turn whatever happens into a `Result`."""

from __future__ import annotations

import difflib
import errno
import math
import numbers
import time
import traceback
from collections.abc import Mapping
from typing import Any

from nas.errors import EvaluationError
from nas.interfaces import Evaluate
from nas.records import Result, Status, Trial

ERROR_LIMIT = 4000  # characters of a reason with its traceback; a log of 10,000 failures stays small
_LINE_LIMIT = 500
_FRAMES = 8


class TimeUp(BaseException):
    """Raised inside an evaluation by the serial executor's timer; no `except Exception` swallows it."""


def run_trial(
    evaluate: Evaluate, trial: Trial, required: frozenset[str] = frozenset(), *, worker: str = ""
) -> Result:
    """Evaluate one trial here and now.

    `required` names the expensive objectives that must be among the keys returned; `worker` is passed on to
    the result. Never raises for what the evaluator does: any `Exception` (and `SystemExit`) becomes a failed
    result, a `MemoryError` or PyTorch's equivalents an out-of-memory one. `KeyboardInterrupt` passes through.
    """
    status, error = Status.OK, ""
    values: dict[str, float] = {}
    started, clock = time.time(), time.perf_counter()
    finished_clock = None
    try:
        returned = evaluate(trial)
        finished_clock = time.perf_counter()
        values = check_values(returned, required)
    except TimeUp:
        status = Status.TIMEOUT
    except EvaluationError as failure:
        status, error = Status.FAILED, clip(one_line(str(failure)))
    except (Exception, SystemExit) as failure:
        status = Status.FAILED
        if is_out_of_memory(failure):
            status = Status.OUT_OF_MEMORY
            traceback.clear_frames(
                failure.__traceback__
            )  # frees what filled the memory; describing needs some
        error = describe_failure(failure)
    seconds = (finished_clock or time.perf_counter()) - clock
    if status is Status.TIMEOUT:
        error = f"stopped after {seconds:.3g} s, the time limit"
    return Result(trial, status, values, seconds, error, worker, started, started + seconds)


def check_values(returned: Any, required: frozenset[str] = frozenset()) -> dict[str, float]:
    """The evaluator's mapping with every value as a float.

    NumPy scalars and arrays or tensors of a single element count as numbers. Raises `EvaluationError`
    that names the key and what arrived.
    """
    if not isinstance(returned, Mapping):
        raise EvaluationError(
            f"evaluate returned {_describe(returned)}; expected a mapping from names to finite numbers"
        )
    values: dict[str, float] = {}
    for key, value in returned.items():
        if not isinstance(key, str):
            raise EvaluationError(f"evaluate returned the key {_describe(key)}; expected a text")
        values[str(key)] = value if type(value) is float and math.isfinite(value) else _number(key, value)
    missing = sorted(required - values.keys())
    if missing:
        raise EvaluationError(_missing_message(missing, list(values)))
    return values


def _number(key: str, value: Any) -> float:
    plain = value
    if not isinstance(plain, (numbers.Number, str, bytes)) and hasattr(plain, "item"):
        try:
            plain = plain.item()  # NumPy's and PyTorch's way; refuses more than one element
        except (ValueError, RuntimeError, TypeError):
            plain = None
    if type(plain) is not bool and isinstance(plain, numbers.Real):
        try:
            number = float(plain)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise EvaluationError(f"evaluate returned {key}={_describe(value)}; expected a finite number")


def _missing_message(missing: list[str], present: list[str]) -> str:
    hints = [
        f"{near[0]!r} may be meant for {name!r}"
        for name in missing
        if (near := difflib.get_close_matches(name, present, n=1))
    ]
    shown = ", ".join(map(repr, present[:12])) or "no values at all"
    wanted = ", ".join(map(repr, missing))
    return f"evaluate returned {shown}; {wanted} missing" + "".join(f" ({hint})" for hint in hints)


def _describe(value: Any) -> str:
    """What arrived, in a few words; never the contents of a large array."""
    kind = type(value).__name__
    if getattr(value, "shape", ()):
        return f"<{kind} of shape {tuple(value.shape)}>"
    if isinstance(value, (list, tuple, set, dict)):
        return f"<{kind} of length {len(value)}>"
    try:
        text = one_line(repr(value))
    except Exception:
        return f"<{kind}>"
    return text if len(text) <= 60 else f"<{kind}> {text[:60]}..."


def is_out_of_memory(failure: BaseException) -> bool:
    """Whether memory ran out: Python's, NumPy's and PyTorch's ways of saying so, on CPU and GPU."""
    if isinstance(failure, MemoryError) or type(failure).__name__ == "OutOfMemoryError":
        return True
    if isinstance(failure, OSError):
        return failure.errno == errno.ENOMEM
    if not isinstance(failure, RuntimeError):
        return False
    text = _message(failure).lower()
    return "can't allocate memory" in text or "out of memory" in text or "std::bad_alloc" in text


def describe_failure(failure: BaseException) -> str:
    """`ValueError: what it said` in one line, then the last frames of the traceback, `ERROR_LIMIT` at most."""
    message = one_line(_message(failure))
    head = type(failure).__name__ + (f": {message}" if message else "")
    frames = traceback.extract_tb(failure.__traceback__, limit=-_FRAMES)
    shown = "".join(traceback.format_list([frame for frame in frames if frame.filename != __file__]))
    return clip(head, "\n" + shown if shown else "")


def _message(failure: BaseException) -> str:
    try:
        return str(failure)
    except Exception:  # an exception whose own __str__ is broken is still only a failed candidate
        return "(its message cannot be shown)"


def one_line(text: str) -> str:
    """The text with every run of white space as one space, `_LINE_LIMIT` characters at most."""
    line = " ".join(text[: 4 * _LINE_LIMIT].split())
    return line if len(line) <= _LINE_LIMIT else line[: _LINE_LIMIT - 3] + "..."


def clip(head: str, tail: str = "") -> str:
    """Head and tail, with the beginning of the tail cut away where both are too long."""
    room = ERROR_LIMIT - len(head)
    if len(tail) > room:
        tail = "\n  ..." + tail[-(room - 6) :]
    return (head + tail).rstrip()
