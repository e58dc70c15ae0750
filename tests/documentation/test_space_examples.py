"""The examples of declared spaces: short, the same in Python and YAML, and they run."""

from __future__ import annotations

import ast
import json
import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import nas
from nas.config.assemble import make_problem
from nas.config.schema import check_config, read_config
from nas.core.yaml_text import parse_yaml
from nas.spaces.making import make_space
from nas.testing import check_space

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
NAMES = ("resnets", "vits", "mlps", "tabular")
QUICK = {"recipe": {"epochs": 1, "max_pictures": 20}}
OBJECTIVES = {
    "resnets": ["error", "params", "madds", "peak_memory"],
    "vits": ["error", "madds", "activations"],
    "mlps": ["error", "params"],
    "tabular": ["rmse", "kilobytes"],
}

every_example = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which has a few images of two classes."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "images" / label).mkdir(parents=True)
        for i in range(12):
            pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / label / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def users_lines(text: str) -> int:
    """Lines of code without imports, classes, docstrings and comments."""
    left_out: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        docstring = (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        )
        if docstring or isinstance(node, (ast.Import, ast.ImportFrom, ast.ClassDef)):
            left_out |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))  # type: ignore[attr-defined]
    lines = enumerate(text.splitlines(), start=1)
    return sum(
        1 for i, line in lines if i not in left_out and line.strip() and not line.strip().startswith("#")
    )


def run_script(name: str, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> list[nas.SearchResult]:
    """The searches of a script, with other arguments."""
    found = []
    search = nas.search

    def changed(*arguments: Any, **more: Any) -> nas.SearchResult:
        found.append(search(*arguments, **{**more, **changes}))
        return found[-1]

    monkeypatch.setattr(nas, "search", changed)
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    return found


def declared_in(name: str) -> nas.Space:
    space = runpy.run_path(str(EXAMPLES / f"{name}.py"))["space"]
    assert isinstance(space, nas.Space)
    return space


@every_example
def test_an_example_has_at_most_twenty_lines_beside_the_network(name: str) -> None:
    assert users_lines((EXAMPLES / f"{name}.py").read_text(encoding="utf-8")) <= 20


@every_example
def test_a_script_finds_a_front_and_prints_it(
    name: str, images: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changes: dict[str, Any] = {"budget": 2, "algorithm": "random"}
    if name in ("resnets", "vits"):
        changes["training"] = QUICK
    (found,) = run_script(name, monkeypatch, **changes)
    assert set(OBJECTIVES[name]) <= set(found.front.columns)
    assert set(OBJECTIVES[name]) <= set(capsys.readouterr().out.split())
    assert np.isfinite(found.front[OBJECTIVES[name]].to_numpy(float)).all()


@every_example
@pytest.mark.usefixtures("no_plots")
def test_a_config_runs_the_same_search(name: str, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nas.cli import main

    few = ["budget=2", "algorithm=random"]
    if name in ("resnets", "vits"):
        few += ["evaluator.recipe.epochs=1", "evaluator.recipe.max_pictures=20"]
    arguments = [part for setting in few for part in ("--set", setting)]
    file = str(EXAMPLES / f"{name}.yaml")
    monkeypatch.setattr(
        "sys.argv", ["nas", "search", file, "--executor", "serial", "--out", "run", *arguments]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert set(OBJECTIVES[name]) <= set(pd.read_csv("run/front.csv").columns)


@every_example
def test_a_config_declares_the_space_of_its_script(name: str, images: Path) -> None:
    problem = make_problem(check_config(read_config(EXAMPLES / f"{name}.yaml")), EXAMPLES)
    space, script = problem.space, declared_in(name)
    assert isinstance(space, nas.Space)
    assert space.declaration.genes == script.declaration.genes
    assert (space.name, space.size, space.lacks) == (script.name, script.size, script.lacks)
    assert list(problem.names) == OBJECTIVES[name]


def test_the_two_forms_of_a_parameter_in_the_guide_are_the_same() -> None:
    page = (EXAMPLES.parent / "define-space.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]*\| `(nas\.\w+\(.*?\))` \| `(.*?)` \|$", page, re.MULTILINE)
    assert len(rows) == 7
    for python, text in rows:
        by_python = nas.Space("s", a=eval(python, {"nas": nas}))
        by_yaml = make_space("s", {"parameters": {"a": parse_yaml(text)}})
        assert by_python.declaration.genes == by_yaml.declaration.genes, text  # type: ignore[attr-defined]


def test_the_notebook_has_the_code_of_the_script() -> None:
    notebook = json.loads((EXAMPLES.parent / "notebooks" / "define_space.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    shown = [ast.dump(node) for cell in cells for node in ast.parse("".join(cell["source"])).body]
    script = ast.parse((EXAMPLES / "resnets.py").read_text(encoding="utf-8")).body
    assert [ast.unparse(node) for node in script[1:-1] if ast.dump(node) not in shown] == []


@every_example
def test_a_space_of_an_example_keeps_the_contract(name: str) -> None:
    check_space(declared_in(name), range(4))


def test_the_heads_of_a_transformer_share_its_width() -> None:
    space = declared_in("vits")
    widths = {(c["width"], c["heads"]) for c in map(space.choices, space.enumerate())}
    assert (48, 3) in widths
    assert all(width % heads == 0 for width, heads in widths)


@pytest.mark.slow
def test_small_resnets_learn_real_images(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = shared_data / "images" / "cifar10_subset10k.parquet"
    if not data.is_file():
        pytest.skip(f"no CIFAR-10 images at {data}")
    (found,) = run_script(
        "resnets",
        monkeypatch,
        data=data,
        training={"recipe": {"epochs": 2, "max_pictures": 2000}},
        budget=3,
        algorithm="random",
    )
    assert found.front["error"].min() < 80  # guessing has an error of 90 %
