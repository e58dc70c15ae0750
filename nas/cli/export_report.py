"""What `nas export` prints."""

from __future__ import annotations

import shlex
import sys

from nas.cli.console import output
from nas.cli.export_options import ExportOptions
from nas.export.int8_card import remarks, summary
from nas.export.making import Made
from nas.export.product import Exported


def typed() -> str:
    """The command line as typed."""
    return f"nas {shlex.join(sys.argv[1:])}"


def report(exported: Exported, made: Made) -> None:
    """Print the scores and the files of an export."""
    for name, scores in (("validation", made.validation), ("test", made.test)):
        if scores is not None:
            values = ", ".join(
                f"{key} {value:.4g}" for key, value in scores.shown(len(made.images.class_names)).items()
            )
            say(f"  {name}: {values} ({scores.images:,} images)")
    if exported.onnx_random is not None:
        real = "" if exported.onnx_real is None else f", on real ones {exported.onnx_real:.1e}"
        say(
            f"  ONNX against PyTorch: largest difference on random images {exported.onnx_random:.1e}{real} of the largest output"
        )
    if exported.int8 is not None:
        for text in (summary(exported.int8), *remarks(exported.int8)):
            say(f"  {text}")
    say(f"  {made.weights} weights, exported to {exported.folder}; see README.md there for usage")


def is_whole(exported: Exported, options: ExportOptions) -> bool:
    """Whether every requested file was written and measured."""
    if exported.int8 is not None and exported.int8.unmeasured:
        return False
    return exported.onnx_random is not None or not options.onnx


def say(line: str) -> None:
    """Print a line."""
    output().print(line)
