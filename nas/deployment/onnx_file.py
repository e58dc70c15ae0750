"""Write a network as the ONNX file that a device runs: for one image of fixed size, constants folded, batch norm in the convolutions."""

from __future__ import annotations

import ast
import copy
import importlib.util
import logging
import re
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TextIO, cast

import torch
from torch import nn

from nas.core.errors import ConfigError, EvaluationError
from nas.deployment.target import GIVE_SIZE

PACKAGES = ("onnx", "onnxscript", "onnxruntime")  # of the extra `onnx`
INPUT, OUTPUT = "images", "outputs"
OPSET = 17  # version of ONNX's operator set by default
_OLDEST_BY_DYNAMO = 18  # of torch's newer exporter
_SCOPES = "pkg.torch.onnx.name_scopes"  # of a node: the modules around it, as a list in Python's syntax
_LOGGING = ("torch", "onnxscript", "onnx_ir", "onnx", "onnxruntime")
_PRINTS = "_jit_onnx_log"  # function of torch's earlier exporter


_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")  # colours of a terminal


class NotExportable(EvaluationError):
    """A network that torch cannot write as ONNX, or that onnxruntime cannot load."""


def missing_packages() -> list[str]:
    """The missing packages of the extra `onnx`."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def check_packages(needed_by: str) -> None:
    """Raises `ConfigError` that begins with `needed_by` where a package of the extra `onnx` is missing."""
    missing = missing_packages()
    if missing:
        raise ConfigError(
            f"{needed_by}: needs {', '.join(missing)}; install with: pip install 'multiobjective-nas[onnx]'"
        )


def deployed_model(network: nn.Module, shape: tuple[int, int, int], opset: int = OPSET) -> bytes:
    """The ONNX file of a network for one image (1, *shape), as `images` to `outputs`; the network is not changed.

    `opset` is the version of the operator set. Names of nodes begin with the path of their module. Raises `NotExportable`.
    """
    frozen, example = copy.deepcopy(network).to("cpu").eval(), torch.zeros(1, *shape)
    _check_runs(frozen, example)
    return simplified(_exported(frozen, example, opset))


def _check_runs(network: nn.Module, example: torch.Tensor) -> None:
    """Raises `NotExportable` for a network that fails for the image in torch too, without the messages of an exporter."""
    try:
        with torch.no_grad(), silence():
            network(example)
    except Exception as error:  # code of the user
        _, channels, height, width = example.shape
        raise NotExportable(
            f"the network fails for an image of {height} x {width} pixels with {channels} channel{'s' * (channels != 1)} ({_reason(error)}); "
            f"if its images have another size, {GIVE_SIZE}"
        ) from error


def _exported(network: nn.Module, example: torch.Tensor, opset: int) -> bytes:
    """By the earlier exporter, ten times faster; by the newer one for operators that it lacks."""
    try:
        return _written(network, example, opset, dynamo=False)
    except Exception as first:  # torch raises many kinds
        try:
            return _with_paths(_written(network, example, max(opset, _OLDEST_BY_DYNAMO), dynamo=True))
        except Exception as error:
            raise NotExportable(
                f"ONNX: torch cannot write this network for opset {opset} ({_reason(error)}; by its earlier exporter: {_reason(first)})"
            ) from error


def _with_paths(model: bytes) -> bytes:
    """The file of the newer exporter with names of nodes as those of the earlier one: they begin with the path of their module."""
    import onnx

    loaded = onnx.load_from_string(model)
    for node in loaded.graph.node:
        scopes = next((p.value for p in node.metadata_props if p.key == _SCOPES), "[]")
        modules = [name for name in ast.literal_eval(scopes)[:-1] if name]  # the last is the operator
        if modules:
            node.name = f"/{'/'.join(modules)}/{node.name}"
    named: bytes = loaded.SerializeToString()
    return named


def _written(network: nn.Module, example: torch.Tensor, opset: int, *, dynamo: bool) -> bytes:
    settings: dict[str, Any] = {"external_data": False} if dynamo else {}
    with tempfile.TemporaryDirectory(prefix="nas-onnx-") as folder, silence():
        path = Path(folder) / "network.onnx"
        torch.onnx.export(
            network,
            (example,),
            str(path),
            dynamo=dynamo,
            verbose=False,
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=opset,
            **settings,
        )
        return path.read_bytes()


def simplified(model: bytes) -> bytes:
    """The same network with onnxruntime's basic optimisations, such as batch norm within convolutions. Raises `NotExportable`."""
    import onnxruntime

    with tempfile.TemporaryDirectory(prefix="nas-onnx-") as folder:
        path = Path(folder) / "simplified.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        try:
            onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises many kinds
            raise NotExportable(f"ONNX: onnxruntime cannot load this network ({_reason(error)})") from error
        return path.read_bytes()


def session(model: bytes, threads: int = 1) -> Any:
    """An onnxruntime session on the CPU. Raises `NotExportable`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises many kinds
        raise NotExportable(f"ONNX: onnxruntime cannot load this network ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    lines = _ESCAPES.sub("", str(error)).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


@contextmanager
def silence() -> Iterator[None]:
    """Suppress messages of torch and onnxscript in this thread, also those that they log of errors before they raise them.

    Other threads print and log as before: one may show the progress of a search meanwhile.
    """
    here, streams = threading.get_ident(), [_OtherThreads(stream) for stream in (sys.stdout, sys.stderr)]

    def elsewhere(record: logging.LogRecord) -> bool:
        return record.thread != here

    loggers = _loggers()
    for item in loggers:
        item.addFilter(elsewhere)
    try:
        with (
            warnings.catch_warnings(),
            redirect_stdout(cast(TextIO, streams[0])),
            redirect_stderr(cast(TextIO, streams[1])),
            _without_graphs(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for stream in streams:
            stream.thread = None
        for item in loggers:
            item.removeFilter(elsewhere)


def _loggers() -> list[logging.Logger]:
    """The root, to which onnxruntime logs, and all loggers of the packages that export."""
    known = list(logging.root.manager.loggerDict.items())
    theirs = [
        item for name, item in known if name.split(".")[0] in _LOGGING and isinstance(item, logging.Logger)
    ]
    return [logging.root, *theirs]


class _OtherThreads:
    """A stream that drops what the thread that made it writes; None as stream drops everything."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.thread: int | None = (
            threading.get_ident()
        )  # None: pass on everything, for one that is still in place

    def write(self, text: str) -> int:
        if self._stream is None or threading.get_ident() == self.thread:
            return len(text)
        return self._stream.write(text)

    def flush(self) -> None:
        if self._stream is not None:
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _without_graphs() -> Iterator[None]:
    """Keep torch's earlier exporter from printing the graph of a network that it cannot write; torch has no setting for it."""
    printing = getattr(torch._C, _PRINTS, None)
    if printing is None:
        yield
        return
    setattr(torch._C, _PRINTS, lambda *_: None)
    try:
        yield
    finally:
        setattr(torch._C, _PRINTS, printing)
