"""The ONNX files of an export: written, compared with PyTorch, measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from nas.core.errors import ConfigError
from nas.deployment.onnx_file import missing_packages
from nas.deployment.target import Target
from nas.export import int8_card
from nas.export.making import Made
from nas.export.onnx_file import compare_onnx, onnx_model, opset_of, with_notes
from nas.export.pixels import random_pixels, to_pixels
from nas.export.quantised import Int8Export, int8_file, measured

ONNX = "network.onnx"
BATCHES = (1, 2, 5)  # batch sizes of random images to compare ONNX on


@dataclass(frozen=True)
class Models:
    """The float file, its largest differences from PyTorch on random and real images (None: none known), the 8-bit file and the values of both.

    Differences are relative to the largest output.
    """

    float32: bytes
    on_random: float
    on_real: float | None
    int8: bytes | None = None
    export: Int8Export | None = None

    def as_json(self) -> dict[str, Any]:
        """The values for `export.json`."""
        measured = {} if self.export is None else {"int8": int8_card.as_json(self.export)}
        return {"opset": opset_of(self.float32), **measured}


def onnx_models(
    made: Made,
    tell: Callable[[str], None],
    opset: int | None,
    target: Target | None,
    counted: Mapping[str, int],
) -> Models | None:
    """The ONNX files, compared and measured; None if the packages are missing."""
    missing = missing_packages()
    if missing:
        tell(
            f"no {ONNX}: {', '.join(missing)} not installed; install them with pip install 'multiobjective-nas[onnx]', "
            f"or use --no-onnx"
        )
        return None
    noted = {name: str(value) for name, value in counted.items()}
    float32 = with_notes(_float32(made, opset, target), noted)
    generator = torch.Generator().manual_seed(0)
    random = [random_pixels(n, made.images, generator) for n in BATCHES]
    on_random = compare_onnx(float32, made.network, made.images, random, ONNX)
    on_real = None
    if made.real is not None:
        real = [to_pixels(made.real, made.images)]
        on_real = compare_onnx(float32, made.network, made.images, real, ONNX)
    if target is None:
        return Models(float32, on_random, on_real)
    int8 = int8_file(made, target)
    int8 = dataclasses.replace(int8, model=with_notes(int8.model, noted))
    return Models(float32, on_random, on_real, int8.model, measured(made, float32, int8, target))


def _float32(made: Made, opset: int | None, target: Target | None) -> bytes:
    """The float file: for the opset, else for that of the target where torch can write it."""
    if opset is None and target is not None:
        try:
            return onnx_model(made.network, made.images, target.opset)
        except ConfigError:  # it needs a newer one, as in `deployed_model`
            pass
    return onnx_model(made.network, made.images, opset)
