"""The first example of docs/own-objective.md runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_first_example_searches_with_its_objective(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS / "examples")
    text = (DOCS / "own-objective.md").read_text(encoding="utf-8")
    (code, *_) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code.replace("budget=60", "budget=20"), "own-objective.md", "exec"), names)
    front = names["found"].front  # type: ignore[attr-defined]
    assert (front["depth"] <= 9).all()
