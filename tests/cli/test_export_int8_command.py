"""`nas export --int8`: the 8-bit file, its values and its script, for searches and trainings."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from task_parts import write_images

import nas
from nas.cli.search_config import Flags
from nas.cli.searching import run_search
from nas.core.errors import ConfigError, EvaluationError
from nas.export.load_network import run_config
from nas.export.making import Run
from nas.export.quantised import target_of
from nas.training.data import Digits
from nas.training.feed import _prepare

for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package, reason=f"{package} is not installed; it comes with the extra 'onnx'")

CONFIG = """
space: {name: nasbench101, stem_channels: 4, stacks: 2, cells_per_stack: 1, image_size: 8, in_channels: 1}
objectives: [error, params]
evaluator: {name: training, data: digits, recipe: {epochs: 1, max_pictures: 200}}
target: small.yaml
executor: serial
algorithm: random
budget: 2
seed: 2
out: run
"""
SMALL = "small.yaml"
SMALL_TARGET = (
    "description: a small device\nflash: 64 KiB\nopset: 18\nint8: {calibration: 32}\ntiming: {rounds: 6}\n"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search of two cells, for a target."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "cells.yaml").write_text(CONFIG)
    (folder / SMALL).write_text(SMALL_TARGET)
    flags = Flags(None, None, None, None, None, None, None, folder / "run", ())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        run_search(folder / "cells.yaml", flags, None)
    return folder / "run"


@pytest.fixture
def here(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").symlink_to(run)
    (tmp_path / SMALL).write_text(SMALL_TARGET)
    (tmp_path / "few.yaml").write_text("int8: {calibration: 7}\n")
    (tmp_path / "gone.yaml").write_text("device: {python: /does/not/exist}\n")
    return tmp_path


@pytest.mark.parametrize("gone", [False, True], ids=["there", "gone"])
def test_the_target_of_the_search_is_used_unless_it_names_a_device(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    made, own = Run.read(run), run.parent / SMALL
    kept = tmp_path / SMALL
    if gone:
        own.rename(kept)
    try:
        target = target_of(made)
    finally:
        if gone:
            kept.rename(own)
    assert (target.name, target.flash, target.int8.calibration) == ("small", 65_536, 32)
    config, base = run_config(run)
    device = config.model_copy(update={"target": {"device": {"python": "/tmp/evil"}}})
    monkeypatch.setattr("nas.export.quantised.run_config", lambda folder: (device, base))
    with pytest.raises(ConfigError, match=r"names a device, .*evil.*; if you trust it"):
        target_of(made)


def index(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--untrained"], 2, "--int8 and --untrained contradict each other: the error"),
        (["--no-onnx"], 2, "--int8 and --no-onnx contradict each other"),
        (["--target", "microcontroler-512k"], 2, "did you mean 'microcontroller-512k'"),
        (["--target", "few.yaml"], 2, "int8: calibration: expected a whole number of at least 8, got 7"),
        (
            ["--target", "few.yaml", "--train", "--epochs", "2"],
            2,
            "int8: calibration: expected a whole number of at least 8, got 7",
        ),
        (["--target", "gone.yaml"], 1, "give the path of a Python with 'python: PATH'"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(
    here: Path, nas_command, flags: list[str], code: int, said: str
) -> None:
    done = nas_command("export", "run", "--int8", "--out", "out", *flags)
    assert (done.code, said in done.sentence) == (code, True), done.sentence
    assert not (here / "out").exists()


def test_a_target_without_int8_is_refused(here: Path, nas_command) -> None:
    done = nas_command("export", "run", "--out", "out", "--target", "cpu-1-thread")
    assert (done.code, "--target requires --int8" in done.sentence) == (2, True)
    with pytest.raises(ConfigError, match="target: requires int8=True"):
        nas.export_run("run", out="out", target="cpu-1-thread")
    with pytest.raises(ConfigError, match="int8=True and onnx=False contradict"):
        nas.export_run("run", out="out", int8=True, onnx=False)


@pytest.mark.slow
def test_the_8_bit_file_comes_with_measured_values_a_card_and_a_script(here: Path, nas_command) -> None:
    done = nas_command("export", "run", "--pick", "error", "--int8", "--target", SMALL, "--out", "out")
    assert done.code == 0, done.err
    (folder,) = (here / "out").iterdir()
    assert {"network.onnx", "network.int8.onnx", "classify.py"} <= {p.name for p in folder.iterdir()}
    values = index(folder)["int8"]
    assert (values["target"], values["calibration"], index(folder)["opset"]) == (
        "small",
        32,
        18,
    )  # of the run
    assert values["int8"]["latency"] > 0
    assert values["int8"]["file_size"] == (folder / "network.int8.onnx").stat().st_size
    assert f"validation error {values['int8']['validation_error']:.2f}%" in " ".join(done.out.split())
    card = (folder / "README.md").read_text(encoding="utf-8")
    shown = [f"{values[kind]['test_error']:.2f}%" for kind in ("float32", "int8")]
    assert f"| test error, 360 images | {shown[0]} | {shown[1]} |" in card
    assert f"| test error | {shown[0]} |" in card  # as PyTorch's
    assert "Target small: network.int8.onnx fits." in card
    check_script(folder, values)
    assert nas_command("export", "run", "--pick", "error", "--out", "out", "--force").code == 0
    assert not (folder / "network.int8.onnx").exists()
    assert "int8" not in index(folder)


def check_script(folder: Path, values: dict[str, Any]) -> None:
    """The script's answers on image files give the error on the card."""
    test = Digits().load().test
    names = []
    for i, image in enumerate(test.images):
        Image.fromarray(image[0]).save(folder.parent.parent / f"{i}.png")
        names.append(str(folder.parent.parent / f"{i}.png"))
    for kind, flags in (("float32", []), ("int8", ["--int8"])):
        command = [sys.executable, "-I", "classify.py", "--top", "1", *flags, *names]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        found = [int(line.split()[-1]) for line in done.stdout.splitlines() if line.startswith("  ")]
        wrong = sum(a != b for a, b in zip(found, test.labels, strict=True))
        assert 100 * wrong / len(found) == pytest.approx(values[kind]["test_error"])


@pytest.mark.slow
def test_a_device_that_fails_in_between_leaves_the_other_values(
    here: Path, nas_command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(*_: Any) -> None:
        raise EvaluationError("device d: is off")

    monkeypatch.setattr("nas.deployment.device.Device.measure", measure)
    done = nas_command("export", "run", "--pick", "error", "--int8", "--target", SMALL, "--out", "out")
    assert done.code == 1
    assert "Latency of network.int8.onnx not measured: device d: is off." in " ".join(done.out.split())
    (folder,) = (here / "out").iterdir()
    assert index(folder)["int8"]["int8"]["latency"] is None
    assert index(folder)["complete"] is True


@pytest.mark.slow
def test_the_network_of_a_training_is_quantised_with_its_images(
    tmp_path: Path, nas_command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    images = write_images(tmp_path / "images", 3, (12, 12))
    sizes = {"space.stem_channels": 4, "space.cells_per_stack": 1, "data.resolution": 8}
    settings = [f"--set={k}={v}" for k, v in {**sizes, "recipe.epochs": 1, "recipe.batch_size": 16}.items()]
    done = nas_command("train", "nasbench101:101101-12", *settings, "--data", str(images), "--out", "full")
    assert done.code == 0, done.err
    shutil.move(images, tmp_path / "elsewhere")
    monkeypatch.setattr("nas.training.data._CACHE", {})  # as in another process
    _prepare.cache_clear()
    done = nas_command("export", "full", "--int8")
    assert done.code == 3
    assert "calibration needs the images of the training" in done.sentence
    assert not (tmp_path / "full" / "export").exists()
    assert "--epochs requires the run of a search" in nas_command("export", "full", "--epochs", "3").sentence
    done = nas_command("export", "full", "--int8", "--path", "elsewhere")
    assert done.code == 0, done.err
    values = index(tmp_path / "full" / "export")["int8"]
    result = json.loads((tmp_path / "full" / "result.json").read_text(encoding="utf-8"))["test"]
    assert values["float32"]["test_error"] == pytest.approx(result["error"], abs=1e-6)
    text = (tmp_path / "full" / "export" / "classify.py").read_text(encoding="utf-8")
    assert "SIZE = (8, 8)" in text
    assert "KEEP = 0.875" in text
