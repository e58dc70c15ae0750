"""`nas.export_run`: exporting from Python, for a run that was started from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import nas
from nas.core.errors import ConfigError, DataError
from nas.deployment.target import Target
from nas.training import Recipe, TrainingEvaluator
from search_spaces.nasbench101 import NASBench101


@pytest.fixture(scope="module")
def parts() -> tuple[NASBench101, TrainingEvaluator]:
    space = NASBench101(stem_channels=4, stacks=2, cells_per_stack=1, image_size=8, in_channels=1)
    return space, TrainingEvaluator(space, recipe=Recipe(epochs=1, max_pictures=100))


@pytest.fixture(scope="module")
def run(parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run without a config."""
    space, train = parts
    folder = tmp_path_factory.mktemp("python") / "run"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        nas.search(space, ["error", "params"], train, algorithm="random", budget=3, seed=1, out=folder)
    return folder


def test_a_run_from_python_is_exported_with_its_space_and_evaluator(run: Path, parts, tmp_path: Path) -> None:
    space, train = parts
    (exported,) = nas.export_run(run, ["params"], tmp_path / "out", space=space, evaluate=train, onnx=False)
    assert exported.folder.parent == tmp_path / "out"
    assert {"weights.pt", "network.py", "README.md"} <= {p.name for p in exported.folder.iterdir()}
    assert exported.onnx_random is None


def test_data_and_training_as_in_the_search_replace_the_evaluator(run: Path, parts, tmp_path: Path) -> None:
    recipe = {"epochs": 1, "max_pictures": 100}
    more = {"space": parts[0], "data": "digits", "training": {"recipe": recipe}, "onnx": False}
    (exported,) = nas.export_run(run, ["params"], tmp_path / "out", **more)
    (other,) = nas.export_run(
        run, ["params"], tmp_path / "two", space=parts[0], evaluate=parts[1], onnx=False
    )
    for name in ("weights.pt", "network.py"):
        assert (exported.folder / name).read_bytes() == (other.folder / name).read_bytes()


def test_without_the_space_the_error_names_the_call(run: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"started from Python; .* nas\.export_run\(run, space=\.\.\., data=\.\.\., or evaluate=\.\.\.\)",
    ):
        nas.export_run(run, out=tmp_path / "out")


def test_imported_results_are_exported_from_their_run(run: Path, parts, tmp_path: Path) -> None:
    space, train = parts
    later = tmp_path / "later"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        found = nas.search(
            space, ["error", "params"], train, algorithm="random", budget=1, seed=2, out=later, warm_start=run
        )
    brought = found.front[found.front["origin"] != ""]["architecture"].iloc[0]
    with pytest.raises(DataError, match=r"was evaluated by the earlier run .* export it from there"):
        nas.export_run(later, [brought], tmp_path / "out", space=space, evaluate=train, onnx=False)


def test_few_calibration_images_are_refused_before_anything_is_written(
    run: Path, parts, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    few = TrainingEvaluator(parts[0], recipe=Recipe(epochs=1, max_pictures=5))
    with pytest.raises(ConfigError, match="the data have 5 training images: calibration needs at least 8"):
        nas.export_run(run, ["params"], tmp_path / "out", space=parts[0], evaluate=few, int8=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_run_from_python_is_exported_in_8_bits(run: Path, parts, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    space, train = parts
    target = Target(name="mine", flash=100, timing={"rounds": 6})
    given = {"space": space, "evaluate": train, "int8": True, "target": target}
    (exported,) = nas.export_run(run, ["params"], tmp_path / "out", **given)
    found = exported.int8
    assert found is not None
    assert not found.unmeasured
    assert found.images == {"validation": 359, "test": 360}
    assert found.int8.faults[0].startswith("weights need")
    assert (exported.folder / "network.int8.onnx").stat().st_size == found.int8.size
