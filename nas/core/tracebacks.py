"""Exceptions in one sentence: of user code with its file and line, of a refused weight file with the reason."""

from __future__ import annotations

import os
import re
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas.core.errors import ConfigError, NasError
from nas.core.interrupts import is_interrupt
from nas.core.text import class_name, message_of, one_line, printable

_OURS = str(Path(__file__).parents[1]) + os.sep
_LIMIT = 2000  # characters of a sentence
_UNSUPPORTED = re.compile(r"[Uu]nsupported global: GLOBAL ([\w.]+)")
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def is_own(file: str) -> bool:
    """Whether this file is the user's code, as opposed to ours or an installed package's."""
    return not file.startswith((_OURS, "<", *_INSTALLED)) and "/site-packages/" not in file


def summarize_exception(error: BaseException) -> str:
    """`TypeError: message (file.py, line 3, in f)`, with the innermost line of user code, if any."""
    if isinstance(error, SyntaxError) and isinstance(error.msg, str) and isinstance(error.lineno, int):
        return one_line(f"{class_name(error)}: {error.msg} ({error.filename}, line {error.lineno})", _LIMIT)
    message = one_line(message_of(error))
    said = class_name(error) + (f": {message}" if message else "")
    # without the call of `called`, the innermost frame where a function does not take its arguments
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    own = [f for f in frames if is_own(f.filename)]
    if not frames:
        return said
    at = (own or frames)[-1]
    return f"{said} ({printable(at.filename)}, line {at.lineno}, in {printable(at.name)})"


def why_not_loaded(error: Exception) -> str:
    """Why `torch.load` with `weights_only=True` refused a file, as part of a sentence.

    PyTorch's own text advises to load the file without that protection, and shows the bytes of a foreign file as a key.
    """
    text = message_of(error)
    if type(error).__name__ == "UnpicklingError":
        found = _UNSUPPORTED.search(text)
        what = f", an object of {printable(found[1])}" if found else ""
        return f"it holds more than tensors and plain values{what}"
    if isinstance(error, (KeyError, EOFError, IndexError, UnicodeDecodeError)):
        return "PyTorch did not write it, or it is damaged"
    return one_line(f"{class_name(error)}: {text}".split(". ")[0], _LIMIT)


def called(what: str, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
    """Call a user's function. Raises its `NasError` as it is, any other error as `ConfigError` that begins with `what`."""
    try:
        return function(*arguments, **named)
    except NasError:
        raise
    except BaseException as error:
        if is_interrupt(error):
            raise
        raise ConfigError(f"{what}: {summarize_exception(error)}") from error
