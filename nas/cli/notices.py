"""Print notices on data sets (ignored or skipped files, the value of a validation image) in the commands."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from nas.cli.console import errors, output
from nas.core.text import printable
from nas.training.data.account import NOTICES


class _Shown(logging.Handler):
    def __init__(self, on_errors: bool) -> None:
        super().__init__(logging.INFO)
        self._errors = on_errors

    def emit(self, record: logging.LogRecord) -> None:
        line = printable(record.getMessage(), newlines=False)
        if self._errors:
            errors().print(line)
        else:
            output().print(line, style="yellow" if record.levelno >= logging.WARNING else "")


@contextmanager
def notices(errors: bool = False) -> Iterator[None]:
    """Print notices while the block runs; with `errors` to standard error, for machine-readable output."""
    handler = _Shown(errors)
    before = NOTICES.level
    NOTICES.addHandler(handler)
    NOTICES.setLevel(logging.INFO)
    try:
        yield
    finally:
        NOTICES.setLevel(before)
        NOTICES.removeHandler(handler)
