"""Checkpoints in the authors' form: other names, an EMA dictionary, arguments beside the weights."""

from __future__ import annotations

import argparse
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.core.errors import ConfigError, DataError
from search_spaces.muxnet import MODELS, create_model
from search_spaces.muxnet.spec import BlockKind
from search_spaces.muxnet.weights import convert_checkpoint, load_checkpoint

State = dict[str, Tensor]


def network(num_classes: int = 4, in_channels: int = 3, seed: int = 0) -> nn.Module:
    """A muxnet_m whose tensors all differ, so that a tensor in the wrong place shows."""
    model = create_model("muxnet_m", num_classes, in_channels, resolution=64).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.uniform_(0.1, 0.3, generator=generator)
                if not name.endswith(("running_var", "bn1.weight")):
                    tensor.sub_(0.2)
    return model


def authors_names(model: nn.Module) -> State:
    """The same tensors under names as timm's EfficientNet has them: blocks by stage, mixed kernels by number."""
    inside = {
        BlockKind.DS: {"conv_dw": "conv_dw", "conv_pw": "conv_pw"},
        BlockKind.IR: {"conv_pw": "conv_pw", "conv_dw.convs": "conv_dw", "conv_pwl": "conv_pwl"},
        BlockKind.SP: {"conv_pw": "conv_exp", "conv_dw.convs": "conv_mux", "conv_pwl": "conv_out"},
    }
    stage, place, stages = 0, 0, {}
    for i, block in enumerate(MODELS["muxnet_m"].blocks):
        if block.kind is BlockKind.IR:
            stage, place = stage + 1, 0
        stages[i] = (stage, place, inside[block.kind])
        place += 1
    renamed = {}
    for name, tensor in model.state_dict().items():
        if name.startswith("blocks."):
            _, index, rest = name.split(".", 2)
            stage, place, names = stages[int(index)]
            for ours, theirs in names.items():
                if rest.startswith(ours + "."):
                    rest = theirs + rest[len(ours) :]
            rest = rest.replace("se.reduce", "se.conv_reduce").replace("se.expand", "se.conv_expand")
            name = f"blocks.{stage}.{place}.{rest}"
        renamed[name] = tensor.clone()
    return renamed


@cache
def authors_state() -> State:
    """That of the default network, made once; no test changes its tensors."""
    return authors_names(network())


def written(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def logits(model: nn.Module) -> Tensor:
    with torch.no_grad():
        out: Tensor = model(torch.linspace(-1, 1, 3 * 64 * 64).reshape(1, 3, 64, 64))
    return out


def test_a_checkpoint_with_the_authors_names_gives_the_same_network(tmp_path: Path) -> None:
    model = network()
    theirs = authors_names(model)
    assert set(theirs) != set(model.state_dict())
    path = written(tmp_path / "m.pth", theirs)
    report = convert_checkpoint(path, "muxnet_m", tmp_path / "ours.pt")
    assert list(report.state_dict) == list(model.state_dict())
    assert all(torch.equal(v, report.state_dict[k]) for k, v in model.state_dict().items())
    other = create_model("muxnet_m", report.num_classes, resolution=64).eval()
    other.load_state_dict(load_checkpoint(tmp_path / "ours.pt"))
    assert torch.equal(logits(other), logits(model))
    # the report names every tensor with its shape
    assert ("blocks.1.1.conv_exp.weight", "blocks.2.conv_pw.weight", (48, 12, 1, 1)) in report.mapped
    assert "blocks.1.1.conv_exp.weight -> blocks.2.conv_pw.weight (48, 12, 1, 1)" in str(report)
    assert (report.num_classes, report.in_channels, report.container, report.prefix) == (4, 3, "", "")


def test_the_ema_dictionary_is_preferred_and_prefixes_are_taken_off(tmp_path: Path) -> None:
    averaged = network(seed=1)
    content = {
        "epoch": 3,
        "args": argparse.Namespace(lr=0.01),
        "state_dict": authors_state(),
        "state_dict_ema": {f"module.{k}": v for k, v in authors_names(averaged).items()},
    }
    report = convert_checkpoint(written(tmp_path / "m.pth", content), "muxnet_m")
    assert (report.container, report.prefix) == ("state_dict_ema", "module.")
    assert torch.equal(report.state_dict["conv_stem.weight"], averaged.state_dict()["conv_stem.weight"])


def test_files_without_batch_counters_and_with_linear_excitation_are_taken(tmp_path: Path) -> None:
    theirs = {
        k: v[:, :, 0, 0] if "se.conv" in k and v.ndim == 4 else v
        for k, v in authors_state().items()
        if not k.endswith("num_batches_tracked")
    }
    report = convert_checkpoint(written(tmp_path / "m.pth", theirs), "muxnet_m")
    create_model("muxnet_m", 4).load_state_dict(report.state_dict)


def test_another_model_is_refused_with_the_tensor_and_its_shapes(tmp_path: Path) -> None:
    path = written(tmp_path / "m.pth", authors_state())
    out = tmp_path / "ours.pt"
    with pytest.raises(
        DataError, match=r"expected a layer for blocks.1.conv_pw.weight \(144, 24, 1, 1\).*96, 24"
    ):
        convert_checkpoint(path, "muxnet_l", out)
    assert not out.exists()


def changed(**tensors: Tensor | None) -> State:
    state = dict(authors_state())
    for name, tensor in tensors.items():
        if tensor is None:
            del state[name]
        else:
            state[name] = tensor
    return state


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bn2.running_var": torch.ones(3)}, r"bn2.running_var: expected shape \(1280,\), got \(3,\)"),
        ({"bn2.bias": None}, r"expected a tensor bn2.bias of shape \(1280,\); it is missing"),
        ({"classifier.weight": None}, "expected a tensor classifier.weight"),
        ({"extra.weight": torch.ones(2)}, r"extra.weight \(2,\) has no place"),
        ({"blocks.6.0.bn3.weight": None}, "expected a layer for blocks.17.bn3.weight"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_by_name(
    tmp_path: Path, change: dict[str, Tensor | None], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        convert_checkpoint(written(tmp_path / "m.pth", changed(**change)), "muxnet_m")


def test_an_unknown_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="muxnet_q"):
        convert_checkpoint(tmp_path / "m.pth", "muxnet_q")


class Harmful:
    """A hostile pickle: loading it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.path), "w"))


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path: Path) -> None:
    bait = tmp_path / "bait"
    path = tmp_path / "bad.pth"
    with path.open("wb") as file:
        pickle.dump({"state_dict": Harmful(bait)}, file, protocol=2)
    for read in (load_checkpoint, lambda p: convert_checkpoint(p, "muxnet_m")):
        with pytest.raises(DataError, match=r"bad\.pth"):
            read(path)
    torch.save({"state_dict": Harmful(bait)}, path)
    with pytest.raises(DataError, match="holds more than tensors"):
        load_checkpoint(path)
    assert not bait.exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut"])
def test_a_file_that_is_not_a_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.pth"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.pth"):
        load_checkpoint(path)


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "m.pth", {"state_dict": {"a.weight": torch.ones(1000)}})
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DataError, match=r"m\.pth"):
        load_checkpoint(path)


def test_a_missing_file_and_one_without_tensors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        load_checkpoint(tmp_path / "none.pth")
    with pytest.raises(DataError, match="got none"):
        load_checkpoint(written(tmp_path / "m.pth", {"epoch": 3}))
    with pytest.raises(DataError, match="expected a dictionary of tensors, got list"):
        load_checkpoint(written(tmp_path / "m.pth", [1]))


def test_a_file_of_a_later_schema_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "m.pt", {"schema": 99, "state_dict": {"a.weight": torch.ones(1)}})
    with pytest.raises(DataError, match="schema 1 or lower, got 99"):
        load_checkpoint(path)
