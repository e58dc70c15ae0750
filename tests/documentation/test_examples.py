"""The files of the guides run as they stand, and their parts keep their contracts."""

from __future__ import annotations

import importlib
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nas.config.schema import check_config, read_config
from nas.training.data import Digits

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
NAS = "from nas.cli import main; main()"


def run(folder: Path, *arguments: str) -> str:
    """What Python prints when it is called in a folder with these arguments."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A function that imports a file of the examples, which are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield importlib.import_module
    for file in EXAMPLES.glob("*.py"):
        sys.modules.pop(file.stem, None)


def test_every_example_is_included_in_a_page() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    shown = [file.name for file in EXAMPLES.iterdir() if file.suffix in (".py", ".yaml")]
    assert [name for name in shown if f"examples/{name}" not in pages] == []


@pytest.mark.slow
def test_the_algorithm_keeps_its_contract_and_finds_a_front(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    runpy.run_path(str(EXAMPLES / "own_algorithm.py"), run_name="__main__")
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["architecture", "error", "madds"]
    assert len(rows) >= 5


def test_the_algorithm_can_be_named_in_a_config_with_its_settings() -> None:
    from nas.config.assemble import assemble

    values = read_config(EXAMPLES / "own_space.yaml")
    values["algorithm"] = {"name": "own_algorithm.py:FrontMutation", "starts": 6}
    made = assemble(check_config(values), EXAMPLES)
    assert made.algorithm.name == "FrontMutation"
    assert made.algorithm_settings.starts == 6


def test_the_surrogate_keeps_its_contract(example: Any) -> None:
    from nas.testing import check_surrogate

    check_surrogate(example("own_surrogate").Neighbours)


@pytest.mark.slow
def test_a_search_is_led_by_the_surrogate_of_the_example(example: Any) -> None:
    found = example("own_surrogate").search_with("own_surrogate:Neighbours")
    assert {note.values["chosen"] for note in found.table.notes} == {"Neighbours"}
    assert len(found.history) == 40


def test_the_evaluator_reads_images_and_names_missing_folders(example: Any, tmp_path: Path) -> None:
    own = example("own_evaluator")
    space = own.NASBench101.digits()
    with pytest.raises(own.nas.NasError, match="has no folder train"):
        own.Train(space, str(tmp_path)).prepare()
    own.write_images(tmp_path)
    own.Train(space, str(tmp_path)).prepare()
    images, labels = own.read_images(str(tmp_path))["train"]
    assert images.shape == (1437, 1, 8, 8)
    assert set(labels) == set(range(10))


def test_the_config_of_the_evaluator_names_the_space_of_its_script(example: Any) -> None:
    from nas.spaces.making import make_space
    from search_spaces.nasbench101 import NASBench101

    described = check_config(read_config(EXAMPLES / "own_evaluator.yaml")).space
    space = make_space(described.name, described.settings)
    assert vars(space) == vars(NASBench101.digits())


def test_energy_is_measured_in_joules_or_called_something_else(example: Any) -> None:
    own = example("own_objective")
    objective = own.energy()
    assert (objective.name, objective.unit) in {("energy", "J"), ("processor_time", "ms")}
    assert objective.function(own.SPACE.parse("101-0")) >= 0


@pytest.mark.slow
def test_custom_objectives_are_on_the_front(tmp_path: Path) -> None:
    header, *rows = run(tmp_path, str(EXAMPLES / "own_objective.py")).splitlines()
    assert header.split()[:5] == ["architecture", "error", "robustness", "params", "latency"]
    assert len(rows) >= 2


@pytest.mark.slow
def test_custom_images_and_a_custom_evaluator_give_a_front(tmp_path: Path) -> None:
    header, *rows = run(tmp_path, str(EXAMPLES / "own_evaluator.py")).splitlines()
    assert header.split() == ["architecture", "error", "params"]
    assert len(rows) >= 2


@pytest.mark.slow
def test_two_methods_are_compared_with_a_test(tmp_path: Path) -> None:
    config = str(EXAMPLES / "two_methods.yaml")
    run(tmp_path, "-c", NAS, "compare", config, "--seeds", "6", "--set", "budget=40", "--out", "out")
    tables = (tmp_path / "out" / "results" / "tables.md").read_text(encoding="utf-8")
    assert "front mutation" in tables
    assert "Wilcoxon" in tables


@pytest.mark.slow
def test_a_network_is_deployed_and_classifies_image_files(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    run(tmp_path, "-c", NAS, "search", str(EXAMPLES / "deploy.yaml"))
    flags = ["--pick", "error=5%,params<60k", "--train", "--epochs", "10", "--int8"]
    run(tmp_path, "-c", NAS, "export", "runs/deployed", *flags)
    (folder,) = (tmp_path / "runs" / "deployed" / "export").iterdir()
    index = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    assert index["params"] <= 60_000
    assert index["int8"]["float32"]["test_error"] < 10
    assert index["int8"]["int8"]["test_error"] < 10
    test = Digits().load().test
    Image.fromarray(test.images[0, 0]).save(tmp_path / "photo.png")
    for flag in ([], ["--int8"]):
        said = run(tmp_path, str(folder / "classify.py"), *flag, "photo.png")
        assert said.splitlines()[1].endswith(f"  {test.labels[0]}")


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_of_a_notebook_runs(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    content = nbformat.read(notebook, as_version=4)
    place = {"metadata": {"path": str(notebook.parent)}}
    nbclient.NotebookClient(content, timeout=300, resources=place).execute()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_small_and_without_counts_of_execution(notebook: Path) -> None:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    assert notebook.stat().st_size < 20_000
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert {cell["execution_count"] for cell in code} == {None}
    assert not any("image/png" in output.get("data", {}) for cell in code for output in cell["outputs"])
