"""Say what went wrong inside somebody's code in one sentence, with the file and line to look at."""

from __future__ import annotations

import os
import sysconfig
import traceback
from pathlib import Path

from nas.core.text import class_name, message_of, one_line, printable

_OURS = str(Path(__file__).parents[1]) + os.sep
_LIMIT = 2000  # characters of a sentence
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def is_own(file: str) -> bool:
    """Whether code in this file is the user's, not ours nor an installed package's."""
    return not file.startswith((_OURS, "<", *_INSTALLED)) and "/site-packages/" not in file


def summarize_exception(error: BaseException) -> str:
    """`TypeError: what it said (file.py, line 3, in f)`: the innermost line that is the user's own, where there is one."""
    if isinstance(error, SyntaxError) and isinstance(error.msg, str) and isinstance(error.lineno, int):
        return one_line(f"{class_name(error)}: {error.msg} ({error.filename}, line {error.lineno})", _LIMIT)
    message = one_line(message_of(error))
    said = class_name(error) + (f": {message}" if message else "")
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if is_own(f.filename)]
    if not frames:
        return said
    at = (own or frames)[-1]
    return f"{said} ({printable(at.filename)}, line {at.lineno}, in {printable(at.name)})"
