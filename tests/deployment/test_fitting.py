"""Whether a network fits a target."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nas.deployment.fitting import faults, in_bytes
from nas.deployment.graph import GraphFacts
from nas.deployment.onnx_file import deployed_model
from nas.deployment.target import Target
from search_spaces.muxnet import MUXNetSpace

FACTS = GraphFacts({"Conv": 3, "Erf": 1}, 9000, 1024, 2000, 10, 50, 18)


@pytest.mark.parametrize(
    ("target", "precision", "expected"),
    [
        (Target(), None, ()),
        (Target(ram=4096, flash=9000), None, ()),
        (Target(ram=4095), None, ("activations need 4 KiB, RAM has 3.999 KiB",)),
        (Target(ram=4095), "int8", ()),
        (Target(flash=2000, precision="int8"), None, ("weights need 2.188 KiB, flash has 1.953 KiB",)),
        (Target(operators=("Conv",), opset=18), None, ("operators that it lacks: Erf",)),
        (Target(operators=("Conv", "Erf")), None, ("operator set 18, it has 17",)),
    ],
)
def test_each_limit_that_is_exceeded_is_named(
    target: Target, precision: str | None, expected: tuple[str, ...]
) -> None:
    assert faults(FACTS, target, precision) == expected


def test_bytes_are_shown_in_the_largest_unit_that_they_fill() -> None:
    assert [in_bytes(n) for n in (None, 512, 2048, 3 * 2**20)] == ["any", "512 B", "2 KiB", "3 MiB"]


@pytest.mark.slow
def test_a_network_that_the_earlier_exporter_lacks_is_written_without_a_word(capfd) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    space, rng = MUXNetSpace("tiny"), np.random.default_rng(3)
    architecture = next(
        a for a in iter(lambda: space.sample(rng), None) if not space.format(a).startswith("r8/")
    )
    torch.manual_seed(0)
    assert deployed_model(space.build(architecture, num_classes=10, in_channels=1), (1, 8, 8))
    assert capfd.readouterr() == ("", "")
