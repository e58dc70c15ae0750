"""The consoles of the command line, through which every text reaches the terminal.

They print texts of users, files and workers literally, never as markup, and turn control characters into
visible escapes. Set styles by `style=` and `rich.text.Text`.
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

from nas.core.text import command, printable


class PlainConsole(Console):
    """A console without markup or emoji codes that escapes control characters in texts."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render_str(self, text: str, **options: Any) -> Text:
        """The printable text, so that widths match the display."""
        return super().render_str(printable(text), **{**options, "markup": False, "emoji": False})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Segments with control characters only in those that rich creates."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


@lru_cache(maxsize=1)
def output() -> Console:
    """The console for results; wide enough for a table if it is not a terminal."""
    console = PlainConsole(soft_wrap=False)
    return console if console.is_terminal else PlainConsole(width=120, soft_wrap=True)


def errors() -> Console:
    """The console for errors and warnings, on standard error."""
    return PlainConsole(stderr=True, soft_wrap=True)


def this_command() -> str:
    """The present command line, to be typed again."""
    return command("nas", *sys.argv[1:])


def print_json(value: Any, indent: int | None = None) -> None:
    """Print a value as ASCII JSON."""
    sys.stdout.write(json.dumps(value, indent=indent) + "\n")


def print_error(text: str) -> None:
    """Print an error in red on standard error."""
    errors().print(text, style="red")


def print_traceback(error: BaseException) -> None:
    """Print the full traceback on standard error."""
    errors().print("".join(traceback.format_exception(error)), end="")


class _Handler(logging.Handler):
    """Warnings of the package's loggers, on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "nas" and logging.getLogger(record.name).handlers:
            return  # already printed
        try:
            errors().print(self.format(record))
        except Exception:
            self.handleError(record)


def guard_standard_streams() -> None:
    """Route logs, warnings and errors of threads through a console.

    Characters that the terminal's encoding lacks become escapes.
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
