"""`nas front` and `nas show` with the parameters of a space."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nas

SPACE = """import nas

space = nas.Space("small", width=nas.Choice(16, 32), se=nas.Choice(None, 0.25), rate=nas.Float(0, 1, when={"width": 32}))
"""


def loss(c: Any) -> float:
    return float(sum((i + 1) * g for i, g in enumerate(c.genes)))


def size(c: Any) -> float:
    return -float(c.width)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_plots: None) -> Path:
    monkeypatch.chdir(tmp_path)
    space = nas.Space(
        "small", width=nas.Choice(16, 32), se=nas.Choice(None, 0.25), rate=nas.Float(0, 1, when={"width": 32})
    )
    nas.search(space, [loss, size], algorithm="random", budget=14, out=tmp_path / "run")
    return tmp_path / "run"


def test_the_front_has_a_column_per_parameter(run: Path, nas_command: Any) -> None:
    lines = nas_command("front", "run").out.splitlines()
    assert [cell.strip() for cell in lines[2].strip("┃").split("┃")] == [
        "architecture",
        "loss",
        "size",
        "width",
        "se",
        "rate",
    ]
    rows = [[c.strip() for c in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    assert rows[0] == ["width=16/se=None", "0", "-16.00", "16", "None", ""]
    assert rows[1][3:] == ["32", "None", "0"]


def test_json_has_null_for_an_inactive_parameter(run: Path, nas_command: Any) -> None:
    plain = json.loads(nas_command("front", "run", "--json").out)
    assert [(row["width"], row["se"], row["rate"]) for row in plain] == [(16, "None", None), (32, "None", 0)]
    ranked = json.loads(nas_command("front", "run", "--json", "--knee").out)["rows"]
    assert ranked[0]["parameters"] == {"width": 16, "se": "None", "rate": None}


def test_a_parameter_ranks_the_front(run: Path, nas_command: Any) -> None:
    rows = json.loads(nas_command("front", "run", "--json", "--by", "width", "--largest").out)
    assert [row["width"] for row in rows] == [32, 16]
    assert nas_command("front", "run", "--by", "se").code == 2


def test_show_lists_the_parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nas_command: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spaces.py").write_text(SPACE)
    shown = nas_command("show", "spaces.py:space", "width=32/se=None/rate=0.2").out
    assert [line.split() for line in shown.splitlines()[1:4]] == [
        ["width", "32"],
        ["se", "None"],
        ["rate", "0.2"],
    ]
