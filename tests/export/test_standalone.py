"""A network as a Python file that needs only PyTorch."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from own_networks import REFUSED, Network, Remembers
from torch import nn

from nas.export.calls import NotExportable
from nas.export.standalone import ImageSpec, outputs, probe, standalone
from nas.training.from_config import segmentation_space
from search_spaces.muxnet import MUXNetSpace
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench201 import NASBench201
from search_spaces.networks import NETWORKS

GREY = ImageSpec((1, 8, 8), (4.9,), (6.0,), tuple("0123456789"))
# In an interpreter that finds torch but none of this project: build, load, run, and save what comes out.
ELSEWHERE = """
import sys
for name in ("nas", "search_spaces", "surrogates", "tests"):
    sys.modules[name] = None  # importing it is an error
import torch
for folder in sys.argv[1:]:
    sys.path.insert(0, folder)
    sys.modules.pop("network", None)
    import network
    print(network.check(folder + "/weights.pt"))
    with torch.no_grad():
        torch.save(network.load(folder + "/weights.pt")(torch.load(folder + "/pictures.pt")), folder + "/outputs.pt")
assert not set(sys.modules) & {"pandas", "ray", "scipy"}
"""


def sampled(space, seed: int = 0) -> nn.Module:
    return space.build(space.sample(np.random.default_rng(seed)), num_classes=10, in_channels=1).eval()


def settled(network: nn.Module) -> nn.Module:
    """The network with running statistics that differ from layer to layer, as after a training."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    return network.eval()


NETWORKS_OF_SPACES: dict[str, Callable[[], nn.Module]] = {
    "muxnet-tiny": lambda: sampled(MUXNetSpace("tiny")),
    "nasbench101": lambda: sampled(NASBench101.digits()),
    "nasbench201": lambda: sampled(NASBench201.digits()),
    "own": Network,
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[torch.Tensor, Path]]:
    """The outputs of each network, and the folder where another interpreter has run its file."""
    found: dict[str, tuple[torch.Tensor, Path]] = {}
    images = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    for name, make in NETWORKS_OF_SPACES.items():
        torch.manual_seed(0)
        network, folder = settled(make()), tmp_path_factory.mktemp(name)
        (folder / "network.py").write_text(standalone(network, GREY, "A network."), encoding="utf-8")
        torch.save(network.state_dict(), folder / "weights.pt")
        torch.save(images, folder / "pictures.pt")
        found[name] = outputs(network, images), folder
    folders = [str(folder) for _, folder in found.values()]
    done = subprocess.run(
        [sys.executable, "-I", "-c", ELSEWHERE, *folders], capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    for (outs, folder), checked in zip(found.values(), done.stdout.splitlines(), strict=True):
        (folder / "checked").write_text(checked)
        assert outs.shape == (3, 10)
    return found


@pytest.mark.parametrize("name", NETWORKS_OF_SPACES)
def test_the_file_gives_the_same_outputs_without_this_project(exported, name: str) -> None:
    expected, folder = exported[name]
    got = torch.load(folder / "outputs.pt", weights_only=True)
    assert torch.allclose(got, expected, rtol=0.0, atol=1e-6 * float(expected.abs().max()))


@pytest.mark.parametrize("name", NETWORKS_OF_SPACES)
def test_the_file_checks_its_outputs_against_those_at_the_export(exported, name: str) -> None:
    _, folder = exported[name]
    shape, difference = ast.literal_eval((folder / "checked").read_text())
    assert shape == (2, 10)
    assert difference < 1e-5  # it has six digits


def run_file(folder: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file as a script, in this process."""
    monkeypatch.setattr(sys, "argv", ["network.py", str(weights)])
    runpy.run_path(str(folder / "network.py"), run_name="__main__")


def test_the_file_as_a_script_prints_the_shapes_and_ends_well(exported, monkeypatch, capsys) -> None:
    _, folder = exported["nasbench101"]
    with pytest.raises(SystemExit) as ended:
        run_file(folder, folder / "weights.pt", monkeypatch)
    assert ended.value.code == 0
    assert "images (2, 1, 8, 8) give (2, 10)" in capsys.readouterr().out


def test_the_file_as_a_script_ends_badly_with_other_weights(exported, tmp_path: Path, monkeypatch) -> None:
    _, folder = exported["nasbench101"]
    other = {
        name: tensor + 0.05 for name, tensor in torch.load(folder / "weights.pt", weights_only=True).items()
    }
    torch.save(other, tmp_path / "weights.pt")
    with pytest.raises(SystemExit, match="outputs of the network differ from those at the export"):
        run_file(folder, tmp_path / "weights.pt", monkeypatch)


def test_the_same_network_gives_the_same_text() -> None:
    network = settled(sampled(NASBench101.digits()))
    assert standalone(network, GREY, "A.") == standalone(network, GREY, "A.")


def test_exporting_leaves_the_network_as_it_was() -> None:
    network = sampled(NASBench201.digits()).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    standalone(network, GREY, "A.")
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_the_file_has_no_line_that_is_too_long_to_read() -> None:
    text = standalone(settled(sampled(MUXNetSpace("tiny"))), GREY, "A.")
    assert max(map(len, text.splitlines())) <= 130


@pytest.mark.parametrize("head", ["c1", "ppm"])
def test_segmentations_are_written_too(head: str) -> None:
    space = segmentation_space(
        backbone="muxnet-tiny", head=head, picture=[32, 48], num_classes=4, in_channels=1
    )
    torch.manual_seed(0)
    network = settled(space.build(space.sample(np.random.default_rng(0))))
    standalone(
        network, ImageSpec((1, 30, 44), (0.0,), (1.0,), tuple("abcd")), "A."
    )  # which compares the outputs


@pytest.mark.slow
@pytest.mark.parametrize("name", list(NETWORKS))
def test_every_named_network_is_written(name: str) -> None:
    from nas.cli.named_networks import named_network

    torch.manual_seed(0)
    network = named_network(name).builder(0.0, 0.0, 64)(num_classes=7, in_channels=3)
    images = ImageSpec((3, 64, 64), (0.0,) * 3, (1.0,) * 3, tuple("abcdefg"))
    standalone(settled(network), images, "A.")


@pytest.mark.slow
@pytest.mark.parametrize(
    "space", [MUXNetSpace("tiny"), NASBench101.digits(), NASBench201.digits()], ids=lambda s: s.name
)
def test_any_architecture_of_a_space_is_written(space) -> None:
    for seed in range(25):
        standalone(settled(sampled(space, seed)), GREY, "A.")


@pytest.mark.parametrize("what", REFUSED)
def test_a_network_without_a_standalone_file_is_refused_with_the_reason(what: str) -> None:
    make, reason = REFUSED[what]
    with pytest.raises(NotExportable, match=reason):
        standalone(make(), GREY, "A.")


def test_a_network_whose_file_gives_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import own_networks

    network = Remembers()
    expected = outputs(network, probe((1, 8, 8)))
    assert expected.abs().max() > 0
    monkeypatch.setattr(
        "nas.export.source.plain",
        lambda value: "[1, 2, 3]" if value == own_networks.UNSTEADY else repr(value),
    )
    with pytest.raises(NotExportable, match=r"outputs of its network differ by \S+"):
        standalone(network, GREY, "A.")


def test_text_that_ends_a_docstring_does_no_harm() -> None:
    text = standalone(settled(sampled(NASBench101.digits())), GREY, 'A """ and a \\ in it.')
    assert compile(text, "network.py", "exec")
