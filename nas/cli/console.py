"""The consoles of the command line: the one way to the terminal for every text.

Texts of users, files and workers are printed as they are, never as markup, and characters that a terminal obeys become
visible escapes. Whoever prints needs to do nothing for it; styles are given by `style=` and `rich.text.Text`.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from nas.core.text import printable


class PlainConsole(Console):
    """A console that takes no text for markup or emoji codes, and sends no control character that a text contains."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text as it is: widths are computed from what is shown."""
        return super().render_str(printable(text), **{**options, "markup": False, "emoji": False})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Segments of which only those that rich makes itself hold control characters."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


@lru_cache(maxsize=1)
def output() -> Console:
    """The console for results; wide enough for a table when it is no terminal."""
    console = PlainConsole(soft_wrap=False)
    return console if console.is_terminal else PlainConsole(width=120, soft_wrap=True)


def errors() -> Console:
    """The console for errors and warnings, on standard error."""
    return PlainConsole(stderr=True, soft_wrap=True)


def print_json(value: Any, indent: int | None = None) -> None:
    """Print a value as JSON in ASCII, whatever its texts hold."""
    sys.stdout.write(json.dumps(value, indent=indent) + "\n")


def print_error(text: str) -> None:
    """Print an error in red on standard error."""
    errors().print(text, style="red")


def print_traceback(error: BaseException) -> None:
    """Print the whole traceback on standard error."""
    errors().print("".join(traceback.format_exception(error)), end="")


class _Handler(logging.Handler):
    """Warnings of the package's loggers, on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "nas" and logging.getLogger(record.name).handlers:
            return  # it is shown already
        try:
            errors().print(self.format(record))
        except Exception:
            self.handleError(record)


def guard_standard_streams() -> None:
    """Let everything that this process prints by itself go through a console: logs, warnings, errors of threads.

    A character that the terminal's encoding lacks becomes an escape instead of an error.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if not logging.getLogger().handlers:
        handler = _Handler(logging.WARNING)
        for name in ("nas", "py.warnings"):
            if not logging.getLogger(name).handlers:
                logging.getLogger(name).addHandler(handler)
    warnings.showwarning = _show_warning
    sys.excepthook = lambda kind, error, trace: print_traceback(error)
    threading.excepthook = _thread_failed


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    errors().print(warnings.formatwarning(message, category, filename, lineno, line), end="")


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None and not issubclass(failed.exc_type, SystemExit):
        print_traceback(failed.exc_value)
