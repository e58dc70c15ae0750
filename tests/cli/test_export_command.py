"""`nas export`: files, refused arguments, model card."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from nas.cli.search_config import Flags
from nas.cli.searching import run_search

CONFIG = """
space: {name: nasbench101, stem_channels: 4, stacks: 2, cells_per_stack: 1, image_size: 8, in_channels: 1}
objectives: [error, params, madds]
evaluator: {name: training, data: digits, recipe: {epochs: 1, max_pictures: 200}}
executor: serial
algorithm: random
budget: 6
seed: 2
out: run
"""
FILES = {"weights.pt", "network.py", "network.svg", "README.md", "export.json"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search that trained six small cells, in `run`."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "cells.yaml").write_text(CONFIG)
    flags = Flags(None, None, None, None, None, None, None, folder / "run", ())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        run_search(folder / "cells.yaml", flags, None)
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, with the path of the run in `run`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").symlink_to(made / "run")
    return tmp_path


@pytest.fixture
def exported(made: Path, here: Path, nas_command) -> Path:
    """A copy of the export of the network of the lowest error, with the weights that the search kept."""
    if not (made / "out").exists():
        done = nas_command("export", "run", "--pick", "error", "--out", str(made / "out"), "--no-onnx")
        assert done.code == 0, done.err
    shutil.copytree(made / "out", here / "out")
    (folder,) = (here / "out").iterdir()
    return folder


def front(here: Path) -> pd.DataFrame:
    return pd.read_csv(here / "run" / "front.csv")


def card_rows(folder: Path) -> dict[str, str]:
    """The first two cells of every row of the card's tables."""
    lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    cells = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    return {row[0].strip(): row[1].strip() for row in cells}


def index(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    return found


def test_an_export_has_weights_a_file_a_drawing_and_a_card(exported: Path) -> None:
    assert {p.name for p in exported.iterdir()} == FILES
    assert index(exported)["complete"] is True
    assert set(index(exported)["files"]) == FILES - {"export.json"}


def test_the_weights_are_a_state_dict_that_the_networks_of_the_space_take(exported: Path, here: Path) -> None:
    import nas

    network = nas.load_network("run", index(exported)["architecture"])
    state = torch.load(exported / "weights.pt", weights_only=True)
    assert state.keys() == network.state_dict().keys()
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())


def test_the_validation_error_of_the_card_is_the_one_that_the_search_measured(
    exported: Path, here: Path
) -> None:
    rows = card_rows(exported)
    assert rows["validation error"] == f"{front(here)['error'].min():.2f}%"
    assert rows["error"] == f"{front(here)['error'].min():,.6g}"


def test_the_card_keeps_validation_and_test_apart(exported: Path) -> None:
    text = (exported / "README.md").read_text(encoding="utf-8")
    assert re.search(r"validation error .* 359 images, used to choose", text)
    assert re.search(r"test error .* 360 images, measured once, after all choices", text)


def test_the_card_has_the_exact_costs(exported: Path, here: Path) -> None:
    row = front(here).iloc[0]
    rows = card_rows(exported)
    assert rows["parameters"] == f"{int(row['params']):,}"
    assert rows["multiply-adds"] == f"{int(row['madds']):,}"


def test_the_card_names_the_source_of_the_weights_and_the_licences(exported: Path) -> None:
    text = (exported / "README.md").read_text(encoding="utf-8")
    assert "The weights are those of the search: 1 epoch with its short recipe" in text
    assert "CC BY 4.0" in text
    assert "Apache-2.0" in text


def test_the_card_names_no_folder_of_this_machine(exported: Path, here: Path) -> None:
    assert str(here) not in (exported / "README.md").read_text(encoding="utf-8")
    assert str((here / "run").resolve()) not in (exported / "README.md").read_text(encoding="utf-8")


def snippets(folder: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def run_snippet(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run it in the export's folder; the names that it leaves. That the file needs nothing else is tested elsewhere."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "network", raising=False)
    names: dict[str, Any] = {}
    exec(code, names)
    monkeypatch.delitem(sys.modules, "network", raising=False)
    return names


def test_the_snippet_of_the_card_runs(exported: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    (code,) = snippets(exported)
    assert run_snippet(code, exported, monkeypatch)["scores"].shape == (1, 10)
    assert capsys.readouterr().out.strip() in "0123456789"


def test_several_picks_make_several_folders_and_the_default_is_the_knee(here: Path, nas_command) -> None:
    done = nas_command("export", "run", "--pick", "error", "--pick", "params", "--out", "out", "--no-onnx")
    assert done.code == 0, done.err
    assert len(list((here / "out").iterdir())) == 2
    assert nas_command("export", "run", "--out", "knee", "--no-onnx").code == 0
    (folder,) = (here / "knee").iterdir()
    assert index(folder)["picked"].startswith(("the knee", "the most balanced"))


def test_an_export_is_overwritten_only_with_force(exported: Path, nas_command) -> None:
    again = ("export", "run", "--pick", "error", "--out", "out", "--no-onnx")
    before = (exported / "README.md").stat().st_mtime_ns
    done = nas_command(*again)
    assert done.code == 2
    assert "already holds an export; overwrite it with --force" in done.sentence
    assert (exported / "README.md").stat().st_mtime_ns == before
    assert nas_command(*again, "--force").code == 0
    assert (exported / "README.md").stat().st_mtime_ns > before


def test_files_of_others_are_not_written_over(exported: Path, nas_command) -> None:
    (exported / "export.json").unlink()
    before = {path.name: path.read_bytes() for path in exported.iterdir()}
    for force in ([], ["--force"]):
        done = nas_command("export", "run", "--pick", "error", "--out", "out", "--no-onnx", *force)
        assert done.code == 4
        assert "holds files that no export wrote (first: README.md" in done.sentence
    assert {path.name: path.read_bytes() for path in exported.iterdir()} == before


def test_an_export_that_was_cut_short_is_completed_by_the_next(
    here: Path, nas_command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> str:
        raise KeyboardInterrupt

    command = ("export", "run", "--pick", "error", "--out", "out", "--no-onnx")
    with monkeypatch.context() as patched:
        patched.setattr("nas.export.product.card", interrupted)
        done = nas_command(*command)
    assert done.code == 130
    assert "continue with: nas export run" in done.out
    (folder,) = (here / "out").iterdir()
    assert index(folder)["complete"] is False
    assert nas_command(*command).code == 0
    assert index(folder)["complete"] is True


def test_a_complete_training_reports_it_and_keeps_its_log(here: Path, nas_command) -> None:
    done = nas_command(
        "export", "run", "--pick", "params", "--train", "--epochs", "2", "--out", "out", "--no-onnx"
    )
    assert done.code == 0, done.err
    (folder,) = (here / "out").iterdir()
    assert len(pd.read_csv(folder / "training" / "log.csv")) == 2
    assert index(folder)["weights"] == "trained"
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "a full training: 2 epochs with the search's recipe, seed 0, from scratch" in text
    assert "1,078 training" in text  # all of them, though the search saw 200
    state = torch.load(folder / "training" / "weights.pt", weights_only=True)["network"]
    ours = torch.load(folder / "weights.pt", weights_only=True)
    assert all(torch.equal(tensor, state[name]) for name, tensor in ours.items())


def test_an_interrupted_training_continues(here: Path, nas_command, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("export", "run", "--pick", "params", "--train", "--epochs", "2", "--out", "out", "--no-onnx")

    def told(row: Any, *_: Any) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("nas.cli.exporting.progress_line", told)  # after the first epoch
        assert nas_command(*command).code == 130
    done = nas_command(*command)
    assert done.code == 0, done.err
    assert "epoch 1/2" not in done.out
    assert "epoch 2/2" in done.out


def test_an_untrained_network_is_marked_at_the_top(here: Path, nas_command) -> None:
    done = nas_command("export", "run", "--untrained", "--out", "out", "--no-onnx")
    assert done.code == 0, done.err
    (folder,) = (here / "out").iterdir()
    assert index(folder)["weights"] == "untrained"
    assert "THE NETWORK IS NOT TRAINED" in (folder / "README.md").read_text(encoding="utf-8")[:700]
    assert "THE NETWORK IS NOT TRAINED" in (folder / "network.py").read_text(encoding="utf-8")[:700]


def test_a_run_without_weights_names_the_alternatives(finished_run: Path, nas_command) -> None:
    done = nas_command("export", "run", "--no-onnx")
    assert done.code == 3
    assert (
        "there are no weights; use --train to train the network now, --untrained to export it without weights"
        in done.sentence
    )


def test_a_network_that_is_not_on_the_front_has_no_weights(here: Path, nas_command) -> None:
    history = pd.read_parquet(here / "run" / "history.parquet")
    beaten = next(a for a in history["architecture"] if a not in set(front(here)["architecture"]))
    done = nas_command("export", "run", "--pick", beaten, "--out", "out", "--no-onnx")
    assert done.code == 3
    assert "has no weights" in done.sentence
    assert "use --train to train the network now" in done.sentence


def test_a_space_without_build_is_reported(finished_run: Path, nas_command) -> None:
    done = nas_command("export", "run", "--untrained", "--no-onnx")
    assert done.code == 2
    assert "has no build(architecture)" in done.sentence


def test_without_the_packages_of_onnx_the_rest_is_written_and_the_code_is_1(
    here: Path, nas_command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.export.models.missing_packages", lambda: ["onnxruntime"])
    done = nas_command("export", "run", "--pick", "params", "--out", "out")
    assert done.code == 1
    assert "no network.onnx: onnxruntime not installed; install them with pip install" in " ".join(
        done.out.split()
    )
    (folder,) = (here / "out").iterdir()
    assert {p.name for p in folder.iterdir()} == FILES


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--train",), "--train: set --recipe"),
        (("--train", "--untrained", "--epochs", "1"), "contradict each other"),
        (("--epochs", "2"), "--epochs requires --train"),
        (("--train", "--recipe", "digit"), "did you mean 'digits'"),
        (("--train", "--epochs", "0"), "--epochs: expected a number above 0"),
        (("--resolution", "8"), "--resolution requires --untrained"),
        (("--untrained", "--data", "digits"), "no effect with --untrained"),
        (("--path", "somewhere"), "have no path"),
        (("--pick", "none"), "no such network"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    here: Path, nas_command, flags: tuple[str, ...], reason: str
) -> None:
    done = nas_command("export", "run", *flags, "--no-onnx", "--out", "out")
    assert done.code == 2
    assert reason in done.sentence
    assert not (here / "out").exists()


def test_a_folder_without_a_run_is_reported(here: Path, nas_command) -> None:
    assert nas_command("export", "nowhere").code == 4


@pytest.mark.slow
def test_onnx_is_written_and_compared(here: Path, nas_command) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} is not installed; it comes with the extra 'onnx'")
    done = nas_command("export", "run", "--pick", "params", "--out", "out")
    assert done.code == 0, done.err
    found = re.search(r"random images (\S+), on real ones (\S+) of the largest output", done.out)
    assert found is not None
    assert all(float(value) < 1e-4 for value in found.groups())
    (folder,) = (here / "out").iterdir()
    assert {p.name for p in folder.iterdir()} == FILES | {"network.onnx", "classify.py"}


def test_an_export_is_evaluated_with_its_weights_as_on_its_card(exported: Path, nas_command) -> None:
    test = float(card_rows(exported)["test error"].rstrip("%"))
    for arguments in (
        [str(exported)],
        [index(exported)["network"]["network"], "--weights", str(exported / "weights.pt")],
    ):
        settings = [
            f"--set=space.{k}={json.dumps(v)}" for k, v in index(exported)["network"]["space"].items()
        ]
        done = nas_command(
            "evaluate", *arguments, "--data", "digits", "--json", *(settings if len(arguments) > 1 else [])
        )
        assert done.code == 0, done.err
        assert json.loads(done.out)["error"] == pytest.approx(test, abs=0.005)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (None, "does not name its network"),
        ({"network": "subprocess:getoutput:touch hacked"}, "name it yourself"),
        ({"network": "own.py:Space:1-1"}, "name it yourself"),
    ],
)
def test_an_export_whose_network_is_code_or_unknown_is_not_run(
    exported: Path, here: Path, nas_command, network, said: str
) -> None:
    (exported / "export.json").write_text(json.dumps({**index(exported), "network": network}))
    done = nas_command("evaluate", str(exported), "--data", "digits")
    assert done.code in (2, 3)
    assert said in done.sentence
    assert not (here / "hacked").exists()


def test_a_folder_without_an_export_and_missing_weights_are_reported(here: Path, nas_command) -> None:
    (here / "other").mkdir()
    assert (
        "other is not an export or training folder"
        in nas_command("evaluate", "other", "--data", "digits").sentence
    )
    assert "--weights is required" in nas_command("evaluate", "muxnet_s", "--data", "digits").sentence


@pytest.mark.slow
@pytest.mark.parametrize("opset", [13, 17, 20])
def test_onnx_is_written_for_the_opset_that_is_asked_for(opset: int) -> None:
    pytest.importorskip("onnxruntime")
    from nas.export.onnx_file import compare_onnx, onnx_model, opset_of
    from nas.export.pixels import random_pixels
    from nas.export.standalone import ImageSpec

    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten()
    ).eval()
    images = ImageSpec((1, 6, 6), (4.9,), (6.0,), ("a",))
    model = onnx_model(network, images, opset)
    assert opset_of(model) == opset
    batches = [random_pixels(n, images, torch.Generator().manual_seed(0)) for n in (1, 3)]
    assert compare_onnx(model, network, images, batches, "network.onnx") < 1e-4


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--opset", "3"], "expected a version from 9 to 25, got 3"),
        (["--opset", "17", "--no-onnx"], "contradict each other"),
    ],
)
def test_an_opset_that_cannot_be_is_refused_before_anything_is_written(
    here: Path, nas_command, flags: list[str], said: str
) -> None:
    done = nas_command("export", "run", "--out", "out", *flags)
    assert done.code == 2
    assert said in done.sentence
    assert not (here / "out").exists()
