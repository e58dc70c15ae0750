"""Texts of users, files and workers reach the terminal as they are: never as markup, never as control characters."""

from __future__ import annotations

import ast
import io
import logging
import os
import shlex
import sqlite3
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.live import Live
from rich.table import Table
from rich.text import Text
from typer.testing import CliRunner

import nas
from nas.cli.app import app
from nas.cli.console import PlainConsole, guard_standard_streams
from nas.core.errors import ArchitectureError
from nas.core.tables import read_csv
from nas.core.text import printable

ROOT = Path(__file__).resolve().parents[2]
OPS = ("conv3x3", "skip", "[/d]", ":smile:", "[bold]b[/bold]", "\x1b[2J", "\u202erev", "a|b`c`<i>", "$x^2$")


class Texts(nas.SearchSpace):
    """A space whose text form is a list of operations, such as `[conv3x3, skip]`."""

    name = "[red]texts[/d]"
    cardinalities = (len(OPS), len(OPS))

    def format(self, architecture: nas.Architecture) -> str:
        return f"[{', '.join(OPS[gene] for gene in architecture.genes)}]"

    def parse(self, text: str) -> nas.Architecture:
        genes = tuple(map(OPS.index, text[1:-1].split(", ")))
        return nas.Architecture(self.name, genes)

    def encode(self, architectures: Sequence[nas.Architecture]) -> Any:
        return super().encode(architectures)


UNIT = "\x1b]0;owned\x07 \x1b[2J \u202e[/d]"


def measured(trial: nas.Trial) -> dict[str, float]:
    first, second = trial.architecture.genes
    if first == second:
        raise ValueError("[/d] \x1b[31m \u202e caf\udce9.png")
    return {"error": float(first), "size": float(10 - first)}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose every text is hostile, in a folder with a hostile name."""
    out = tmp_path_factory.mktemp("texts") / "r[/x] $(y)"
    objectives = [nas.Objective("error", UNIT), nas.Objective("size", "[/d]")]
    loop = nas.LoopSettings(evaluations=60, max_failures=1.0)
    nas.search(Texts(), objectives, measured, algorithm="random", loop=loop, out=out)
    return out


def printed(*arguments: str, width: str = "200") -> str:
    done = CliRunner(env={"COLUMNS": width}).invoke(app, list(arguments))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    for text in (done.stdout, done.stderr):
        assert printable(text) == text
    return done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("front",), ("front", "--knee"), ("front", "--prefer", "error=3", "--top", "3"), ("front", "--prefer", "error<0"),
        ("front", "--json"), ("watch", "--once"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_commands_print_hostile_texts_of_a_run_unchanged(run: Path, arguments: tuple[str, ...]) -> None:
    command, *options = arguments
    for width in ("200", "50"):
        text = "".join(printed(command, str(run), *options, width=width).split())
        if command == "front" and "--json" not in options and "error<0" not in options:
            assert "[conv3x3,[/d]]" in text or "[conv3x3,skip]" in text or ":smile:" in text


def test_the_front_shows_a_unit_with_control_characters_as_visible_escapes(run: Path) -> None:
    text = printed("front", str(run))
    assert r"\x1b]0;owned\x07" in text.replace("\n", "")
    assert "[conv3x3, " in text


def test_the_page_and_the_tables_of_a_run_with_hostile_texts_are_written(run: Path, tmp_path: Path) -> None:
    printed("report", str(run), "--out", str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<i>" not in page
    assert "\\u003ci>" in page or "\\u003ci\\u003e" in page
    assert nas.load_run(run)[0].frame["reason"].str.contains(r"caf\xe9.png", regex=False).any()


def test_a_search_into_a_folder_with_markup_in_its_name_ends_with_commands_that_can_be_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_plots: None
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parts.py").write_text(
        "import nas\nfrom nas.testing.toy import ToySpace, toy_error\n"
        "class Space(ToySpace):\n    name = '[/x]space'\n"
        "    def format(self, a): return '[' + ', '.join(map(str, a.genes)) + '][/d]'\n"
        "    def parse(self, text): return nas.Architecture(self.name, tuple(map(int, text[1:-5].split(', '))))\n"
    )
    config = (
        "space: 'parts.py:Space'\nevaluator: 'parts.py:toy_error'\nobjectives: [error]\nalgorithm: random\n"
        "budget: {evaluations: 12}\nexecutor: serial\nout: 'r[/x]y $(z)'\n"
    )
    (tmp_path / "search.yaml").write_text(config)
    text = printed("search", "search.yaml")
    assert "[/d]" in text
    line = next(line for line in text.splitlines() if "nas search --resume" in line)
    assert shlex.split(line.split("   ")[0].strip() or line.strip().split("   ")[0])[:4] == [
        "nas", "search", "--resume", "r[/x]y $(z)",
    ]  # fmt: skip


def test_the_console_takes_no_text_for_markup_emoji_or_control_characters() -> None:
    file = io.StringIO()
    console = PlainConsole(file=file, force_terminal=True, width=60, color_system=None)
    table = Table(title="[/d]\x1b[2J:smile:")
    table.add_column("[/h]\x1b]0;x\x07", footer="[/f]")
    table.add_row("[/c]\u202e")
    table.add_row(Text("[/t]\x9b31m"))
    console.print("[/a]\x1b[31m", table, Text("\x1b]8;;http://x\x07"), end="")
    with Live(console=console, transient=True) as live:
        live.update("[/l]\x07\x1b[5m")
    raw = file.getvalue()
    for mark in (
        "[/d]",
        ":smile:",
        "[/h]",
        "[/c]",
        "[/t]",
        "[/a]",
        "[/l]",
        r"\u202e",
        r"\x9b31m",
        r"\x1b]8;;",
    ):
        assert mark in raw
    for control in ("\x1b[31m", "\x1b]0", "\x1b]8", "\x07", "\u202e", "\x9b", "\x1b[5m", "\x1b[2J:"):
        assert control not in raw


def test_logs_warnings_and_tracebacks_of_the_command_are_printed_without_control_characters(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys
    import threading

    for thing, name in ((warnings, "showwarning"), (sys, "excepthook"), (threading, "excepthook")):
        monkeypatch.setattr(thing, name, getattr(thing, name))
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    loggers = [logging.getLogger(name) for name in ("nas", "py.warnings")]
    before = [list(logger.handlers) for logger in loggers]
    try:
        guard_standard_streams()
        logging.getLogger("nas.x").warning("log [/d]\x1b[2J")
        warnings.showwarning("warned \x1b[2J", UserWarning, "f.py", 1)
        thread = threading.Thread(target=lambda: int("thread \x1b[2J"))
        thread.start()
        thread.join()
        sys.excepthook(ValueError, ValueError("raised [/d]\x1b[2J"), None)
    finally:
        for logger, handlers in zip(loggers, before, strict=True):
            logger.handlers[:] = handlers
    said = capfd.readouterr().err
    assert "\x1b" not in said
    for text in (r"log [/d]\x1b[2J", r"warned \x1b[2J", r"thread \x1b[2J", r"raised [/d]\x1b[2J"):
        assert text.replace("\\x1b", "") in said.replace("\\\\", "\\").replace("\\x1b", "")


def test_refused_input_is_printed_without_control_characters(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    import nas.cli as command_line

    monkeypatch.setattr("nas.cli.console.guard_standard_streams", lambda: None)
    for arguments in (
        ["\x1b[2J[/d]"],
        ["front", "\x1b[2J[/d]"],
        ["front", "x", "--\x1b[2J"],
        ["list", "\u202e[/d]"],
    ):
        monkeypatch.setattr(sys, "argv", ["nas", *arguments])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        assert ended.value.code in (2, 4)
        said = capfd.readouterr().err
        assert said
        assert printable(said) == said


def test_a_stranger_s_run_with_control_characters_in_its_log_is_filtered(run: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    with sqlite3.connect(copy / "history.sqlite") as db:
        db.execute("UPDATE trials SET architecture = architecture || ?", ("\x1b]0;x\x07\u202e",))
        db.execute("UPDATE results SET worker = ?", ("\x1b[2J\u2066w",))
    text = printed("front", str(copy))
    assert r"\x1b]0;x\x07\u202e" in text.replace("\n", "").replace(" ", "")
    printed("watch", str(copy), "--once")


ALLOWED = {  # who may do what, and why
    "nas/cli/console.py": "the consoles themselves"
}
FORBIDDEN = {
    "print",
    "typer.echo",
    "typer.secho",
    "click.echo",
    "click.secho",
    "rich.print",
    "traceback.print_exc",
}
MAKERS = {"Console", "RichHandler", "Prompt", "Confirm", "from_markup", "StreamHandler"}
WATCHED = MAKERS | {name.rpartition(".")[2] for name in FORBIDDEN}
WATCHED |= {"markup", "emoji", "Panel", "TextColumn", "write"}  # names without which nothing below is found


def bypasses(path: Path) -> list[str]:
    """Calls in a file that reach a terminal, or read markup, beside the consoles of nas.cli.console."""
    found: list[str] = []
    text = path.read_text(encoding="utf-8")
    if not any(word in text for word in WATCHED):
        return found
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        names = {getattr(node.func, key, "") for key in ("attr", "id")} | {k.arg for k in node.keywords}
        if names.isdisjoint(WATCHED):  # unparsing every call takes seconds
            continue
        name = ast.unparse(node.func)
        if name == "print" and node.args and ast.unparse(node.args[0]).startswith("printable("):
            continue
        last = name.rpartition(".")[2]
        markup = [
            k for k in node.keywords if k.arg in ("markup", "emoji") and ast.unparse(k.value) != "False"
        ]
        title = [
            k
            for k in node.keywords
            if last == "Panel" and k.arg in ("title", "subtitle") and "Text(" not in ast.unparse(k.value)
        ]
        column = last == "TextColumn" and "markup=False" not in ast.unparse(node)
        stream = name in (
            "sys.stdout.write",
            "sys.stderr.write",
            "sys.__stdout__.write",
            "sys.__stderr__.write",
        )
        if name in FORBIDDEN or last in MAKERS or markup or title or column or stream:
            found.append(f"{path.relative_to(ROOT).as_posix()}:{node.lineno}: {ast.unparse(node)[:80]}")
    return found


def test_nothing_reaches_the_terminal_but_through_the_consoles() -> None:
    scripts = {"nas/cli/app.py": 'typer.echo(f"nas {version('}  # the version is our own text
    found = [
        line
        for path in sorted((ROOT / "nas").rglob("*.py"))
        if path.relative_to(ROOT).as_posix() not in ALLOWED
        for line in bypasses(path)
        if "multiobjective-nas" not in line or not line.startswith(tuple(scripts))
    ]
    assert found == []


def test_every_csv_file_is_written_by_the_one_function_that_makes_cells_safe() -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "nas").rglob("*.py")
        if ".to_csv(" in path.read_text(encoding="utf-8")
    }
    assert users <= {"nas/core/tables.py", "nas/runs/imported.py"}  # the latter hashes a table


def test_no_command_that_is_printed_holds_a_path_without_quotes() -> None:
    import re

    loose = re.compile(
        r"nas (search|front|export|report|watch|train|evaluate|compare)( --?[\w-]+)* \{(?!command|shell_quoted|folder\}|name)"
    )
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in (ROOT / "nas").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if loose.search(line)
    ]
    assert found == []


@pytest.mark.skipif(os.name != "posix", reason="bytes of file names")
def test_a_run_works_in_a_folder_whose_name_is_not_utf8(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes no such name")
    found = nas.search(
        Texts(),
        ["error"],
        measured,
        algorithm="random",
        out=folder,
        loop=nas.LoopSettings(evaluations=12, max_failures=1),
    )
    assert (folder / "history.parquet").is_file()
    assert len(found.front) == len(nas.load_run(folder)[0].front)
    assert str(found.front["architecture"][0]) in printed("front", str(folder)).replace(
        r"\x1b", "\x1b"
    ).replace(r"\u202e", "\u202e")
    printed("report", str(folder))


class Bytes(nas.SearchSpace):
    """A space whose text form has characters that no file can hold: an invalid UTF-8 byte, a lone surrogate and NUL."""

    name = "bytes\udce9"
    cardinalities = (30,)

    def format(self, architecture: nas.Architecture) -> str:
        return f"-caf\udce9\ud800\0{architecture.genes[0]}"

    def parse(self, text: str) -> nas.Architecture:
        head, found, number = text.partition("\0")
        if not found or head != "-caf\udce9\ud800":
            raise ArchitectureError(f"architecture {text!r}: not of this space")
        return nas.Architecture(self.name, (int(number),))


def test_a_space_whose_texts_cannot_be_stored_is_searched_resumed_reported_and_warm_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluate(trial: nas.Trial) -> dict[str, float]:
        return {"error": float(trial.architecture.genes[0])}

    out = tmp_path / "run"
    settings: dict[str, Any] = {"algorithm": "random"}
    nas.search(Bytes(), ["error"], evaluate, budget=10, out=out, **{"algorithm": "moead", **settings})
    monkeypatch.setattr("nas.report.plots.write_plots", lambda folder, table: [])  # drawn once
    again = nas.search(
        Bytes(), ["error"], evaluate, budget=12, out=out, resume=True, **{"algorithm": "moead", **settings}
    )
    assert again.summary["ok"] == 12
    assert read_csv(out / "front.csv")["architecture"].tolist() == again.front["architecture"].tolist()
    assert (out / "front.csv").read_text(encoding="utf-8").splitlines()[1].startswith("'-caf")
    more = nas.search(
        Bytes(),
        ["error"],
        evaluate,
        budget=5,
        out=tmp_path / "more",
        warm_start=out,
        **{"algorithm": "moead", **settings},
    )
    assert more.summary["imported"] == 12
    assert r"-caf\xe9\ud800\x00" in printed("front", str(out))
    printed("report", str(out))
