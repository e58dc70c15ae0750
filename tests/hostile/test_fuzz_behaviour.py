"""A search, a data set and a terminal survive any value, exception, folder content and image.

`NAS_FUZZ_INPUTS` scales every test (`make fuzz`).
"""

from __future__ import annotations

import asyncio
import builtins
import decimal
import fractions
import io
import math
import os
import sqlite3
import string
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing import bounded, fuzzed, fuzzed_a_little, refused
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

import nas
from nas.core.errors import NasError
from nas.core.records import RESERVED, Architecture, Status, Trial
from nas.core.tables import csv_text, read_csv
from nas.core.text import (
    command,
    from_spreadsheet_cell,
    markdown_code,
    markdown_text,
    printable,
    restored,
    shell_quoted,
    spreadsheet_cell,
    storable,
)
from nas.executors.worker import ERROR_LIMIT, run_trial
from nas.runs.history import read_history
from nas.testing.toy import ToySpace

pytestmark = pytest.mark.usefixtures("no_plots")
TRIAL = Trial(3, Architecture("toy", (1, 2)), seed=7)
ERROR = frozenset({"error"})

# Any text at all, lone surrogates included, and pieces that something takes for a command.
_PIECES = [
    "\x1b[2J", "\x1b]0;t\x07", "\x9b31m", "\u202e", "\u2066", "\u200b", "\ufeff", "\x00", "\r", "\n", "\t", "[/d]", "[bold]", ":smile:",
    "=1+1", "+", "-", "@", "'", '"', "`", "|", "<script>", "&lt;", "$x^2$", "$(id)", "\\", "\\x1b", "%s", "{}", "\ud800", "\udce9", "\U000e0001",
]  # fmt: skip
texts = st.one_of(
    st.text(st.characters(codec=None, categories=None), max_size=30),
    st.lists(st.sampled_from(_PIECES) | st.text(max_size=5), max_size=6).map("".join),
)


class Hostile:
    """An object each of whose methods raises, something else each time."""

    def __init__(self, error: BaseException) -> None:
        object.__setattr__(self, "_error", error)

    def _fail(self, *_: Any) -> Any:
        raise object.__getattribute__(self, "_error")

    __getattr__ = __repr__ = __str__ = __float__ = __iter__ = __len__ = __bool__ = __eq__ = __hash__ = (
        __int__
    ) = _fail  # type: ignore[assignment]


class Later:
    """Holds an exception, or stands for a `Hostile` object, until the test runs: hypothesis itself asks values for their hash and their text."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def real(value: Any) -> Any:
    """The value with every `Later` made."""
    if isinstance(value, Later):
        return Hostile(value.error)
    if type(value) is dict:
        return {key: real(inner) for key, inner in value.items()}
    return value


class HostileText(str):
    def _fail(self, *_: Any) -> Any:
        raise RuntimeError("no text")

    __str__ = __format__ = encode = split = strip = splitlines = isascii = isprintable = _fail  # type: ignore[assignment]


class Broken(Mapping[Any, Any]):
    """A mapping that fails when it is read."""

    def __getitem__(self, key: Any) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Any:
        raise GeneratorExit

    def __len__(self) -> int:
        return 1


_BASES: list[type[BaseException]] = [
    Exception, BaseException, ValueError, OSError, MemoryError, KeyError, UnicodeError, StopIteration, StopAsyncIteration,
    KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError, RecursionError, SyntaxError, ImportError,
]  # fmt: skip


def _odd_str(kind: int, text: str) -> Callable[[Any], Any]:
    def show(self: Any) -> Any:
        if kind == 0:
            raise RuntimeError(text)
        if kind == 1:
            return 5
        if kind == 2:
            return str(self)
        if kind == 3:
            raise SystemExit(text)
        if kind == 4:
            return HostileText(text)
        return text * 5000

    return show


@st.composite
def exceptions(draw: st.DrawFn, depth: int = 2) -> BaseException:
    """An exception of any class, with any name, arguments, text, cause, notes and members."""
    base = draw(st.sampled_from(_BASES))
    name = draw(texts.map(lambda t: t.encode("utf-8", "replace").decode().replace("\0", "")) | st.just("Own"))
    body: dict[str, Any] = {}
    for method in ("__str__", "__repr__"):
        if draw(st.integers(0, 4)) == 0:
            body[method] = _odd_str(draw(st.integers(0, 5)), draw(texts))
    kind = type(name, (base,), body) if draw(st.booleans()) else base
    arguments = draw(
        st.lists(texts | texts.map(HostileText) | st.integers() | st.just(Later(ValueError())), max_size=3)
    )
    try:
        error = kind(*map(real, arguments))
    except Exception:  # such as UnicodeDecodeError, which wants its own arguments
        error = kind()
    if depth and draw(st.integers(0, 3)) == 0:
        error.__cause__ = draw(exceptions(depth - 1))
        if draw(st.integers(0, 3)) == 0:
            error.__cause__.__cause__ = error
    group = getattr(builtins, "BaseExceptionGroup", None)  # from Python 3.11 on
    if group is not None and depth and draw(st.integers(0, 7)) == 0:
        error = group(draw(texts), [draw(exceptions(depth - 1)), error])
    return error


numbers = st.one_of(
    st.floats(), st.integers(), st.integers(10**300, 10**400), st.decimals(), st.fractions(), st.booleans(), st.complex_numbers(),
    st.floats(width=32).map(np.float32), st.integers(-(2**31), 2**31).map(np.int64), st.floats().map(np.array), st.floats().map(lambda x: np.array([[x]])),
    st.just(decimal.Decimal("sNaN")), st.just(fractions.Fraction(1, 3)), st.just(np.bool_(True)),
)  # fmt: skip
values = st.one_of(
    numbers, texts, st.none(), st.binary(max_size=5), st.lists(st.integers(), max_size=3), st.just(np.zeros((3, 4))), st.just(np.zeros(0)),
    st.just({}), st.just(len), st.just(int), st.just(np.datetime64("NaT")), exceptions().map(Later), texts.map(HostileText),
    texts.map(lambda t: np.array([t], dtype=object)), st.just(np.array(["x"])),
)  # fmt: skip
keys = st.one_of(
    texts, texts.map(HostileText), texts.map(np.str_), st.sampled_from(sorted(RESERVED)), st.sampled_from(["error", "reported_seconds", "params"]),
    st.integers(), st.none(), st.binary(max_size=3), st.tuples(st.integers()),
)  # fmt: skip
returned = st.one_of(
    st.dictionaries(keys, values, max_size=6),
    st.dictionaries(keys, values, max_size=4).map(lambda found: {**found, "error": 1.0}),
    values,
    st.just(Broken()),
)


def check_result(result: nas.Result) -> None:
    for text in (result.error, result.worker, *result.values):
        assert type(text) is str
        assert storable(text) == text
    assert all(type(value) is float and math.isfinite(value) for value in result.values.values())
    assert len(result.error) <= ERROR_LIMIT
    assert (result.status is Status.OK) == ("error" in result.values)
    assert result.ok or result.error
    first = (result.error.splitlines() or [""])[0]
    assert printable(first, newlines=False) == first


@fuzzed
@given(value=returned)
def test_whatever_a_candidate_returns_is_a_result(value: Any) -> None:
    with bounded():
        result = run_trial(lambda trial: real(value), TRIAL, ERROR)
    check_result(result)
    if type(value) is dict and type(value.get("error")) is float and math.isfinite(value["error"]):
        assert result.ok, result.error


@st.composite
def held_exceptions(draw: st.DrawFn) -> Later:
    """An exception out of hypothesis' sight, which would ask it for its text."""
    return Later(draw(exceptions()))


@fuzzed
@given(later=held_exceptions())
def test_whatever_a_candidate_raises_is_a_failed_result(later: Later) -> None:
    def evaluate(trial: Trial) -> Any:
        raise later.error

    with bounded():
        result = run_trial(evaluate, TRIAL, ERROR)
    check_result(result)
    assert result.status in (Status.FAILED, Status.OUT_OF_MEMORY)


@fuzzed_a_little
@given(seen=st.lists(returned | exceptions(), min_size=4, max_size=8), unit=texts)
def test_a_search_over_such_candidates_is_recorded_read_and_resumed(
    tmp_path_factory: pytest.TempPathFactory, seen: list[Any], unit: str
) -> None:
    def evaluate(trial: Trial) -> Any:
        value = seen[trial.id % len(seen)]
        if isinstance(value, BaseException):
            raise value
        return real(value)

    out = tmp_path_factory.mktemp("run") / "run"
    objectives = [nas.Objective("error", unit), nas.Objective("params", cheap=True)]
    settings: dict[str, Any] = {"algorithm": "random", "out": out, "loop": nas.LoopSettings(max_failures=1.0)}
    count = len(seen)
    first = nas.search(ToySpace(), objectives, evaluate, budget=count, **{"algorithm": "moead", **settings})
    again = nas.search(
        ToySpace(), objectives, evaluate, budget=count + 2, resume=True, **{"algorithm": "moead", **settings}
    )
    assert (first.summary["evaluations"], again.summary["evaluations"]) == (count, count + 2)
    frame, _ = read_history(out)
    assert frame.columns.is_unique
    assert frame["reason"].iloc[:count].tolist() == first.history["reason"].tolist()
    assert read_csv(out / "front.csv")["architecture"].tolist() == again.front["architecture"].tolist()


@fuzzed
@given(text=texts)
def test_any_text_is_stored_printed_quoted_and_put_into_a_table(text: str) -> None:
    kept = storable(text)
    kept.encode("utf-8")
    if "\\" not in text:
        assert restored(kept) == text
    for shown in (
        printable(text),
        markdown_text(text),
        markdown_code(text),
        shell_quoted(text),
        command("nas", text),
    ):
        assert printable(shown) == shown
        assert not set(shown) & set("\x00\x1b\x9b\r\u202e\u200b\u2028")
    for shown in (markdown_text(text), markdown_code(text)):
        assert "\n" not in shown
    assert "<" not in markdown_text(text)
    cell = spreadsheet_cell(text)
    assert from_spreadsheet_cell(cell) == kept
    assert (
        cell.lstrip("+-.").split("e")[0].replace(".", "").isdecimal()
        or cell.lstrip()[:1] not in tuple("=+-@")
        or "e" in cell
    )


@fuzzed
@given(cells=st.lists(texts, min_size=1, max_size=5), name=texts)
def test_a_table_of_any_texts_reads_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str], name: str
) -> None:
    import pandas as pd

    file = tmp_path_factory.getbasetemp() / "table.csv"
    frame = pd.DataFrame({"architecture": [storable(cell) for cell in cells], "value": range(len(cells))})
    file.write_bytes(csv_text(frame).encode())
    assert read_csv(file)["architecture"].tolist() == frame["architecture"].tolist()


def test_the_shell_reads_quoted_text_unchanged(tmp_path: Path) -> None:
    import random
    import subprocess

    draw = random.Random(1)
    pieces = [p for p in _PIECES if "\x00" not in p and "\ud800" not in p] + list(string.printable)
    words = ["".join(draw.choices(pieces, k=draw.randrange(8))) for _ in range(300)]
    environment = {"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["bash", "-c", command("printf", r"%s\0", *words)], capture_output=True, check=True, env=environment
    )
    assert [os.fsdecode(word) for word in done.stdout.split(b"\0")[:-1]] == words


# Folders

_NAMES = [
    "front.csv", "config.json", "summary.json", "history.sqlite", "history.sqlite-wal", "history.parquet", "report.html", "curves.csv", "history.csv",
    "weights/a.pt", "weights/index.json", "plots/front.png", "plots", "weights", ".lock", ".report.html.part", "surrogate.csv", "live.json", "notes.txt",
    "src/model.py", ".git/config", "caf\udce9.bin", "[/d]", "a b", "\x1b[2J", "export/x/card.md", "mlflow.db", "tensorboard/events", "config.json.part",
]  # fmt: skip
contents = st.dictionaries(
    st.sampled_from(_NAMES), st.binary(max_size=20) | st.just(b"{}") | st.none(), min_size=1, max_size=5
)


def snapshot(folder: Path) -> dict[str, tuple[str, bytes | str]]:
    """Every file and link below a folder with its content."""
    found: dict[str, tuple[str, bytes | str]] = {}
    for place, folders, files in os.walk(folder):
        for name in [*files, *folders]:
            path = Path(place) / name
            if path.is_symlink():
                found[str(path)] = ("link", os.readlink(path))
            elif path.is_file():
                found[str(path)] = ("file", path.read_bytes())
    return found


@fuzzed_a_little
@given(files=contents)
def test_a_search_leaves_every_file_that_was_in_its_folder_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes | None]
) -> None:
    base = tmp_path_factory.mktemp("mine")
    outside, out = base / "outside", base / "out"
    outside.mkdir()
    out.mkdir()
    (outside / "precious.pt").write_bytes(b"mine")
    for name, data in files.items():
        path = out / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(outside if data is None else path) if data is None else path.write_bytes(data)
        except OSError:  # one name is a folder in another
            continue
    # both empty: the leftovers of a search killed at its start
    assume(not files.get(".lock") == files.get("history.sqlite") == b"")
    before = snapshot(base)
    settings: dict[str, Any] = {"algorithm": "random", "out": out, "budget": 4}
    said = "nothing"
    with bounded():
        try:
            nas.search(
                ToySpace(), ["error"], lambda trial: {"error": 1.0}, **{"algorithm": "moead", **settings}
            )
        except NasError as error:
            said = str(error)
    assert said
    after = snapshot(base)
    assert {name: after.get(name) for name in before} == before


_IMAGE_NAMES = [
    "a/1.png", "a/2.png", "b/1.png", "b/sub/2.png", "train/a/1.png", "train/b/2.png", "test/a/1.png", "val/b/1.png", "dev/a/1.png", "train/1.png",
    "a/notes.txt", "Thumbs.db", "a/.hidden.png", ".git/a/1.png", "a/x.PNG", "b/damaged.png", "labels.csv", "a/1.txt", "c/none", "\x1b[2J/1.png", "caf\udce9/1.png",
    "[/d]/1.png", "train/train/1.png", "1.png", "a/link.png", "a/loop",
]  # fmt: skip


@fuzzed
@given(
    names=st.lists(st.sampled_from(_IMAGE_NAMES), min_size=1, max_size=10, unique=True),
    skip=st.booleans(),
    damaged=st.booleans(),
)
def test_every_file_of_a_folder_of_images_is_used_ignored_or_damaged(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], skip: bool, damaged: bool
) -> None:
    from nas.training import check, data_from_config

    root = tmp_path_factory.mktemp("images")
    total = 0
    for name in names:
        path = root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith("loop"):
                path.symlink_to(root)
                continue
            path.write_bytes(b"broken" if "damaged" in name or (damaged and total == 1) else PNG)
            total += name != "labels.csv"
        except OSError:
            continue

    def look() -> None:
        report = check(data_from_config({"name": "folder", "path": str(root), "skip_damaged": skip}))
        for line in report.lines():
            assert line

    refused(look)


def _png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 10, 10)).save(file, "PNG")
    return file.getvalue()


PNG = _png()

# Images

_MODES = [
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "I;16",
    "I;16B",
]
_FORMATS = ["PNG", "TIFF", "JPEG", "BMP", "GIF", "WEBP", "PPM"]


@st.composite
def images(draw: st.DrawFn) -> tuple[bytes, str]:
    """A file of a random mode, format, size, orientation and transparency, and its mode."""
    mode, kind = draw(st.sampled_from(_MODES)), draw(st.sampled_from(_FORMATS))
    size = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    try:
        image = Image.new(mode, size)
        high = draw(st.sampled_from([1, 255, 256, 65535, -1, 0.5]))
        shape = (size[1], size[0], len(image.getbands()))
        noise = np.random.default_rng(draw(st.integers(0, 99))).uniform(0, high if high > 0 else 300, shape)
        bands = noise.astype(
            {"I": np.int32, "F": np.float32, "I;16": np.uint16, "I;16B": ">u2"}.get(mode, np.uint8)
        )
        if mode == "1":
            ImageDraw.Draw(image).point((0, 0), 1)
        else:
            image.frombytes(bands.tobytes()[: len(image.tobytes())])
    except (ValueError, OSError, TypeError, OverflowError):
        image = Image.new("L", size, 7)
    more: dict[str, Any] = {}
    if draw(st.booleans()):
        exif = Image.Exif()
        exif[0x0112] = draw(st.integers(-1, 10) | st.just("6"))
        more["exif"] = exif
    if draw(st.integers(0, 3)) == 0:
        more["transparency"] = draw(st.integers(0, 255) | st.binary(max_size=4) | st.just((1, 2, 3)))
    file = io.BytesIO()
    for given_more in (more, {}):
        try:
            file.seek(0)
            file.truncate()
            image.save(file, kind, **given_more)
            return file.getvalue(), image.mode
        except Exception:  # a format that does not hold this
            continue
    return PNG, "RGB"


@fuzzed
@given(image=images(), channels=st.sampled_from([1, 3]), cut=st.integers(0, 400))
def test_an_image_of_any_mode_is_decoded_as_shown_or_refused(
    image: tuple[bytes, str], channels: int, cut: int
) -> None:
    from nas.training.data.decode import read_numbers, read_turned

    data, _ = image
    data = data[:cut] if cut < 20 else data

    def look() -> None:
        decoded, orientation = read_turned("x.png", data, channels)
        assert decoded.mode == {1: "L", 3: "RGB"}[channels]
        assert 1 <= orientation <= 8
        width, height = Image.open(io.BytesIO(data)).size
        assert sorted(decoded.size) == sorted((width, height))
        with Image.open(io.BytesIO(data)) as plain:
            if plain.mode in ("L", "RGB") and not plain.info.get("transparency") and orientation == 1:
                same = np.asarray(plain.convert("RGB").convert({1: "L", 3: "RGB"}[channels]))
                assert np.abs(same.astype(int) - np.asarray(decoded).astype(int)).max() <= 1

    refused(look)
    refused(read_numbers, "mask.png", data)


def test_a_log_with_any_text_in_its_cells_is_read_or_refused(tmp_path: Path) -> None:
    import random

    out = tmp_path / "run"
    nas.search(ToySpace(), ["error"], lambda trial: {"error": 1.0}, algorithm="random", budget=4, out=out)
    draw = random.Random(3)
    for _ in range(20):
        text = storable("".join(draw.choices(_PIECES, k=3)))
        with sqlite3.connect(out / "history.sqlite") as db:
            db.execute(
                f"UPDATE {draw.choice(['trials SET architecture', 'results SET error', 'results SET worker'])} = ?",
                (text,),
            )
        assert not refused(nas.load_run, out)
