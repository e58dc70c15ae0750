"""Make texts of unknown origin safe to store, print, and write to spreadsheets and command lines.

Architecture texts, exception messages, names and paths come from users, files and workers. Each function here
takes any `str` and returns one that its destination can hold; none raises for any content.
"""

from __future__ import annotations

import math
import os
import re
import shlex
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from nas.core.interrupts import is_interrupt

READ_LIMIT = 20_000  # characters of a message to process
MESSAGE_LIMIT = 500  # characters of a message in one line

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ESCAPED = re.compile(r"\\x00|\\x[89a-f][0-9a-f]|\\ud[89a-f][0-9a-f]{2}")
_CONTROL = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # categories that a terminal may obey, or that reorder or hide text
_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # invisible letters and marks
_BLANKS = re.compile(f"[{_BLANK}]")
_FORMULA = re.compile(r"'*(?:\s*[=+\-@\uff0b\uff0d\uff1d\uff20]|[\t\r\n])")
_QUOTED_FORMULA = re.compile(r"'+(?:\s*[=+\-@\uff0b\uff0d\uff1d\uff20]|[\t\r\n])")


def storable(text: str, limit: int | None = None) -> str:
    r"""The text in characters that UTF-8, SQLite, JSON, CSV and Parquet can hold, at most `limit` of them.

    Lone surrogates and NUL become escapes: an invalid UTF-8 byte of a file name is ``\xe9``, any other lone surrogate
    ``\ud800``, NUL ``\x00``. Other texts are unchanged. `restored` is the inverse.
    """
    plain = str.__str__(text)  # a subclass may override it
    if limit is not None and len(plain) > limit:
        plain = plain[: max(0, limit - 3)] + "..."
    return _UNSTORABLE.sub(_escape_surrogate, plain)


def restored(text: str) -> str:
    """The inverse of `storable`."""
    return _ESCAPED.sub(_unescape_surrogate, text)


def _escape_surrogate(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else _escape(found[0])


def _unescape_surrogate(found: re.Match[str]) -> str:
    code = int(found[0][2:], 16)
    return chr(code + 0xDC00 if 0x80 <= code <= 0xFF else code)


def one_line(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """The text in one storable, printable line: white space as single spaces, at most `limit` characters."""
    line = printable(" ".join(str.__str__(text)[: 4 * limit].split()), newlines=False)
    return line if len(line) <= limit else line[: max(0, limit - 3)] + "..."


def printable(text: str, *, newlines: bool = True) -> str:
    r"""The text for a terminal, with visible escapes for characters that control it, or hide or reorder others.

    ESC is shown as ``\x1b``, a right-to-left override as ``\u202e``, a zero-width space as ``\u200b``. `newlines` keeps
    line ends and tabs.
    """
    plain = str.__str__(text)
    if plain.isprintable() and not _BLANKS.search(plain):
        return plain
    if newlines:
        plain = plain.replace("\r\n", "\n")
    kept = "\n\t" if newlines else ""
    return "".join(
        _escape(c) if c in _BLANK or (c not in kept and unicodedata.category(c) in _CONTROL) else c
        for c in plain
    )


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def spreadsheet_cell(text: str) -> str:
    """The text as a CSV cell that no spreadsheet reads as a formula; `from_spreadsheet_cell` is the inverse.

    A text that begins like a formula (with = + - @, a tab or a line end) gets an apostrophe in front, which marks it as text
    in a spreadsheet. So does a text with apostrophes before such a character, to keep the mapping invertible. Numbers such
    as -3 or +1e6 are unchanged.
    """
    plain = storable(text)
    return f"'{plain}" if _FORMULA.match(plain) and not _is_number(plain) else plain


def from_spreadsheet_cell(text: str) -> str:
    """The original text of a cell made by `spreadsheet_cell`."""
    return text[1:] if _QUOTED_FORMULA.match(text) else text


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and text.strip() == text and text.isascii()
    except ValueError:
        return False


_MARKDOWN = re.compile(r"[\\`*\[\]|~$<@]|&(?=[#A-Za-z])|(?<![A-Za-z0-9])_|(?<=[a-z]):(?=//)")


def markdown_text(text: str) -> str:
    """The text in one line of Markdown, also within a table, with markup, HTML and links escaped."""
    line = " ".join(printable(text).split())
    return _MARKDOWN.sub(lambda found: f"&#{ord(found[0])};" if found[0] in "<&:@" else f"\\{found[0]}", line)


def markdown_code(text: str) -> str:
    """The text as a one-line code span of Markdown, also within a table."""
    line = " ".join(printable(text).split()).replace("|", "\u00a6")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line or not line else f"{fence}{line}{fence}"


def take_literally(figure: Any) -> None:
    """Escape formulas and characters without a glyph in a Matplotlib figure; keep the ticks of log axes."""
    for artist in figure.findobj(lambda each: hasattr(each, "set_parse_math")):
        text = artist.get_text()
        if not text.startswith("$\\mathdefault"):
            artist.set_parse_math(False)
            shown = storable(printable(text))
            if shown != text:
                artist.set_text(shown)


def shell_quoted(text: str | PurePath) -> str:
    r"""One word of a command line for a POSIX shell, printable.

    Quoted where needed; control characters and invalid UTF-8 bytes become ``$'...'`` escapes of bash, zsh and ksh. A path
    that begins with ``-`` gets ``./`` in front.
    """
    plain = os.fspath(text) if isinstance(text, PurePath) else str.__str__(text)
    if isinstance(text, PurePath) and plain.startswith("-"):
        plain = f"./{plain}"
    shown = storable(printable(plain, newlines=False))
    if shown == plain:
        return shlex.quote(plain)
    plain = plain.replace("\\", "\\\\").replace("'", "\\'")
    inside = "".join(c if printable(c, newlines=False) == c else _bytes_escaped(c) for c in plain)
    return f"$'{inside}'"


def _bytes_escaped(character: str) -> str:
    errors = "surrogateescape" if 0xDC80 <= ord(character) <= 0xDCFF else "surrogatepass"
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", errors))


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 seed, 2 seeds."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def exact(value: float) -> str:
    """A number as text, whole ones with all digits: 1768576; 0.25."""
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:g}"


def listed(names: Sequence[str]) -> str:
    """At least one name as text: a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def duration(seconds: float) -> str:
    """Seconds as text, such as `2 min 05 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def command(*words: str | PurePath) -> str:
    """A command line to print, each word quoted for the shell: `command("nas", "front", folder)`.

    A first word `nas` becomes what this process was started by, where the PATH has no `nas`: `.venv/bin/nas`.
    """
    first, *others = words
    return " ".join([program() if first == "nas" else shell_quoted(first), *map(shell_quoted, others)])


def program() -> str:
    """The first word of a `nas` command that can be typed in the working folder: `nas`, or the path of the program.

    Only the command line itself knows that path; elsewhere, as in a worker or a script, it is `nas`.
    """
    typed = Path(sys.argv[0] if sys.argv else "")
    if typed.name != "nas" or shutil.which("nas") is not None:
        return "nas"
    place = Path(os.path.abspath(typed))
    if not place.is_file():
        return "nas"
    inside = place.is_relative_to(Path.cwd())
    return shell_quoted(str(place.relative_to(Path.cwd()) if inside else place))


def message_of(error: BaseException) -> str:
    """The message of an exception, even if its `__str__` raises, recurses or returns no text."""
    try:
        return storable(str.__str__(str(error))[:READ_LIMIT])
    except BaseException as failure:
        if is_interrupt(failure):
            raise
        return "(its message cannot be shown)"


def class_name(value: object) -> str:
    """The name of a value's class in one line; a class name may be any text."""
    return one_line(type.__dict__["__name__"].__get__(type(value)), 100)


def repr_of(value: object, limit: int = 60) -> str:
    """`repr(value)` in one line of at most `limit` characters, or the class's name if `repr` fails."""
    try:
        return one_line(repr(value), limit)
    except BaseException as failure:
        if is_interrupt(failure):
            raise
        return f"<{class_name(value)}>"
