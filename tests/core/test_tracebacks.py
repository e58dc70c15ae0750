"""Why a file of weights is not loaded, without PyTorch's advice to load it unprotected."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nas.core.tracebacks import why_not_loaded


def refusal(path: Path) -> str:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - torch raises many kinds
        torch.load(path, weights_only=True)
    assert isinstance(caught.value, Exception)
    return why_not_loaded(caught.value)


def test_a_pickled_network_is_named_and_nothing_is_advised(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(1, 1), tmp_path / "whole.pt")
    found = refusal(tmp_path / "whole.pt")
    assert found == "it holds more than tensors and plain values, an object of torch.nn.modules.linear.Linear"


@pytest.mark.parametrize("content", [b"", b"junk" * 10, b"hello world\n", b"PK\x03\x04 not a zip"])
def test_other_files_get_one_line_without_keys_and_advice(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.pt").write_bytes(content)
    found = refusal(tmp_path / "other.pt")
    assert "\n" not in found
    assert "weights_only" not in found
    assert not found.startswith("KeyError")


def test_a_truncated_file_is_said_to_be_an_incomplete_archive(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(100)}, tmp_path / "weights.pt")
    (tmp_path / "weights.pt").write_bytes((tmp_path / "weights.pt").read_bytes()[:700])
    assert "zip archive" in refusal(tmp_path / "weights.pt")
