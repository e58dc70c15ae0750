"""`nas evaluate` evaluates weights on images read as in their training, unless set otherwise."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from task_parts import write_images
from typer.testing import CliRunner

import nas
from nas.cli.app import app
from nas.training import Recipe, TrainingEvaluator, evaluate_test
from nas.training.data import Folder
from nas.training.trained_as import trained_as
from search_spaces.muxnet import MUXNetSpace

pytestmark = pytest.mark.usefixtures("no_plots")
SPACE = MUXNetSpace("tiny")
READ = {"resolution": 16, "keep": 0.7, "test": 0.4, "validation": 0.2, "split_seed": 3}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images") / "five", 5, (20, 20))


@pytest.fixture(scope="module")
def searched(images: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, dict[str, float]]:
    """The folder of a run, an architecture of its front, and its score on the test images."""
    run = tmp_path_factory.mktemp("searched") / "run"
    train = TrainingEvaluator(SPACE, Folder(str(images), **READ), Recipe(epochs=2, batch_size=16))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        found = nas.search(SPACE, ["error"], train, algorithm="random", budget=1, seed=1, out=run)
    text = str(found.front["architecture"].iloc[0])
    seed = int(found.history["seed"].iloc[0])
    score = evaluate_test(train, nas.Trial(0, SPACE.parse(text), seed))
    return run, text, dict(score)


def evaluated(spec: str, weights: Path, images: Path, *more: str) -> dict[str, Any]:
    done = CliRunner().invoke(
        app, ["evaluate", spec, "--data", str(images), "--weights", str(weights), "--json", *more]
    )
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def kept(run: Path) -> Path:
    return next((run / "weights").glob("*.pt"))


def test_weights_of_a_search_are_evaluated_as_they_were_trained(
    images: Path, searched: tuple[Path, str, dict[str, float]]
) -> None:
    run, text, score = searched
    found = evaluated(f"muxnet-tiny:{text}", kept(run), images)
    assert found["pictures"] == 24  # four in ten of 60, not the one in ten of a folder by default
    assert found["loss"] == pytest.approx(score["test_loss"], rel=1e-7)
    assert found["error"] == pytest.approx(score["test_error"])


def test_given_settings_override_those_of_the_training(
    images: Path, searched: tuple[Path, str, dict[str, float]]
) -> None:
    run, text, score = searched
    spec = f"muxnet-tiny:{text}"
    larger = evaluated(spec, kept(run), images, "--resolution", "20")
    assert larger["pictures"] == 24
    assert (
        abs(larger["loss"] - score["test_loss"]) > 3e-7 * score["test_loss"]
    )  # the tests below are not blind
    assert larger["loss"] == evaluated(spec, kept(run), images, "--set", "data.resolution=20")["loss"]
    assert evaluated(spec, kept(run), images, "--set", "data.test=0.2")["pictures"] == 12


def test_weights_of_a_full_training_are_evaluated_as_they_were_trained(
    images: Path, tmp_path: Path, searched: tuple[Path, str, dict[str, float]]
) -> None:
    spec, out = f"muxnet-tiny:{searched[1]}", tmp_path / "trained"
    settings = [part for key, value in READ.items() for part in ("--set", f"data.{key}={value}")]
    done = CliRunner().invoke(
        app, ["train", spec, "--data", str(images), "--epochs", "1", "--out", str(out), *settings]
    )
    assert done.exit_code == 0, done.output
    expected = json.loads((out / "result.json").read_text(encoding="utf-8"))["test"]
    elsewhere = Path(shutil.copy(out / "weights.pt", tmp_path / "moved.pt"))  # its config.json stays behind
    for weights in (out / "weights.pt", elsewhere):
        found = evaluated(spec, weights, images)
        assert (found["pictures"], found["loss"]) == (
            expected["pictures"],
            pytest.approx(expected["loss"], rel=1e-7),
        )


def test_an_export_is_evaluated_as_it_was_trained(
    images: Path, tmp_path: Path, searched: tuple[Path, str, dict[str, float]]
) -> None:
    run, text, score = searched
    train = TrainingEvaluator(SPACE, Folder(str(images), **READ), Recipe(epochs=2, batch_size=16))
    (made,) = nas.export_run(run, [text], tmp_path / "export", space=SPACE, evaluate=train, onnx=False)
    found = evaluated(f"muxnet-tiny:{text}", made.folder / "weights.pt", images)
    assert found["pictures"] == 24
    assert found["loss"] == pytest.approx(score["test_loss"], rel=1e-7)


def test_nothing_is_assumed_of_weights_without_metadata(tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    file.write_bytes(b"no weights")
    for beside in ("config.json", "export.json"):
        for text in ("{", "[]", "{}", '{"recipe": 3, "data": "Folder(", "input": "x"}'):
            (tmp_path / beside).write_text(text, encoding="utf-8")
            assert trained_as(file).read_alike(Folder("a"), ()) == Folder("a")
        (tmp_path / beside).unlink()


def test_settings_of_another_kind_of_data_are_not_taken_over(tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    config = {"recipe": {"resolution": None}, "data": "Parquet(path='p', resolution=16, split='s')"}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert trained_as(file).read_alike(Folder("a"), ()) == Folder("a")
    config["data"] = "Folder(path='old', resolution=16, unknown=1, keep=[x for x in ()])"
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert trained_as(file).read_alike(Folder("a"), ()) == Folder("a", resolution=16)
    assert trained_as(file).read_alike(Folder("a", resolution=20), ("resolution",)).resolution == 20


def test_kept_weights_state_their_image_size(searched: tuple[Path, str, dict[str, float]]) -> None:
    from nas.training.weights import read

    assert read(kept(searched[0]))["image_size"] == [16, 16]
    assert np.isfinite(searched[2]["test_loss"])
