"""Detectors on the command line: trained, evaluated, started from a classifier's weights; and refusals."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from commands import nas_in

from nas.cli.named_networks import network_spec
from nas.training.judging import put_weights
from nas.training.tasks.detection.boxes import decode
from nas.training.tasks.detection.build import make_detector
from nas.training.tasks.detection.settings import HeadSettings
from search_spaces.networks import create_network

NETWORK = "mobilenet_v2_050"


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Run `nas` with arguments; its exit code, and all that it printed on one line."""

    nas = nas_in(monkeypatch, capsys)
    return lambda *arguments: nas(*arguments).all


Command = Callable[..., tuple[int, str]]


def arguments(shapes: tuple[Path, Path], *more: str) -> list[str]:
    data = ["--data", "parquet", "--path", str(shapes[0]), "--set", f"data.boxes={shapes[1]}"]
    return [NETWORK, "--task", "detection", *data, "--set", "data.resolution=64", *more]


@pytest.fixture
def trained(command: Command, shapes: tuple[Path, Path], tmp_path: Path) -> Path:
    """The folder of a training of one epoch."""
    out = tmp_path / "run"
    given = arguments(shapes, "--set", "head.maps=3", "--epochs", "1", "--threads", "1", "--out", str(out))
    code, said = command("train", *given)
    assert code == 0, said
    assert "validation mAP" in said
    return out


def test_weights_are_evaluated_as_in_their_training(
    command: Command, shapes: tuple[Path, Path], trained: Path
) -> None:
    """The head is known from the folder of the training."""
    code, said = command("evaluate", *arguments(shapes, "--weights", str(trained / "weights.pt"), "--json"))
    assert code == 0, said
    found = json.loads(said)
    told = json.loads((trained / "result.json").read_text(encoding="utf-8"))["test"]
    assert found["map"] == pytest.approx(told["map"])
    assert set(found["class_aps"]) == {"disc", "square"}


def test_a_trained_detector_is_a_file_that_needs_pytorch_alone(
    command: Command, shapes: tuple[Path, Path], trained: Path
) -> None:
    code, said = command("export", str(trained), "--no-onnx")
    assert code == 0, said
    folder = trained / "export"
    module = runpy.run_path(str(folder / "network.py"))
    assert module["CLASSES"] == ["disc", "square"]
    assert module["IMAGE"] == (3, 64, 64)

    network = make_detector(network_spec(NETWORK, {}).features(3, 0.0), HeadSettings(maps=3), 2).eval()
    put_weights(network, trained / "weights.pt")
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        rows = module["load"](folder / "weights.pt")(images)
        logits, offsets, anchors = network(images)
    torch.testing.assert_close(rows[..., :4], decode(offsets, anchors).clamp(0, 1))
    torch.testing.assert_close(rows[..., 4:], logits.softmax(-1)[..., 1:])

    card = (folder / "README.md").read_text(encoding="utf-8")
    told = json.loads((trained / "result.json").read_text(encoding="utf-8"))["test"]
    assert f"| test map | {told['map']:.2f}% | 2 images" in card
    assert "non-maximum suppression" in card
    assert str(shapes[0].parent) not in card


@pytest.mark.slow
def test_a_trained_detector_is_exported_as_onnx(command: Command, trained: Path) -> None:
    """For any number of images: the command compares batches of 1, 2 and 5 with PyTorch."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} is not installed; it comes with the extra 'onnx'")
    code, said = command("export", str(trained))
    assert code == 0, said
    assert "ONNX against PyTorch: largest difference on random images" in said
    assert (trained / "export" / "network.onnx").is_file()


def test_a_training_begins_from_a_classifiers_body(
    command: Command, shapes: tuple[Path, Path], tmp_path: Path
) -> None:
    classifier = create_network(NETWORK, 10)
    torch.save({"schema": 1, "network": classifier.state_dict()}, tmp_path / "classifier.pt")
    given = [
        "--weights",
        str(tmp_path / "classifier.pt"),
        "--set",
        "recipe.lr=1e-12",
        "--set",
        "recipe.ema_decay=0",
    ]
    out = tmp_path / "run"
    code, said = command(
        "train", *arguments(shapes, *given, "--epochs", "1", "--threads", "1", "--out", str(out))
    )
    assert code == 0, said
    assert "the heads start from random weights" in said
    state = torch.load(out / "weights.pt", weights_only=True)["network"]
    torch.testing.assert_close(
        state["backbone.conv_stem.weight"], classifier.state_dict()["conv_stem.weight"]
    )


def test_data_are_checked(command: Command, shapes: tuple[Path, Path]) -> None:
    code, said = command("data", "check", "parquet", str(shapes[0]), "--task", "detection")
    assert code == 0
    assert "train: 8 objects, 4 to 4 a class" in said


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (("--head", "yolo"), "head: name: unknown 'yolo'"),
        (("--head", "ssd300"), "body: expected VGG-16"),
        (("--set", "head.strides=[2]", "--set", "head.maps=2"), "strides: expected some of"),
        (("--set", "task.zoom=[0, 1]"), "augmentation: zoom"),
        (("--set", "data.damaged=hide"), "data: damaged: unknown 'hide'"),
        (("--set", "data.box=x"), "did you mean 'boxes'"),
        (("--path", "nowhere.parquet"), "nowhere.parquet: not found"),
    ],
)
def test_what_cannot_be_used_is_named(
    command: Command, shapes: tuple[Path, Path], tmp_path: Path, more: tuple[str, ...], named: str
) -> None:
    code, said = command("train", *arguments(shapes, *more, "--epochs", "1", "--out", str(tmp_path / "run")))
    assert code in (2, 3)
    assert named in said
