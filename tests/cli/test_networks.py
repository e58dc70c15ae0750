"""Networks on the command line: costs, blocks, drawings, the authors' weights, full trainings, evaluation."""

from __future__ import annotations

import json
import runpy
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import torch

SMALL = "r8/stem8s1/ds8/ir16:s2e2/head32"
CELL = "100110100001001010101-02001"
TRAIN = ("--data", "digits", "--set", "recipe.max_pictures=200")


def costs(done: Any) -> dict[str, float]:
    assert done.code == 0, done.err
    found: dict[str, float] = json.loads(done.out)
    return found


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that needs a training puts it."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def trained(made: Path, nas_command, here: Path) -> Path:
    """A copy of the folder of a small network's training, one epoch long."""
    if not (made / "run").exists():
        done = nas_command("train", SMALL, *TRAIN, "--epochs", "1", "--out", str(made / "run"))
        assert done.code == 0, done.err
    return Path(shutil.copytree(made / "run", here / "run"))


def test_muxnet_m_has_the_published_costs(nas_command) -> None:
    found = costs(nas_command("cost", "muxnet_m", "--resolution", "224", "--json"))
    assert found == {"params": 3_354_276, "madds": 216_808_112}


def test_a_cost_follows_the_resolution_and_the_classes(nas_command) -> None:
    whole = costs(nas_command("cost", "muxnet_m", "--json"))
    ten = costs(nas_command("cost", "muxnet_m", "--classes", "10", "--json"))
    small = costs(nas_command("cost", "muxnet_m", "--resolution", "112", "--json"))
    assert whole["params"] - ten["params"] == 990 * 1281
    assert small["params"] == whole["params"]
    assert small["madds"] < whole["madds"] / 3


def test_a_muxnet_has_the_cost_that_its_space_gives(nas_command) -> None:
    from search_spaces.muxnet import MUXNetSpace

    space = MUXNetSpace("imagenet")
    text = space.format(space.parse("muxnet_m"))
    found = costs(nas_command("cost", "muxnet-imagenet", text, "--json"))
    assert found == {"params": 3_354_276, "madds": 216_808_112}


def test_a_cell_alone_has_the_cost_that_its_space_gives(nas_command) -> None:
    alone = costs(nas_command("cost", CELL, "--json"))
    assert alone == costs(nas_command("cost", "nasbench101", CELL, "--json"))
    assert alone["params"] == 8_555_530


def test_the_list_of_models_marks_reconstructions(nas_command) -> None:
    lines = [line for line in nas_command("list", "models").out.splitlines() if "muxnet_" in line]
    assert [("reconstruction" in line) for line in lines] == [True, True, False, False]


@pytest.mark.parametrize(
    ("name", "params", "madds"),
    [("mobilenet_v2", 3_504_872, 300_774_272), ("resnet18", 11_689_512, 1_814_073_344)],
)
def test_a_named_network_is_counted_shown_and_drawn(
    name: str, params: int, madds: int, nas_command, here: Path
) -> None:
    assert costs(nas_command("cost", name, "--json")) == {"params": params, "madds": madds}
    done = nas_command("show", name, "--svg", "network.svg")
    assert done.code == 0, done.err
    total = next(line for line in done.out.splitlines() if "total" in line)
    assert f"{params:,}" in total
    assert f"{madds:,}" in total
    assert ET.parse(here / "network.svg").getroot().tag.endswith("svg")


def test_an_image_folder_can_replace_the_data_set(nas_command, here: Path) -> None:
    from PIL import Image

    for kind, count in (("train", 8), ("val", 2)):
        for name, level in (("dark", 40), ("light", 200)):
            (here / "pictures" / kind / name).mkdir(parents=True)
            for i in range(count):
                Image.new("RGB", (20 + i, 16), (level, level, level)).save(
                    here / "pictures" / kind / name / f"{i}.png"
                )
    small = ("--epochs", "1", "--set", "recipe.resolution=8", "--set", "recipe.batch_size=4")
    done = nas_command("train", SMALL, "--data", "pictures", "--recipe", "imagenet", *small)
    assert done.code == 0, done.err
    (folder,) = (here / "runs").iterdir()
    assert folder.name == "r8-stem8s1-ds8-ir16-s2e2-head32-imagenet"
    assert json.loads((folder / "result.json").read_text())["test"]["pictures"] == 4
    config = json.loads((folder / "config.json").read_text())
    assert "resolution=8" in config["data"]


def test_a_network_is_shown_block_by_block_with_totals(nas_command) -> None:
    done = nas_command("show", "muxnet_m", "--resolution", "224")
    assert done.code == 0, done.err
    assert done.out.count("│ sp ") == 11
    total = next(line for line in done.out.splitlines() if "total" in line)
    assert "3,354,276" in total
    assert "216,808,112" in total


def test_a_cell_is_shown_vertex_by_vertex(nas_command) -> None:
    done = nas_command("show", CELL)
    assert "7 vertices, 9 edges" in done.out
    assert "maxpool3x3" in done.out


@pytest.mark.parametrize("arguments", [("muxnet_m",), (CELL,), (SMALL,), ("nasbench101", CELL)])
def test_a_drawing_is_an_svg_file(arguments: tuple[str, ...], nas_command, here: Path) -> None:
    done = nas_command("show", *arguments, "--svg", "drawings/network.svg")
    assert done.code == 0, done.err
    assert ET.parse(here / "drawings/network.svg").getroot().tag.endswith("svg")
    assert [p.name for p in (here / "drawings").iterdir()] == ["network.svg"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cost", "muxnet_n"), "did you mean 'muxnet_"),
        (("cost", "muxnet-tinny"), "did you mean 'muxnet-tiny'"),
        (("show", "muxnet-tiny"), "add an architecture"),
        (("show", "r8/stem8s1/dss8/head32"), "'dss8'"),
        (("cost", "muxnet_m", "--resolution", "0"), "--resolution"),
        (("cost", "muxnet_m", "--classes", "0"), "--classes"),
        (("cost", "muxnet_m", "--set", "x=1"), "only a space has settings"),
        (("cost", "nasbench101", CELL, "--resolution", "32"), "--resolution"),
        (("list", "modells"), "did you mean 'models'"),
        (("train", SMALL, "--data", "digit", "--out", "o"), "did you mean 'digits'"),
        (("train", SMALL, "--data", "cifar10", "--out", "o"), "--path"),
        (("train", SMALL, "--data", "/tmp", "--path", "x", "--out", "o"), "remove --path"),
        (("train", SMALL, "--data", "digits", "--recipe", "digit", "--out", "o"), "did you mean 'digits'"),
        (
            ("train", SMALL, "--data", "digits", "--out", "o", "--set", "recipe.epoch=1"),
            "did you mean 'epochs'",
        ),
        (("train", SMALL, "--data", "digits", "--out", "o", "--set", "epochs=1"), "recipe.KEY"),
        (("train", "muxnet_q", "--data", "digits", "--out", "o"), "did you mean"),
        (("train", SMALL, "--data", "digits", "--out", "o", "--weights", "no.pt"), "no.pt: not found"),
        (("evaluate", SMALL, "--data", "digits", "--weights", "no.pt"), "no.pt: not found"),
        (("weights", "convert", "no.pth", "--model", "muxnet_m", "--out", "o.pt"), "no.pth: no such file"),
        (("weights", "convert", "no.pth", "--model", "muxnet", "--out", "o.pt"), "did you mean 'muxnet_"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_used_is_refused_in_a_sentence(
    arguments: tuple[str, ...], said: str, nas_command, here: Path
) -> None:
    done = nas_command(*arguments)
    assert done.code in (2, 3)
    assert said in done.sentence
    assert "Traceback" not in done.err
    assert not list(here.iterdir())


def test_a_training_writes_its_result_and_prints_it(trained: Path, nas_command) -> None:
    result = json.loads((trained / "result.json").read_text())
    assert result["epochs"] == 1
    again = nas_command("train", SMALL, *TRAIN, "--epochs", "1", "--out", "run")
    assert f"test: error {result['test']['error']:.2f}%, top-5 error" in again.out
    assert "after 1 of 1 epochs: continuing it" in again.out


def test_a_trained_network_is_exported_with_its_weights_and_scores(trained: Path, nas_command) -> None:
    done = nas_command("export", "run", "--no-onnx")
    assert done.code == 0, done.err
    module = runpy.run_path("run/export/network.py")
    state = torch.load("run/weights.pt", weights_only=True)["network"]
    exported = module["load"]("run/export/weights.pt").state_dict()
    assert all(torch.equal(tensor, exported[name]) for name, tensor in state.items())
    result = json.loads((trained / "result.json").read_text())
    assert (list(module["MEAN"]), list(module["STD"])) == (
        result["pictures"]["mean"],
        result["pictures"]["std"],
    )
    card = Path("run/export/README.md").read_text()
    assert f"| test error | {result['test']['error']:.2f}% | 360 images" in card
    error, images = result["last"]["validation_error"], result["pictures"]["sizes"]["validation"]
    assert f"| validation error | {error:.2f}% | {images:,} images" in card
    assert SMALL in card
    assert "| multiply-adds |" in card
    assert "exact, for one image of 1x8x8" in card
    assert Path("run/export/network.svg").read_text().startswith("<svg")
    again = nas_command("export", "run", "--no-onnx")
    assert again.code == 2
    assert "already holds an export" in again.sentence


def test_what_a_training_has_no_use_for_is_refused(trained: Path, nas_command) -> None:
    for flags in (("--pick", "knee"), ("--train",), ("--epochs", "3"), ("--data", "digits"), ("--seed", "1")):
        done = nas_command("export", "run", *flags)
        assert done.code == 2
        assert f"{flags[0]} requires the run of a search" in done.sentence
    assert not (trained / "export").exists()


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("result.json", None, "the training is not finished"),
        ("result.json", "[1, 2", "result.json: cannot be read"),
        ("result.json", '{"schema": 1, "epochs": 1, "last": null}', "add the missing parts"),
        ("result.json", '{"epochs": 1, "pictures": {"shape": [1, 8], "sizes": {}}}', "add the missing parts"),
        (
            "config.json",
            '{"task": "Classification()", "recipe": {"resolution": null}}',
            "add the missing parts",
        ),
        (
            "config.json",
            '{"task": "Dancing()", "data": "D()", "seed": 0, "recipe": {"resolution": null}}',
            "unknown 'dancing'",
        ),
        ("network.json", '{"network": "muxnet_q"}', "muxnet_q"),
    ],
)
def test_a_damaged_training_is_named(
    trained: Path, nas_command, file: str, content: str | None, said: str
) -> None:
    (trained / file).unlink()
    if content is not None:
        (trained / file).write_text(content)
    done = nas_command("export", "run", "--no-onnx")
    assert done.code in (2, 3)
    assert said in done.sentence
    assert "Traceback" not in done.err


def test_another_network_in_the_same_folder_is_refused(trained: Path, nas_command) -> None:
    done = nas_command("train", "r8/stem4s1/ds8/head32", *TRAIN, "--epochs", "1", "--out", "run")
    assert done.code == 2
    assert "another network" in done.sentence


def test_a_network_of_a_space_is_trained_with_the_settings_of_the_space(nas_command, here: Path) -> None:
    done = nas_command(
        "train", "nasbench101:1-", *TRAIN, "--epochs", "1", "--out", "cell",
        "--set", "space.stem_channels=4", "--set", "space.cells_per_stack=1", "--set", "recipe.max_pictures=64",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "epoch 1/1" in done.out
    assert (here / "cell" / "weights.pt").is_file()


def test_weights_are_evaluated_as_in_their_training(trained: Path, nas_command) -> None:
    test = json.loads((trained / "result.json").read_text())["test"]
    found = costs(nas_command("evaluate", SMALL, "--data", "digits", "--weights", "run/weights.pt", "--json"))
    assert {key: found[key] for key in ("error", "top5_error", "class_errors")} == {
        key: pytest.approx(test[key]) for key in ("error", "top5_error", "class_errors")
    }
    assert found["latency_ms"] > 0


def test_weights_of_another_network_are_refused(trained: Path, nas_command) -> None:
    done = nas_command("evaluate", "r8/stem4s1/ds8/head32", "--data", "digits", "--weights", "run/weights.pt")
    assert done.code == 3
    assert "another network" in done.sentence


def test_an_interrupted_training_prints_how_to_continue(
    nas_command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nas.training.loop import Training

    epoch = Training.epoch

    def stopped(self: Training, feed: Any) -> float:
        if self.done == 1:
            raise KeyboardInterrupt
        return epoch(self, feed)

    command = ("train", SMALL, *TRAIN, "--epochs", "2", "--out", "run")
    with monkeypatch.context() as patch:
        patch.setattr(Training, "epoch", stopped)
        done = nas_command(*command)
    assert done.code == 130
    assert f"continue with: nas {' '.join(command)}" in " ".join(done.out.split())
    done = nas_command(*command)
    assert done.code == 0, done.err
    assert "after 1 of 2 epochs" in done.out
    assert "epoch 2/2" in done.out
    assert "epoch 1/2" not in done.out


def test_a_training_starts_from_weights_without_their_classifier(nas_command, here: Path) -> None:
    import torch

    from search_spaces.muxnet import MUXNet, parse_spec

    other = MUXNet(parse_spec(SMALL), num_classes=7, in_channels=1)
    torch.save({"schema": 1, "network": other.state_dict()}, here / "seven.pt")
    arguments = ("--epochs", "1", "--weights", "seven.pt", "--out", "run", "--set", "recipe.lr=1e-9")
    done = nas_command("train", SMALL, *TRAIN, *arguments, "--set", "recipe.ema_decay=0")
    assert done.code == 0, done.err
    assert "classifier starts from random weights" in done.out
    kept = torch.load(here / "run" / "weights.pt", weights_only=True)["network"]
    assert torch.allclose(kept["conv_stem.weight"], other.conv_stem.weight, atol=1e-5)
    assert kept["classifier.weight"].shape == (10, 32)


def test_a_checkpoint_of_the_authors_becomes_weights_of_ours(nas_command, here: Path) -> None:
    import torch

    from nas.training.judging import put_weights
    from search_spaces.muxnet import create_model

    model = create_model("muxnet_m", 4)
    theirs = {"module." + name: tensor for name, tensor in model.state_dict().items()}
    torch.save({"state_dict_ema": theirs, "epoch": 3}, here / "theirs.pth")
    done = nas_command("weights", "convert", "theirs.pth", "--model", "muxnet_m", "--out", "ours.pt")
    assert done.code == 0, done.err
    assert "from state_dict_ema, 4 classes" in done.out
    other = create_model("muxnet_m", 4)
    assert put_weights(other, here / "ours.pt")
    assert all(torch.equal(a, b) for a, b in zip(other.parameters(), model.parameters(), strict=True))
