"""Texts of unknown origin reach logs, terminals, spreadsheets and shells without harm."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from nas.core.text import (
    class_name,
    command,
    from_spreadsheet_cell,
    message_of,
    one_line,
    printable,
    repr_of,
    restored,
    shell_quoted,
    spreadsheet_cell,
    storable,
)

HOSTILE = [
    "", "plain", "cannot decode caf\udce9.png", "a\x00b", "\ud800", "\udfff\ud800", "\x1b]0;owned\x07", "\x1b[2J",
    "\u202eabc\u202c", "\u2066x\u2069", "zero\u200bwidth\ufeff", "\u2028line\u2029", "\x85\x9b31m", "tab\tcr\rlf\n",
    "=1+1", "+1", "-1-1", "@SUM(A1)", "'=x", "''-y", "\t=1", "\r=1", " =1", "-r8/k3", "'", "-", "[/d]", ":smile:",
    "\U000e0001tag", "\U0001f600", "é漢", "\\x00", "\\xe9", "$(touch x)", "`id`", "a'b", "a b", "$HOME", "~", "\uff1dcmd",
]  # fmt: skip


class Stubborn(str):
    """A text whose own methods raise."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    def encode(self, *args: object, **kwargs: object) -> bytes:
        raise RuntimeError("no")


def random_texts(count: int) -> list[str]:
    draw = random.Random(0)
    parts = [*HOSTILE, *"\x00\x1b\u202e\ud83d\ude00'=+-@\t\r\n\\xu 09af"]
    return ["".join(draw.choices(parts, k=draw.randrange(6))) for _ in range(count)]


TEXTS = [*HOSTILE, *random_texts(500)]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_can_be_stored_in_sqlite_json_csv_and_parquet(text: str, tmp_path: Path) -> None:
    kept = storable(text)
    kept.encode("utf-8")
    with sqlite3.connect(":memory:") as db:
        assert db.execute("SELECT ?", (kept,)).fetchone()[0] == kept
    assert json.loads(json.dumps(kept, ensure_ascii=False)) == kept
    frame = pd.DataFrame({"text": [kept]})
    frame.to_parquet(tmp_path / "t.parquet")
    assert pd.read_parquet(tmp_path / "t.parquet")["text"][0] == kept


def test_storing_escapes_only_what_cannot_be_stored_and_can_be_undone() -> None:
    assert storable("cannot decode " + os.fsdecode(b"caf\xe9.png")) == r"cannot decode caf\xe9.png"
    for text in TEXTS:
        if "\\" not in text:
            assert restored(storable(text)) == text
    assert storable("x" * 1000, 10) == "x" * 7 + "..."
    assert type(storable(Stubborn("a\ud800"))) is str


def test_a_terminal_gets_no_character_that_it_obeys_hides_or_reorders() -> None:
    for text in TEXTS:
        check_printable(text, printable(text))


def check_printable(text: str, shown: str) -> None:
    assert all(c in "\n\t" or c.isprintable() or c.isspace() for c in shown)
    assert not set(shown) & set("\x1b\x9b\r\x00\u200b\ufeff\u202e\u2066\u2069\u200e\u200f\u2028\u2029\u3164")
    assert printable(shown) == shown
    assert "\n" not in printable(text, newlines=False)
    shown.encode("utf-8")


def test_ordinary_texts_of_any_language_are_printed_unchanged() -> None:
    for text in ("r8/stem8s1", "é漢字", "\U0001f600", "a b", "two\nlines", "μ ± σ", "no-break\u00a0space"):
        assert printable(text) == text
    assert printable("\x1b[2J") == r"\x1b[2J"
    assert printable("a\u202eb") == r"a\u202eb"


def test_a_spreadsheet_cell_is_not_a_formula_and_round_trips() -> None:
    for text in TEXTS:
        kept = storable(text)
        cell = spreadsheet_cell(text)
        assert cell.lstrip("+-").isdecimal() or cell.lstrip(" ")[:1] not in tuple("=+-@\t\r\n＝")
        assert from_spreadsheet_cell(cell) == kept


def test_numbers_stay_numbers_in_a_spreadsheet() -> None:
    for text in ("-3", "+1e6", "-0.5", "12"):
        assert spreadsheet_cell(text) == text
    assert spreadsheet_cell("-inf") == "'-inf"


def test_a_printed_command_gives_the_shell_the_same_words() -> None:
    words = [
        t
        for t in TEXTS
        if "\x00" not in t
        and not any(0xD800 <= ord(c) < 0xDC80 or (ord(c) > 0xDCFF and ord(c) < 0xE000) for c in t)
    ]
    line = command("printf", r"%s\0", *words)
    assert printable(line, newlines=False) == line
    line.encode("utf-8")
    done = subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        check=True,
        env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]},
    )
    assert [os.fsdecode(word) for word in done.stdout.split(b"\0")[:-1]] == words


def test_a_path_that_begins_with_a_dash_is_not_an_option() -> None:
    assert command("nas", "front", Path("-x")) == "nas front ./-x"
    assert shell_quoted(Path("r[/x] y")) == "'r[/x] y'"


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class Mute(Exception):
    def __str__(self) -> str:
        return None  # type: ignore[return-value]


class Endless(Exception):
    def __str__(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return repr(self)


class Nameless(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("no")


def test_every_exception_has_a_message_and_a_class_name() -> None:
    for error in (Unspeakable(), Mute(), Endless()):
        assert message_of(error) == "(its message cannot be shown)"
    assert message_of(ValueError("caf\udce9")) == r"caf\xe9"
    odd = type("bad\x1b[2J\nname", (Exception,), {})
    assert class_name(odd()) == r"bad\x1b[2J name"
    assert class_name(Nameless("Plain", (), {})()) == "Plain"
    assert repr_of(Endless()) == "<Endless>"
    assert repr_of("x" * 100, 10) == "'xxxxxx..."
    assert one_line(" a\n\tb\x1b ") == r"a b\x1b"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program `nas` in a folder of the working folder that is not on the PATH, which started this process."""
    place = tmp_path / "my env" / "bin" / "nas"
    place.parent.mkdir(parents=True)
    place.write_text("#!/bin/sh\necho typed $*\n")
    place.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr("sys.argv", [str(place), "search"])
    return place


def test_a_printed_command_can_be_typed_where_nas_is_not_on_the_path(started: Path) -> None:
    printed = command("nas", "front", Path("runs/first"))
    assert printed == "'my env/bin/nas' front runs/first"
    done = subprocess.run(["bash", "-c", printed], capture_output=True, text=True, check=True)
    assert done.stdout == "typed front runs/first\n"


def test_from_another_folder_a_printed_command_has_the_whole_path(
    started: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = started.parents[2] / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert command("nas", "doctor") == f"'{started}' doctor"


def test_a_printed_command_is_short_where_nas_is_on_the_path(
    started: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"/usr/bin:{started.parent}")
    assert command("nas", "front") == "nas front"


@pytest.mark.parametrize("by", ["train.py", "/missing/bin/nas", ""])
def test_a_script_prints_the_short_command(started: Path, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    monkeypatch.setattr("sys.argv", [by])
    assert command("nas", "front") == "nas front"
