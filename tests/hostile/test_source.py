"""Promises of docs/security.md that the source itself keeps."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    p for top in ("nas", "search_spaces", "surrogates", "experiments") for p in (ROOT / top).rglob("*.py")
)


WORDS = re.compile(r"\b(load|loads|read_pickle|eval|exec|system|popen|shell)\b")


@cache
def calls(file: Path) -> list[tuple[str, ast.Call]]:
    """Every call by a dotted name in a file that has a word of interest here, with that name."""
    text = file.read_text(encoding="utf-8")
    if not WORDS.search(text):
        return []
    return [(dotted(node.func), node) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]


def dotted(node: ast.expr) -> str:
    """`a.b.c` for such an expression; the value before the first attribute may be anything."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def keyword(call: ast.Call, name: str) -> object:
    """The constant that a call passes by this name, None if it passes none."""
    found = [k.value for k in call.keywords if k.arg == name]
    return found[0].value if found and isinstance(found[0], ast.Constant) else None


def named(wanted: str) -> list[tuple[str, ast.Call]]:
    return [
        (f"{file.relative_to(ROOT)}:{call.lineno}", call)
        for file in FILES
        for name, call in calls(file)
        if name == wanted or name.endswith(f".{wanted}")
    ]


def test_torch_loads_nothing_but_tensors_and_plain_values() -> None:
    found = named("torch.load")
    assert found
    assert [where for where, call in found if keyword(call, "weights_only") is not True] == []


def test_numpy_loads_no_objects() -> None:
    assert [where for where, call in named("np.load") if keyword(call, "allow_pickle") is not False] == []


@pytest.mark.parametrize(
    "reader", ["pickle.load", "joblib.load", "pd.read_pickle", "yaml.load", "marshal.loads"]
)
def test_nothing_reads_objects_that_run_code(reader: str) -> None:
    assert named(reader) == []


def test_the_only_unpickling_is_between_a_search_and_its_own_workers() -> None:
    """Over Ray, and between the search's process and its separate process for Ray."""
    unpickling = {
        file.relative_to(ROOT).as_posix()
        for file in FILES
        for name, _ in calls(file)
        if name in ("pickle.loads", "cloudpickle.loads")
    }
    assert unpickling
    assert {place for place in unpickling if not place.startswith("nas/executors/ray")} == set()


@pytest.mark.parametrize("runner", ["eval", "exec", "os.system", "os.popen"])
def test_nothing_runs_text_as_code_but_an_export_that_tries_the_file_it_made(runner: str) -> None:
    found = [file.relative_to(ROOT).as_posix() for file in FILES for name, _ in calls(file) if name == runner]
    assert found == (["nas/export/standalone.py"] if runner == "exec" else [])


def test_no_command_goes_through_a_shell() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{call.lineno}"
        for file in FILES
        for _, call in calls(file)
        if keyword(call, "shell") is True
    ]
    assert found == []
