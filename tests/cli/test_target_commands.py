"""`nas targets` and `nas check`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Done

pytest.importorskip("onnxruntime")

CONFIG = """
space: muxnet-tiny
objectives: [params, madds]
evaluator: null
executor: serial
algorithm: random
budget: 2
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nas_command) -> Callable[..., Done]:
    monkeypatch.chdir(tmp_path)
    return nas_command


def test_the_built_in_targets_are_listed(command: Callable[..., Done]) -> None:
    shown = command("targets").out
    for name in ("cpu-1-thread", "microcontroller-512k", "phone-arm"):
        assert name in shown
    listed = json.loads(command("targets", "--json").out)
    assert {one["name"]: one["ram"] for one in listed}["microcontroller-512k"] == 524_288


@pytest.mark.slow
def test_the_front_of_a_run_is_checked(command: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "search.yaml").write_text(CONFIG)
    (tmp_path / "small.yaml").write_text("ram: 8 KiB\n")
    (tmp_path / "tiny.yaml").write_text("ram: 8\noperators: [Relu]\n")
    assert command("search", "search.yaml", "--out", "run").code == 0
    found = command("check", "cpu-1-thread", "run", "--json")
    assert found.code == 0
    networks = json.loads(found.out)["networks"]
    assert networks
    assert all(one["feasible"] and one["peak_memory"] > 0 for one in networks)
    picked = json.loads(command("check", "cpu-1-thread", "run", networks[0]["network"], "--json").out)
    assert picked["networks"] == networks[:1]
    limited = json.loads(command("check", "small.yaml", "run", "--json").out)["networks"]
    assert [one["feasible"] for one in limited] == [one["peak_memory"] <= 8192 for one in limited]
    none = command("check", "tiny.yaml", "run")
    assert none.code == 1
    said = " ".join(none.out.split())
    assert "activations need" in said
    assert "operators that it lacks" in said


def test_a_named_network_and_a_cell_are_checked(command: Callable[..., Done]) -> None:
    refused = command("check", "microcontroller-512k", "resnet18", "--json")
    assert refused.code == 1
    (network,) = json.loads(refused.out)["networks"]
    assert any(reason.startswith("weights need") for reason in network["reasons"])
    assert command("check", "cpu-1-thread", "nasbench101", "101-1", "--set", "stem_channels=16").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("phone", "muxnet_xs"), "did you mean 'phone-arm'?"),
        (("phone-arm", "muxnet_q"), "unknown 'muxnet_q'"),
        (("phone-arm", "runs/none"), "no folder runs/none"),
    ],
)
def test_a_wrong_name_is_refused(command: Callable[..., Done], words: tuple[str, str], message: str) -> None:
    done = command("check", *words)
    assert done.code == 2
    assert message in done.sentence


@pytest.mark.slow
def test_a_network_that_cannot_be_written_is_not_feasible(
    command: Callable[..., Done], tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(
        "import nas\nimport torch\nfrom torch import nn\n\nspace = nas.Space('own', width=nas.Choice(4, 8))\n\n\n"
        "class Spectrum(nn.Module):\n    def __init__(self, width, classes, channels):\n        super().__init__()\n"
        "        self.conv, self.head = nn.Conv2d(channels, width, 1), nn.Linear(width, classes)\n\n"
        "    def forward(self, x):\n        return self.head(torch.fft.fft2(self.conv(x)).abs().mean((2, 3)))\n\n\n"
        "@space.build\ndef build(c, *, num_classes, in_channels):\n    return Spectrum(c.width, num_classes, in_channels)\n"
    )
    done = command("check", "cpu-1-thread", "own.py:space", "width=4", "--json")
    (network,) = json.loads(done.out)["networks"]
    assert not network["feasible"] or network["operators"].get("DFT")
