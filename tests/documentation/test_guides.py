"""The guides of the documentation: each need of the navigation starts with one, and its commands and code run as they stand.

Budgets and epochs are cut, data and networks are stand-ins for the reader's.
"""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from sklearn.datasets import load_digits

import nas
from tests.shared.commands import Done, nas_in
from tests.shared.shrink_parts import NETWORK, Plain

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
QUICK = ("--executor", "serial", "--budget", "4")
# the first page of each need, and the test that runs it
GUIDES = {
    "start.md": "documentation/test_first_search.py",
    "define-space.md": "documentation/test_guides.py",
    "own-images.md": "documentation/test_guides.py",
    "shrink.md": "documentation/test_guides.py",
    "deployment.md": "documentation/test_docs.py",  # its code is marked runnable
    "cluster.md": "executors/test_cluster_examples.py",
    "compare-two.md": "documentation/test_examples.py",
    "own-objective.md": "documentation/test_examples.py",
    "own-evaluator.md": "documentation/test_examples.py",
    "own-algorithm.md": "documentation/test_examples.py",
    "own-surrogate.md": "documentation/test_examples.py",
}
Run = Callable[..., Done]


def fenced(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in a language."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(page: str) -> Iterator[list[str]]:
    """The commands `nas ...` of the blocks of a page, without `nas`."""
    for line in "".join(fenced(page, "sh")).splitlines():
        program, *words = shlex.split(line, comments=True)
        assert program == "nas"
        yield words


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `nas`."""
    return nas_in(monkeypatch, capsys)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, in which `images/` has 40 digits of each of three classes, as coloured images of 40x36 pixels."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    digits = load_digits()
    for number, label in enumerate(("bird", "cat", "dog")):
        (tmp_path / "images" / label).mkdir(parents=True)
        for i, pixels in enumerate(digits.images[digits.target == number][:40]):
            image = Image.fromarray((pixels * 15).astype(np.uint8)).resize((40, 36))
            image.convert("RGB").save(tmp_path / "images" / label / f"{i}.png")
    return tmp_path


def test_the_first_page_of_each_need_is_run_by_a_test() -> None:
    needs: list[dict[str, Any]] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    first = [next(iter(need.values()))[0] for need in needs]
    extend = next(need["Extend"] for need in needs if "Extend" in need)
    assert isinstance(first[0], dict)  # the home page
    assert {"start.md", *first[1:-1], *extend[:4]} == set(GUIDES)
    for page, file in GUIDES.items():
        text = (ROOT / "tests" / file).read_text(encoding="utf-8")
        included = re.findall(r"<!-- include: examples/(\S+) -->", (DOCS / page).read_text(encoding="utf-8"))
        runnable = "<!-- runnable -->" in (DOCS / page).read_text(encoding="utf-8")
        named = [page, *included, *(Path(name).stem for name in included), *(["runnable"] * runnable)]
        assert any(Path(name).name in text for name in named), page


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_your_own_images_become_a_classifier(folder: Path, command: Run) -> None:
    (config,) = fenced("own-images.md", "yaml")
    Path("photos.yaml").write_text(config)
    cut = {"search": [*QUICK, "--set", "evaluator.recipe.epochs=1"], "export": ["--epochs", "2"]}
    ran = []
    for words in commands("own-images.md"):
        done = command(*words, *cut.get(words[0], []))
        assert done.code == 0, done.all
        ran.append(words[0])
    assert ran == ["data", "space", "search", "front", "export"]
    assert (pd.read_csv("runs/photos/front.csv")["madds"] <= 50e6).all()
    (exported,) = Path("runs/photos/export").glob("*/classify.py")
    image = str(next(Path("images/cat").iterdir()).resolve())
    done = run_script(exported, image)
    assert re.search(r"bird|cat|dog", done)


def run_script(path: Path, *arguments: str) -> str:
    """The output of a Python file."""
    done = subprocess.run(
        [sys.executable, str(path), *arguments], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def quick_search(monkeypatch: pytest.MonkeyPatch, folders: Iterator[str], **settings: Any) -> None:
    """Cut the searches of a page's code; each writes to the next folder."""
    training = {"recipe": {"epochs": 1, "max_pictures": 30}}
    search = nas.search

    def cut(*arguments: Any, **given: Any) -> Any:
        return search(
            *arguments, **{**given, "budget": 3, "training": training, "out": next(folders), **settings}
        )

    monkeypatch.setattr(nas, "search", cut)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_code_for_your_own_images_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick_search(monkeypatch, iter(["runs/photos"]))
    (code,) = fenced("own-images.md", "python")
    names: dict[str, Any] = {}
    exec(code, names)
    assert len(names["found"].history) == 3


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_code_of_define_a_space_runs_from_the_declaration_to_the_export(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = runpy.run_path(str(DOCS / "examples" / "resnets.py"))["space"]
    quick_search(monkeypatch, iter(["runs/resnets", "runs/known"]), data={"name": "images", "resolution": 32})
    monkeypatch.setattr(nas, "export_run", partial(nas.export_run, onnx=False))
    names: dict[str, Any] = {"nas": nas, "space": space}
    first: Any = None
    for code in fenced("define-space.md", "python"):
        if "load_network" in code:
            names["found"] = first  # of runs/resnets
        exec(code, names)
        first = first or names.get("found")
        names["space"] = space  # a block declares a smaller one
    assert list(Path("runs/resnets/export").glob("*/network.py"))
    assert isinstance(names["network"], torch.nn.Module)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_trained_network_is_shrunk_by_the_commands_of_the_page(folder: Path, command: Run) -> None:
    Path("my_net.py").write_text(NETWORK)
    torch.manual_seed(0)
    torch.save(Plain().state_dict(), "trained.pt")
    cut = {
        "shrink": ["--data", "digits", *QUICK, "--set", "evaluator.recipe={epochs: 1, max_pictures: 128}"],
        "export": ["--data", "digits"],
    }
    for words in commands("shrink.md"):
        done = command(*words, *cut.get(words[0], []))
        assert done.code == 0, done.all
    assert list(Path("runs/smaller/export").glob("*/network.int8.onnx"))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("config", ["compare.yaml", "peers.yaml"])
def test_a_comparison_of_the_page_runs(folder: Path, command: Run, config: str) -> None:
    if config == "peers.yaml":
        pytest.importorskip("optuna")
    done = command(
        "compare", str(DOCS / "examples" / config), "--seeds", "2", "--set", "budget=25", "--out", "out"
    )
    assert done.code == 0, done.all
    assert list(Path("out/figures").glob("quality_*.png"))
