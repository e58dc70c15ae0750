"""`nas data check`, `nas search`, `nas train` and `nas evaluate` report the unused files of a data set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from nas.cli.app import app
from nas.core.errors import DataError
from nas.training.data import Folder
from nas.training.data.account import value_of_an_image

IGNORED = "6 nested too deep (an image lies directly in its class folder) (a/more/0.png, a/more/1.png, a/more/2.png, ...)"
SMALL = ["--set", "recipe.batch_size=8", "--epochs", "1"]
NETWORK = "r8/stem8s1/ds8/ir16:s2e2/head32"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(w) for w in words])


def flat(result: Result) -> str:
    """The output without the line ends that the width of the terminal makes."""
    return " ".join(result.output.split())


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two classes with ten images each, and six that lie too deep."""
    root, rng = tmp_path / "images", np.random.default_rng(0)
    for folder, count in (("a", 10), ("b", 10), ("a/more", 6)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / folder / f"{i}.png")
    return root


def test_check_names_and_counts_ignored_files(images: Path):
    result = run("data", "check", images)
    assert result.exit_code == 0
    assert IGNORED in flat(result)


def test_check_takes_the_settings_of_a_data_set(images: Path):
    (images / "b" / "3.png").write_bytes(b"no image")
    assert run("data", "check", images).exit_code == 3
    skipped = run("data", "check", images, "--set", "skip_damaged=true")
    assert skipped.exit_code == 0
    assert "1 skipped" in skipped.output


def test_check_prints_names_that_a_terminal_would_obey_as_escapes(images: Path):
    (images / "b" / "\x1b[2J.png").write_bytes(b"no image")
    result = run("data", "check", images)
    assert "\x1b" not in result.output
    assert "\\x1b[2J.png" in result.output


VALUE = "4 validation images: 25 points of error each; near 10% error, differences below about 42 points between two networks are noise"


def test_check_gives_the_value_of_a_validation_image(images: Path):
    assert VALUE in flat(run("data", "check", images, "--set", "validation=0.2"))


def test_the_value_of_a_validation_image_has_the_digits_that_matter():
    assert value_of_an_image(80) == (
        "80 validation images: 1.25 points of error each; near 10% error, differences below about 9 points between two networks are noise"
    )
    assert "0.002 points of error each" in value_of_an_image(50_000)
    assert "below about 0.4 points" in value_of_an_image(50_000)


def search(images: Path, out: Path, *words: object) -> Result:
    data = f"{{name: {images}, resolution: 8, validation: 0.2}}"
    settings = ["--set", f"evaluator.data={data}", "--set", "evaluator.recipe.epochs=1"]
    return run(
        "search",
        "--budget",
        1,
        "--executor",
        "serial",
        "--algorithm",
        "random",
        "--out",
        out,
        *settings,
        *words,
    )


def test_a_search_lists_ignored_files_in_one_line_before_it_starts(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("nas.report.plots.write_plots", lambda *_: None)  # drawing takes most of the time
    monkeypatch.setattr("nas.cli.searching.report_at_the_end", lambda *_: None)
    result = search(images, tmp_path / "run")
    assert result.exit_code == 0, result.output
    line = f"data: 20 images used; 6 files ignored: {IGNORED}"
    assert flat(result).count(line) == 1
    assert flat(result).index(line) < flat(result).index("Finished")
    assert flat(result).count(VALUE) == 1
    assert flat(result).index(VALUE) < flat(result).index("0/1 evaluated")


def test_a_search_refuses_damaged_images_by_name(images: Path, tmp_path: Path):
    (images / "b" / "3.png").write_bytes(b"no image")
    refused = search(images, tmp_path / "run")
    assert isinstance(refused.exception, DataError)
    assert "1 damaged" in str(refused.exception)
    assert "b/3.png" in str(refused.exception)
    assert "skip_damaged: true" in str(refused.exception)


def test_from_python_a_search_logs_skipped_files(images: Path, caplog: pytest.LogCaptureFixture):
    from nas.core.plugins import registry
    from nas.training import TrainingEvaluator

    (images / "b" / "3.png").write_bytes(b"no image")
    evaluator = TrainingEvaluator(
        registry("space")["muxnet-tiny"](),
        Folder(str(images), resolution=8, validation=0.2, skip_damaged=True),
    )
    evaluator.prepare()
    assert caplog.text.count("1 damaged skipped") == 1
    assert "6 nested too deep" in caplog.text
    evaluator.prepare(evaluator.space.sample(np.random.default_rng(0)))  # as a worker does for each candidate
    assert caplog.text.count("1 damaged skipped") == 1


def test_train_and_evaluate_list_ignored_files(images: Path, tmp_path: Path):
    out = tmp_path / "trained"
    trained = run("train", NETWORK, "--data", images, "--set", "data.resolution=8", *SMALL, "--out", out)
    assert trained.exit_code == 0, trained.output
    assert IGNORED in flat(trained)
    words = ("--data", images, "--weights", out / "weights.pt", "--set", "data.resolution=8", "--json")
    judged = run("evaluate", NETWORK, *words)
    assert judged.exit_code == 0, judged.output
    assert IGNORED in " ".join(judged.stderr.split())
    assert "error" in json.loads(judged.stdout)
