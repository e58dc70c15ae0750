"""One source of truth: front.csv, `nas cost`, the model card, weights.pt and ONNX count the network that was trained."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from counted_onnx import counted_onnx
from task_parts import write_images, write_masks
from typer.testing import CliRunner

import nas
from nas.cli.app import app
from nas.report.sources import read_source
from nas.training.data import Folder

pytestmark = pytest.mark.usefixtures("no_plots")
HERE = Path(__file__).resolve().parents[1] / "shared"
OWN = f"{HERE / 'task_parts.py'}:Own"
SIDE = 8


@dataclass(frozen=True)
class Case:
    """A space with its settings, and its evaluator."""

    space: dict[str, Any]
    evaluator: str = "training"
    recipe: dict[str, Any] = field(default_factory=lambda: {"epochs": 1, "batch_size": 32})
    objectives: tuple[str, ...] = ("error", "params", "madds")


SPACES = {
    "muxnet": Case({"name": "muxnet-tiny"}),
    "nasbench101": Case({"name": "nasbench101", "stem_channels": 4, "stacks": 2, "cells_per_stack": 1}),
    "nasbench201": Case({"name": "nasbench201", "channels": 4, "cells_per_stage": 1}),
    "custom": Case({"name": OWN}),
    "declared": Case({"name": f"{HERE / 'task_parts.py'}:declared"}),
}
QUICK = [  # all are in `test_the_onnx_file_counts_it_too`
    ("nasbench101", 3),
    ("custom", 3),
    ("declared", 100),
]
SCENES = Case(
    {
        "name": "segmentation",
        "backbone": {"name": "muxnet-tiny", "resolutions": [8]},
        "head": {"name": "c1", "output_stride": 16, "width": 8},
    },
    "segmentation",
    {"epochs": 1, "batch_size": 4},
    ("miou", "params", "madds"),
)
AUXILIARY = Case(
    {
        "name": "segmentation",
        "backbone": {"name": "muxnet-imagenet", "resolutions": [128]},
        "head": {"name": "c1", "output_stride": 8, "width": 8, "auxiliary": True},
    },
    SCENES.evaluator,
    SCENES.recipe,
    SCENES.objectives,
)


def search(tmp_path: Path, case: Case, data: dict[str, Any], **changes: Any) -> Path:
    """Run a search of the command line, in this process."""
    config = {
        "space": case.space,
        "objectives": list(case.objectives),
        "algorithm": "random",
        "evaluator": {"name": case.evaluator, "data": data, "recipe": case.recipe},
        "executor": "serial",
        "budget": 2,
        "seed": 1,
        **changes,
    }
    file = tmp_path / "search.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    run = tmp_path / "run"
    done = CliRunner().invoke(app, ["search", str(file), "--out", str(run)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return run


def cost(case: Case, text: str, data: list[str]) -> dict[str, float]:
    """Parameters and multiply-adds by `nas cost --json`."""
    name, *settings = case.space.items()
    given = [part for key, value in settings for part in ("--set", f"{key}={json.dumps(value)}")]
    done = CliRunner().invoke(app, ["cost", name[1], text, *given, *data, "--json"])
    assert done.exit_code == 0, done.output
    found: dict[str, float] = json.loads(done.stdout)
    return {name: found[name] for name in ("params", "madds")}


def on_the_card(folder: Path) -> dict[str, int]:
    text = (folder / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (parameters|multiply-adds) \| ([\d,]+) \|", text, re.M))
    counted = {"params": rows["parameters"], "madds": rows["multiply-adds"]}
    return {name: int(value.replace(",", "")) for name, value in counted.items()}


def check_one_network(run: Path, case: Case, data: list[str], onnx: bool) -> None:
    front = pd.read_csv(run / "front.csv", dtype={"architecture": str}).sort_values("params").iloc[0]
    expected = {name: int(front[name]) for name in ("params", "madds")}
    (exported,) = nas.export_run(run, [str(front["architecture"])], onnx=onnx)
    assert cost(case, str(front["architecture"]), data) == expected
    assert on_the_card(exported.folder) == expected
    assert "params" not in _others((exported.folder / "README.md").read_text(encoding="utf-8"), expected)
    state = torch.load(exported.folder / "weights.pt", weights_only=True)
    trained = [t.numel() for name, t in state.items() if not re.search(r"running_|num_batches", name)]
    assert sum(trained) == expected["params"]
    source = read_source(run)
    if source.space is not None:  # reading a run executes no code that it names
        counted: Any = source.space
        assert dict(counted.cost(counted.parse(str(front["architecture"])))) == expected
    index = json.loads((exported.folder / "export.json").read_text(encoding="utf-8"))
    assert {name: index[name] for name in expected} == expected
    if onnx:
        file = exported.folder / "network.onnx"
        assert counted_onnx(file, state) == expected
        assert noted(file) == expected


def _others(card: str, expected: dict[str, int]) -> str:
    """Rows of params and madds in the card's section of the search that differ from the network's."""
    rows = re.findall(r"^\| (params|madds) \| ([\d,.e+]+) \|", card, re.M)
    return " ".join(n for n, v in rows if float(v.replace(",", "")) != float(f"{expected[n]:.6g}"))


def noted(file: Path) -> dict[str, int]:
    import onnx

    return {p.key: int(p.value) for p in onnx.load(str(file)).metadata_props}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    made: dict[int, Path] = {}

    def of(classes: int) -> Path:
        if classes not in made:
            made[classes] = write_images(tmp_path_factory.mktemp("images") / str(classes), classes, (12, 12))
        return made[classes]

    return of


def folder(path: Path) -> dict[str, Any]:
    return {"name": "folder", "path": str(path), "resolution": SIDE, "validation": 0.25, "test": 0.25}


@pytest.mark.parametrize(("name", "classes"), QUICK)
def test_front_cost_card_and_weights_count_the_network_that_is_trained(
    name: str, classes: int, images: Callable[[int], Path], tmp_path: Path
) -> None:
    run = search(tmp_path, SPACES[name], folder(images(classes)))
    of = ["--data", str(images(classes)), "--resolution", str(SIDE)]
    check_one_network(run, SPACES[name], of, onnx=False)


@pytest.mark.slow
@pytest.mark.parametrize("classes", [3, 100])
@pytest.mark.parametrize("name", SPACES)
def test_the_onnx_file_counts_it_too(
    name: str, classes: int, images: Callable[[int], Path], tmp_path: Path
) -> None:
    run = search(tmp_path, SPACES[name], folder(images(classes)))
    of = ["--data", str(images(classes)), "--resolution", str(SIDE)]
    check_one_network(run, SPACES[name], of, onnx=True)


@pytest.mark.parametrize("name", ["Three", pytest.param("Hundred", marks=pytest.mark.slow)])
@pytest.mark.parametrize("onnx", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_segmentation_of_custom_masks_counts_it_too(name: str, onnx: bool, tmp_path: Path) -> None:
    scenes, data = write_masks(tmp_path / "scenes", "ade20k"), f"{HERE / 'task_parts.py'}:{name}"
    run = search(tmp_path, SCENES, {"name": data, "path": str(scenes)})
    check_one_network(run, SCENES, ["--data", data, "--path", str(scenes)], onnx=onnx)


@pytest.mark.slow
def test_a_head_that_serves_in_training_alone_is_neither_counted_nor_exported(tmp_path: Path) -> None:
    scenes = write_masks(tmp_path / "voc", "voc")
    run = search(tmp_path, AUXILIARY, {"name": "voc", "path": str(scenes)})
    check_one_network(run, AUXILIARY, ["--data", "voc", "--path", str(scenes)], onnx=False)


@pytest.mark.slow
@pytest.mark.parametrize("data", ["voc", "ade20k"])
def test_the_onnx_file_of_a_segmentation_counts_it_too(data: str, tmp_path: Path) -> None:
    scenes = write_masks(tmp_path / data, data)
    run = search(tmp_path, SCENES, {"name": data, "path": str(scenes)})
    check_one_network(run, SCENES, ["--data", data, "--path", str(scenes)], onnx=True)


def test_the_data_of_these_tests_have_another_size_than_any_space_counts_by_default() -> None:
    assert Folder("x").resolution != SIDE
