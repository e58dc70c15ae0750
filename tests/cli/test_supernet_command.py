"""`nas supernet train` and `nas supernet evaluate`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Done, nas_in

from tests.shared.sharing_parts import few_networks as few_networks

pytestmark = pytest.mark.usefixtures("few_networks")
CONFIG = """
space: {name: nasbench201, channels: 4, cells_per_stage: 1}
evaluator:
  name: shared
  data: digits
  recipe: {batch_size: 64, max_pictures: 128}
  supernet: {epochs: 2}
"""


@pytest.fixture
def nas(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Done]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.yaml").write_text(CONFIG)
    return nas_in(monkeypatch, capsys)


def test_a_supernet_is_trained_by_its_key_continued_and_evaluated(
    nas: Callable[..., Done], tmp_path: Path
) -> None:
    done = nas("supernet", "train", "my.yaml")
    assert done.code == 0, done.err
    assert "epoch 2/2" in done.out
    assert "error: largest" in done.out
    (folder,) = (tmp_path / "runs" / "supernets").iterdir()
    assert folder.name.startswith("nasbench201-")
    again = nas("supernet", "train", "my.yaml")
    assert (again.code, "epoch" in again.out.replace("epochs", "")) == (0, False)  # it is finished
    found = json.loads(nas("supernet", "evaluate", str(folder), "333333", "--json").out)
    assert set(found) == {"inherited_error", "inherited_loss"}
    assert 0 <= found["inherited_error"] <= 100
    shown = nas("supernet", "evaluate", str(folder), "333333").out
    assert f"inherited_error  {found['inherited_error']:8.2f} %" in shown
    assert f"{found['inherited_loss']:.4f}" in shown
    _refusals(nas, folder)


def test_the_printed_command_evaluates_a_network_of_a_space_by_code(
    nas: Callable[..., Done], tmp_path: Path
) -> None:
    (tmp_path / "space.py").write_text(
        "from torch import nn\nimport nas\n\nspace = nas.Space('mine', width=nas.Choice(4, 8))\n\n\n"
        "@space.build\ndef build(c, *, num_classes, in_channels):\n"
        "    return nn.Sequential(nn.Conv2d(in_channels, c.width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c.width, num_classes))\n"
    )
    changes = ["--set", "space=space.py:space", "--set", "evaluator.supernet.epochs=1"]
    done = nas("supernet", "train", "my.yaml", *changes)
    assert "Supernet of mine: 1 epoch, in" in done.out
    words = shlex.split(done.out.replace("\n", " ").partition("with its weights: ")[2])
    assert nas(*words[1:]).code == 0


def _refusals(nas: Callable[..., Done], folder: Path) -> None:
    wrong = nas("supernet", "evaluate", str(folder), "33")
    assert (wrong.code, "expected 6 digits" in wrong.sentence) == (2, True)
    other = nas(
        "supernet", "evaluate", str(folder), "333333", "--config", "my.yaml", "--set", "space.channels=8"
    )
    assert (other.code, "another version of space" in other.sentence) == (2, True)
    data = nas("supernet", "train", "my.yaml", "--out", str(folder), "--set", "evaluator.supernet.seed=5")
    assert (data.code, "another seed" in data.sentence) == (2, True)


def test_code_that_a_folder_names_is_not_run(nas: Callable[..., Done], tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    (tmp_path / "space.py").write_text("open('ran', 'w').close()")
    config = {"space": {"name": "space.py:space"}, "evaluator": {"name": "shared"}}
    (folder / "supernet.json").write_text(json.dumps({"schema": 1, "config": config}))
    done = nas("supernet", "evaluate", "s", "333333")
    assert (done.code, "name the config yourself: --config" in done.sentence) == (2, True)
    (folder / "supernet.json").write_text(json.dumps({"schema": 1}))
    assert "does not name its space" in nas("supernet", "evaluate", "s", "333333").sentence
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("evaluator.supernet=runs/s", "expected a mapping such as {epochs: 50}"),
        ("evaluator.supernet.epoch=3", "did you mean 'epochs'"),
        ("evaluator.recip=3", "did you mean 'recipe'"),
        ("evaluator=nasbench101-table", "a supernet needs the evaluator shared or training"),
        ("evaluator=", "has no evaluator"),
        ("space=nasbench101-none", "unknown"),
    ],
)
def test_a_wrong_config_is_an_error_with_a_remedy(
    nas: Callable[..., Done], setting: str, message: str
) -> None:
    done = nas("supernet", "train", "my.yaml", "--set", setting)
    assert done.code == 2
    assert message in done.sentence


def test_a_folder_without_a_supernet_is_refused(nas: Callable[..., Done]) -> None:
    done = nas("supernet", "evaluate", "nothing", "333333")
    assert (done.code, "not the folder of a supernet" in done.sentence) == (2, True)
