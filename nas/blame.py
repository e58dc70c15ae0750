"""Say what went wrong inside somebody's code in one sentence, with the file and line to look at."""

from __future__ import annotations

import os
import sysconfig
import traceback
from pathlib import Path

_OURS = str(Path(__file__).parent) + os.sep
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def is_own(file: str) -> bool:
    """Whether code in this file is the user's, not ours nor an installed package's."""
    return not file.startswith((_OURS, "<", *_INSTALLED)) and "/site-packages/" not in file


def explain(error: BaseException) -> str:
    """`TypeError: what it said (file.py, line 3, in f)`: the innermost line that is the user's own, where there is one."""
    message = " ".join(str(error).split())[:500]
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
    said = type(error).__name__ + (f": {message}" if message else "")
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if is_own(f.filename)]
    if not frames:
        return said
    at = (own or frames)[-1]
    return f"{said} ({at.filename}, line {at.lineno}, in {at.name})"
