"""The script of an export that classifies image files."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from nas.export.onnx_file import onnx_model
from nas.export.pixels import Reading, to_pixels
from nas.export.script import script
from nas.export.standalone import ImageSpec
from nas.training import Recipe
from nas.training.data import Digits
from nas.training.data.decode import centre, read
from nas.training.feed import prepare
from search_spaces.muxnet import MUXNetSpace

for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package, reason=f"{package} is not installed; it comes with the extra 'onnx'")

CPU = torch.device("cpu")
COUNT = 12  # validation images


def parts(images: ImageSpec, reading: Reading) -> dict[str, Any]:
    """The functions and constants of a script."""
    names: dict[str, Any] = {"__name__": "classify", "__file__": "classify.py"}
    exec(script(images, reading, "A test."), names)
    return names


def spec(channels: int, side: int) -> ImageSpec:
    return ImageSpec((channels, side, side), (0.0,) * channels, (1.0,) * channels, ("a", "b"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of a network of muxnet-tiny, and validation images of digits as PNG files."""
    place = tmp_path_factory.mktemp("export")
    prepared = prepare(Digits(), Recipe(), CPU, None)
    images = ImageSpec((1, 8, 8), tuple(prepared.mean), tuple(prepared.std), prepared.class_names)
    (place / "network.onnx").write_bytes(onnx_model(network(), images, 17))
    (place / "classify.py").write_text(script(images, Reading((8, 8), largest=16), "A test."))
    stored = Digits().load().validation.images
    for i in range(COUNT):
        Image.fromarray(stored[i, 0]).save(place / f"{i}.png")
    return place


def network() -> nn.Module:
    space, rng = MUXNetSpace("tiny"), np.random.default_rng(3)
    architecture = next(a for a in iter(lambda: space.sample(rng), None) if space.format(a).startswith("r8/"))
    torch.manual_seed(1)
    built = space.build(architecture, num_classes=10, in_channels=1).eval()
    for module in built.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0.0, 0.1)
    return built


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "classify.py", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_the_answer_for_image_files_is_the_networks(folder: Path) -> None:
    done = run(folder, "--top", "10", *(f"{i}.png" for i in range(COUNT)))
    assert done.returncode == 0, done.stderr
    found = re.split(r"^\d+\.png \(network\.onnx\)$", done.stdout, flags=re.MULTILINE)[1:]
    feed = prepare(Digits(), Recipe(), CPU, None).validation
    ((x, _),) = feed.batches([torch.arange(COUNT)], None)
    with torch.no_grad():
        expected = network()(x).softmax(1)
    assert len(found) == COUNT
    for text, row in zip(found, expected, strict=True):
        lines = re.findall(r"([\d.]+)%  (\d)", text)
        assert int(lines[0][1]) == int(row.argmax())
        shown = {int(name): float(value) for value, name in lines}
        assert [shown[i] for i in range(10)] == pytest.approx((100 * row).tolist(), abs=0.006)


def test_it_needs_only_numpy_pillow_and_onnxruntime() -> None:
    tree = ast.parse(script(spec(3, 4), Reading((4, 4)), "A test."))
    names = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {str(n.module).split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert names - set(sys.stdlib_module_names) == {"numpy", "PIL", "onnxruntime"}


def test_missing_files_and_images_are_reported(folder: Path) -> None:
    assert "network.int8.onnx is missing" in run(folder, "--int8", "0.png").stderr
    done = run(folder, "classify.py")
    assert (done.returncode, "classify.py: cannot be read as an image" in done.stderr) == (1, True)


def test_an_unreadable_file_does_not_keep_the_others_from_being_classified(folder: Path) -> None:
    done = run(folder, "none.png", "0.png", "classify.py", "1.png", "--top", "2")
    assert done.returncode == 1
    assert re.findall(r"^(\S+) \(network", done.stdout, flags=re.MULTILINE) == ["0.png", "1.png"]
    assert re.findall(r"^(\S+): cannot be read", done.stderr, flags=re.MULTILINE) == [
        "none.png",
        "classify.py",
    ]
    assert len(done.stdout.splitlines()) == 6


@pytest.mark.parametrize("top", ["0", "-3", "1.5", "all"])
def test_a_number_of_classes_below_one_is_refused(folder: Path, top: str) -> None:
    done = run(folder, "0.png", f"--top={top}")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"--top: expected a whole number of at least 1, got '{top}'" in done.stderr


def test_an_image_brighter_than_the_training_is_noted(folder: Path) -> None:
    Image.new("L", (30, 20), 200).save(folder / "bright.png")
    done = run(folder, "bright.png")
    assert done.returncode == 0
    assert "bright.png: pixels up to 200, in the training up to 16" in done.stderr


def photo() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((70, 50), Image.Resampling.BICUBIC)


def alpha() -> Image.Image:
    image = photo().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


IMAGES: dict[str, Callable[[], Image.Image]] = {
    "rgb": photo,
    "grey": lambda: photo().convert("L"),
    "palette": lambda: photo().quantize(16),
    "alpha": alpha,
    "grey alpha": lambda: alpha().convert("LA"),
    "black and white": lambda: photo().convert("1"),
    "16 bits": lambda: Image.fromarray(np.arange(50 * 70, dtype=np.uint16).reshape(50, 70) * 18),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", IMAGES)
def test_files_are_read_and_cut_as_in_the_training(kind: str, channels: int, tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    IMAGES[kind]().save(path)
    names = parts(spec(channels, 20), Reading((20, 20), 0.875))
    got = names["resized"](names["read"](path))
    expected = centre(read(str(path), None, channels), 20, 0.875).transpose(1, 2, 0)
    assert np.array_equal(got, expected)


def test_a_turned_photo_is_read_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo().save(tmp_path / "turned.jpg", exif=exif)
    names = parts(spec(3, 20), Reading((20, 20)))
    got = names["resized"](names["read"](tmp_path / "turned.jpg"))
    expected = centre(read(str(tmp_path / "turned.jpg"), None, 3), 20, 1.0).transpose(1, 2, 0)
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("side", [5, 16])
def test_images_of_another_size_than_the_networks_are_resized_as_in_the_training(
    side: int, tmp_path: Path
) -> None:
    prepared = prepare(Digits(), Recipe(), CPU, side)
    ((x, _),) = prepared.validation.batches([torch.arange(3)], None)
    images = ImageSpec((1, side, side), tuple(prepared.mean), tuple(prepared.std), prepared.class_names)
    names = parts(images, Reading((8, 8)))
    stored = Digits().load().validation.images
    for i, expected in enumerate(to_pixels(x, images)):
        got = names["resized"](Image.fromarray(stored[i, 0]))
        assert got.shape == expected.shape
        assert np.abs(got.astype(int) - expected.astype(int)).max() <= (0 if side > 8 else 1)
