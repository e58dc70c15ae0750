"""Write a network as an ONNX file and compare onnxruntime with PyTorch."""

from __future__ import annotations

import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas.core.errors import ConfigError, DataError
from nas.export.standalone import outputs

PACKAGES = ("onnx", "onnxscript", "onnxruntime")  # of the extra `onnx`
TOLERANCE = 1e-4  # of the largest output, between onnxruntime and PyTorch
INPUT, OUTPUT = "pictures", "outputs"
OPSETS = 9, 25  # the versions of ONNX's operator set that torch writes
_OLDEST_BY_DYNAMO = 18  # older versions take torch's earlier exporter


def missing_packages() -> list[str]:
    """The missing packages of the extra `onnx`."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def write_onnx(network: nn.Module, shape: tuple[int, int, int], path: Path, opset: int | None = None) -> None:
    """Write a network in evaluation mode for images (b, *shape), any b, weights included.

    `opset` is the version of ONNX's operator set; None takes torch's default. Raises `ConfigError` where torch cannot
    export the network, or not for that opset.
    """
    example = torch.zeros(2, *shape)
    older = opset is not None and opset < _OLDEST_BY_DYNAMO
    shapes: dict[str, Any] = (
        {"dynamo": False, "dynamic_axes": {INPUT: {0: "batch"}, OUTPUT: {0: "batch"}}}
        if older
        else {
            "dynamo": True,
            "dynamic_shapes": ({0: torch.export.Dim("batch", min=1)},),
            "external_data": False,
        }
    )
    try:
        with _silence():
            torch.onnx.export(
                network,
                (example,),
                path,
                verbose=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=opset,
                **shapes,
            )
    except Exception as error:  # torch raises many kinds
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise ConfigError(
            f"ONNX: torch cannot export this network ({type(error).__name__}: {reason}); use --no-onnx to skip it"
        ) from error
    if opset is not None and opset_of(path) != opset:  # torch silently writes another
        raise ConfigError(
            f"--opset {opset}: torch cannot write it for this network; try --opset {opset_of(path)}"
        )


def note(path: Path, values: Mapping[str, str]) -> None:
    """Write values to the file's metadata, where onnxruntime and viewers show them."""
    import onnx

    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, dict(values))
    onnx.save(model, str(path))


def opset_of(path: Path) -> int:
    """The version of ONNX's operator set of a file."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    return next(int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def compare_onnx(path: Path, network: nn.Module, batches: Sequence[Tensor]) -> float:
    """The largest difference between the outputs of onnxruntime and PyTorch, relative to the largest output.

    Raises `DataError` above `TOLERANCE`.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch in batches:
        expected = outputs(network, batch).numpy()
        try:
            (got,) = session.run([OUTPUT], {INPUT: np.ascontiguousarray(batch.numpy())})
        except Exception as error:  # onnxruntime raises many kinds
            reason = str(error).splitlines()[0] if str(error) else ""
            raise DataError(
                f"{path}: onnxruntime cannot run it on {len(batch)} images ({type(error).__name__}: {reason}); "
                f"use --no-onnx to skip it"
            ) from error
        worst = max(worst, float(np.abs(got - expected).max() / max(1e-12, np.abs(expected).max())))
    if not worst <= TOLERANCE:
        raise DataError(
            f"{path}: the outputs of onnxruntime and PyTorch differ by {worst:.2g} of the largest; do not use "
            f"the file; use --no-onnx to skip it"
        )
    return worst


@contextmanager
def _silence() -> Iterator[None]:
    """Suppress messages of torch and onnxscript, not errors."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
