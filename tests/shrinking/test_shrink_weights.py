"""Checkpoints of strangers."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.core.errors import DataError
from nas.shrinking.weights import load_weights, read_weights
from tests.shared.shrink_parts import Plain


def prefixed(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


@pytest.mark.parametrize(
    "packed",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": prefixed(state, "module."), "optimizer": {"lr": 0.1}},
        lambda state: {"schema": 1, "network": state},
        lambda state: prefixed(state, "_orig_mod."),
        lambda state: prefixed(state, "module._orig_mod.") | {},
        lambda state: prefixed(state, "_orig_mod.module."),
        lambda state: {"n_averaged": torch.tensor(3), **prefixed(state, "module.")},
        lambda state: {"state_dict": prefixed(state, "model."), "pytorch-lightning_version": "2.5"},
    ],
)
def test_usual_checkpoints_are_understood(trained: Plain, tmp_path: Path, packed: Any) -> None:
    torch.save(packed(trained.state_dict()), tmp_path / "w.pt")
    network = Plain()
    load_weights(network, tmp_path / "w.pt")
    ours = network.state_dict()
    assert all(torch.equal(tensor, ours[name]) for name, tensor in trained.state_dict().items())


def test_the_first_tensor_that_does_not_fit_is_named(trained: Plain, tmp_path: Path) -> None:
    state = trained.state_dict()
    cases = [
        ({n: t for n, t in state.items() if n != "bn1.bias"}, r"tensor bn1.bias \(8,\) is missing"),
        ({**state, "more": torch.zeros(2)}, r"tensor more \(2,\) has no place"),
        ({**state, "fc.bias": torch.full((10,), torch.nan)}, "tensor fc.bias has values that are NaN"),
        ({**state, "fc.bias": torch.zeros(3)}, r"fc.bias: expected shape \(10,\), got \(3,\)"),
    ]
    for content, said in cases:
        torch.save(content, tmp_path / "w.pt")
        with pytest.raises(DataError, match=said):
            load_weights(Plain(), tmp_path / "w.pt")


def test_a_pickled_network_is_never_loaded(trained: Plain, tmp_path: Path) -> None:
    torch.save(trained, tmp_path / "whole.pt")
    with pytest.raises(DataError, match="save the weights alone"):
        read_weights(tmp_path / "whole.pt")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(DataError, match="cannot be read"):
        read_weights(tmp_path / "plain.pkl")


def test_files_without_tensors_are_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 1}, tmp_path / "none.pt")
    with pytest.raises(DataError, match="expected tensors by name"):
        read_weights(tmp_path / "none.pt")
    with pytest.raises(DataError, match="not found"):
        read_weights(tmp_path / "missing.pt")
    with pytest.raises(DataError, match="safetensors"):
        read_weights(tmp_path / "x.safetensors")
