"""`nas shrink`, and a shrink run as an ordinary one."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import nas
from nas.core.errors import ConfigError
from nas.runs.history import read_history
from tests.shared.commands import Done

Run = Callable[..., Done]
SHORT = (
    *("--data", "digits", "--executor", "serial", "--algorithm", "random"),
    *("--set", "evaluator.recipe={epochs: 1, max_pictures: 64}"),
)


def shrink(command: Run, *arguments: str, budget: int = 3, out: str = "runs/smaller") -> Done:
    return command("shrink", *arguments, *SHORT, "--budget", str(budget), "--out", out)


def test_a_checkpoint_becomes_a_front_with_differences_from_the_original(command: Run, folder: Path) -> None:
    done = shrink(command, "my_net.py:make_model", "--weights", "trained.pt")
    assert done.code == 0, done.err
    assert "Shrinking my_net.py:make_model" in done.out
    assert "Original: error" in done.out
    assert "Left alone: fc (its channels are the network's output)" in " ".join(done.out.split())
    assert "against the original" in " ".join(done.out.split())
    summary = json.loads(Path("runs/smaller/summary.json").read_text())
    assert summary["original"]["params"] == 770.0
    frame, _ = read_history(Path("runs/smaller"))
    assert frame["architecture"][0] == "resolution=8/conv1=1.0/conv2=1.0"  # the original network comes first
    assert frame["architecture"][1] == "resolution=8/conv1=0.875/conv2=0.875"  # then uniform ones
    page = Path("runs/smaller/report.html").read_text()
    assert "Original network" in page
    assert "against the original" in page
    assert "params +0%, madds +0%" in " ".join(command("front", "runs/smaller").out.split())


def test_a_run_does_not_depend_on_the_file_of_weights_nor_on_its_place(command: Run, folder: Path) -> None:
    assert shrink(command, "my_net.py:make_model", "--weights", "trained.pt").code == 0
    Path("trained.pt").unlink()
    shutil.move("runs/smaller", "moved")
    done = command("shrink", "--resume", "moved", "--budget", "4", "--trust")
    assert done.code == 0, done.err
    best = pd.read_csv("moved/front.csv")["architecture"][0]
    done = command("export", "moved", "--pick", best, "--no-onnx", "--trust")
    assert done.code == 0, done.err
    network = nas.load_network("moved", best, trust=True)
    assert network(torch.zeros(1, 1, 8, 8)).shape == (1, 10)


def test_channels_are_ranked_by_the_loss_and_the_ranking_stays_with_the_run(
    command: Run, folder: Path
) -> None:
    given = ("my_net.py:make_model", "--weights", "trained.pt", "--set")
    done = shrink(command, *given, "space.ranking=tailor")
    assert done.code == 2
    assert "ranking: unknown 'tailor' (did you mean 'taylor'?)" in done.err
    assert not Path("runs/smaller").exists()
    assert shrink(command, *given, "space.ranking=taylor").code == 0
    assert torch.load("runs/smaller/original/original.pt", weights_only=True)["scores"]
    assert command("shrink", "--resume", "runs/smaller", "--budget", "4", "--trust").code == 0
    best = pd.read_csv("runs/smaller/front.csv")["architecture"][0]
    assert nas.load_network("runs/smaller", best, trust=True)(torch.zeros(1, 1, 8, 8)).shape == (1, 10)


def test_without_weights_the_original_is_trained_first_and_the_search_resumes(
    command: Run, folder: Path
) -> None:
    train = ("--set", "space.train={epochs: 2, max_pictures: 64}")
    done = shrink(command, "my_net.py:make_model", *train)
    assert done.code == 0, done.err
    assert "Original: epoch 2 of 2" in done.out
    assert Path("runs/smaller/original/original.pt").is_file()
    done = command("search", "--resume", "runs/smaller", "--budget", "4")
    assert done.code == 0, done.err
    frame, _ = read_history(Path("runs/smaller"))
    assert len(frame) == 4


def test_an_interrupted_training_of_the_original_continues_with_the_same_command(
    command: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nas.training.loop import Training

    epoch, calls = Training.epoch, []

    def interrupted(self: Training, feed: Any) -> float:
        calls.append(self.done)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return epoch(self, feed)

    train = ("--set", "space.train={epochs: 2, max_pictures: 64}")
    with monkeypatch.context() as patch:
        patch.setattr(Training, "epoch", interrupted)
        done = shrink(command, "my_net.py:make_model", *train)
    assert done.code == 130
    assert "repeat the command" in done.out
    done = shrink(command, "my_net.py:make_model", *train)
    assert done.code == 0, done.err
    assert "Original: epoch 1" not in done.out
    other = shrink(command, "my_net.py:of_thousand", *train, out="runs/other")
    assert other.code != 0


def test_a_network_of_a_run_is_shrunk_with_its_weights(command: Run, folder: Path) -> None:
    assert shrink(command, "my_net.py:make_model", "--weights", "trained.pt", out="runs/first").code == 0
    flags = ("--budget", "3", "--out", "runs/second")
    done = command("shrink", "runs/first", "--pick", "error", *SHORT[2:], *flags)
    assert done.code == 0, done.err
    best = pd.read_csv("runs/first/front.csv").sort_values("error").iloc[0]
    original = json.loads(Path("runs/second/summary.json").read_text())["original"]
    assert original["error"] == pytest.approx(best["error"])


def test_a_network_for_smaller_images_keeps_its_images(command: Run, folder: Path) -> None:
    small = '--set=initial=["resolution=6/conv1=1.0/conv2=1.0"]'
    done = shrink(
        command, "my_net.py:make_model", "--weights", "trained.pt", small, budget=1, out="runs/first"
    )
    assert done.code == 0, done.err
    done = command("shrink", "runs/first", *SHORT[2:], "--budget", "2", "--out", "runs/second")
    assert done.code == 0, done.err
    first = pd.read_csv("runs/first/front.csv").iloc[0]
    summary = json.loads(Path("runs/second/summary.json").read_text())
    assert summary["original"]["error"] == pytest.approx(first["error"])
    assert summary["original"]["madds"] == first["madds"]
    assert "resolution=6/" in pd.read_csv("runs/second/front.csv")["architecture"][0]


def test_an_architecture_of_a_space_is_shrunk_from_python_too() -> None:
    model = "muxnet-tiny:r12/stem16s1/se0/ds16:v0/ir8:k3s2e4/head32"
    settings = {"recipe": {"epochs": 1, "max_pictures": 64}}
    result = nas.shrink(
        model,
        data="digits",
        training=settings,
        train={"epochs": 1, "max_pictures": 64},
        budget=2,
        algorithm="random",
    )
    assert result.summary["original"]["params"] == result.history["params"][0]


def test_code_of_a_run_is_imported_after_a_question_alone(
    command: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shrink(command, "my_net.py:make_model", "--weights", "trained.pt").code == 0
    assert command("export", "runs/smaller", "--no-onnx").code == 0  # the same user
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "another"))
    for arguments in (
        ("export", "runs/smaller", "--no-onnx", "--out", "there"),
        ("shrink", "--resume", "runs/smaller"),
        ("shrink", "runs/smaller", "--out", "runs/next"),
    ):
        done = command(*arguments)
        assert done.code != 0
        assert "my_net.py:make_model" in done.sentence


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("my_net.py:of_thousand", "the data have 10 classes"),
        ("my_net.py:of_colours", "forward pass fails"),
        ("my_net.py:in_half", "parameter 'conv1.weight' is of type float16"),
        ("my_net.py:all_frozen", "the whole network is frozen"),
        ("my_net.py:number", "expected a torch.nn.Module, got int"),
        ("my_net.py:nothing", "has no 'nothing'"),
        ("resnet19", "did you mean 'resnet18'"),
    ],
)
def test_a_network_that_does_not_fit_the_data_is_refused(
    command: Run, folder: Path, model: str, said: str
) -> None:
    done = shrink(command, model)
    assert done.code != 0
    assert said in done.sentence
    assert not Path("runs/smaller/original").exists()


def test_weights_that_do_not_fit_are_named_with_both_shapes(command: Run, folder: Path) -> None:
    state = torch.load("trained.pt", weights_only=True)
    torch.save({**state, "conv1.weight": torch.zeros(4, 1, 3, 3)}, "other.pt")
    done = shrink(command, "my_net.py:make_model", "--weights", "other.pt")
    assert "conv1.weight: expected shape (8, 1, 3, 3), got (4, 1, 3, 3)" in done.sentence


def test_a_limit_below_the_smallest_candidate_is_refused_before_any_training(
    command: Run, folder: Path
) -> None:
    done = shrink(command, "my_net.py:make_model", "--limit", "params<=50")
    assert done.code != 0
    assert "the smallest candidate has 92 params, the original 770" in done.sentence
    assert not Path("runs/smaller/original").exists()


def test_a_limit_below_the_original_leaves_it_out_of_the_candidates(command: Run, folder: Path) -> None:
    done = shrink(command, "my_net.py:make_model", "--weights", "trained.pt", "--limit", "params<=500")
    assert done.code == 0, done.err
    frame, _ = read_history(Path("runs/smaller"))
    assert frame["architecture"][0] == "resolution=8/conv1=0.75/conv2=0.75"
    assert json.loads(Path("runs/smaller/summary.json").read_text())["original"]["params"] == 770.0


def test_a_config_describes_a_shrink_run(command: Run, folder: Path) -> None:
    Path("mine.yaml").write_text(
        "space: {name: module, model: my_net.py:make_model, weights: trained.pt, keep: [fc]}\n"
        "evaluator: {name: tuning, data: digits, recipe: {epochs: 1, max_pictures: 64}, distillation: 0}\n"
        "executor: serial\nalgorithm: random\nbudget: 4\nhalving: {first: 0, last: 1}\nconcurrency: 1\nout: runs/mine\n"
    )
    done = command("search", "mine.yaml")
    assert done.code == 0, done.err
    summary = json.loads(Path("runs/mine/summary.json").read_text())
    assert summary["budgets"] == {"0": 3, "1": 1}
    config = json.loads(Path("runs/mine/config.json").read_text())
    assert config["evaluator"]["distillation"] == 0.0


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("runs/nothere", "model runs/nothere: the folder does not exist: name the folder of a run"),
        ("empty", "model empty: the folder holds no run (history.sqlite)"),
        ("my_net.py", "name its function that returns the network too, such as my_net.py:make_model"),
        ("trained.pt", "expected the network, not a file"),
    ],
)
def test_a_path_that_is_no_run_is_refused(command: Run, folder: Path, model: str, said: str) -> None:
    Path("empty").mkdir()
    done = command("shrink", model, "--data", "digits", "--out", "runs/smaller")
    assert done.code != 0
    assert said in done.sentence
    with pytest.raises(ConfigError, match=re.escape(said)):
        nas.shrink(Path(model), data="digits")
    assert not Path("runs/smaller").exists()


def test_the_command_that_a_run_proposes_continues_it(command: Run, folder: Path) -> None:
    done = shrink(command, "my_net.py:make_model", "--weights", "trained.pt", budget=3)
    proposed = next(line.strip() for line in done.out.splitlines() if "continues this search" in line)
    assert proposed.startswith("nas shrink --resume runs/smaller --budget 6 ")
    Path("my_net.py").write_text(Path("my_net.py").read_text() + "# a comment\n\nchanged = 1\n")
    words = shlex.split(proposed.partition("   ")[0])[1:]
    refused = command(*words)
    assert "--accept-changed-code" in refused.sentence
    done = command(*words, "--accept-changed-code")
    assert done.code == 0, done.err
    assert len(read_history(Path("runs/smaller"))[0]) == 6


def three_classes(folder: Path, kind: str) -> str:
    """Data of coloured noise in three classes: a folder of PNG files, or a Parquet file with the same images."""
    rng, rows = np.random.default_rng(0), []
    for place, name in enumerate(("blue", "green", "red")):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 120, (12, 12, 3)) + 120 * (np.arange(3) == place)
            file = folder / "images" / name / f"{number}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(file)
            rows.append({"image": {"bytes": file.read_bytes()}, "label": name})
    pd.DataFrame(rows).to_parquet(folder / "images.parquet")
    return "images" if kind == "folder" else "images.parquet"


@pytest.mark.parametrize("kind", ["folder", "parquet"])
def test_a_network_is_shrunk_on_your_images(command: Run, folder: Path, kind: str) -> None:
    flags = ("--executor", "serial", "--algorithm", "random", "--budget", "2", "--out", "runs/smaller")
    recipe = ("--set", "evaluator.recipe={epochs: 1, resolution: 12}", "--set", "space.train={epochs: 1}")
    done = command("shrink", "my_net.py:make_model", "--data", three_classes(folder, kind), *flags, *recipe)
    assert done.code == 0, done.err
    best = pd.read_csv("runs/smaller/front.csv")["architecture"][0]
    assert nas.load_network("runs/smaller", best)(torch.zeros(1, 3, 12, 12)).shape == (1, 3)


def test_missing_arguments_are_named(command: Run, folder: Path) -> None:
    assert "MODEL is missing" in command("shrink", "--out", "x").sentence
    assert "--out is missing" in command("shrink", "my_net.py:make_model", "--data", "digits").sentence
    assert "--data is missing" in command("shrink", "my_net.py:make_model", "--out", "x").sentence
    assert "remove MODEL" in command("shrink", "resnet18", "--resume", "x").sentence


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--algorithm", "nsga2"], "fewer than the 10 of the initial design of nsga2"),
        (["--set", "initial=[resolution=8]"], "initial"),
        (["--set", "stop={stalled: none}"], "stalled"),
    ],
)
def test_a_search_that_cannot_start_is_refused_before_the_original_is_trained(
    command: Run, folder: Path, more: list[str], said: str
) -> None:
    new = ("--budget", "5", "--out", "runs/smaller")
    done = command("shrink", "my_net.py:make_model", *SHORT, *new, *more)
    assert done.code != 0
    assert said in done.sentence
    assert not Path("runs/smaller/original").exists()
