"""The options of `nas export`, and which of them go together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nas.core.checks import check_known, check_positive
from nas.core.errors import ConfigError
from nas.export.onnx_file import OPSETS
from nas.training import RECIPES


@dataclass(frozen=True)
class ExportOptions:
    """Arguments of `nas export`."""

    picks: tuple[str, ...] = ()
    out: Path | None = None
    train: bool = False
    untrained: bool = False
    recipe: str | None = None
    epochs: int | None = None
    data: str | None = None
    path: Path | None = None
    seed: int = 0
    threads: int | None = None
    resolution: int | None = None
    onnx: bool = True
    force: bool = False
    trust: bool = False
    opset: int | None = None
    int8: bool = False
    target: str | None = None


def check_onnx_options(options: ExportOptions) -> None:
    """Raises `ConfigError` for options of ONNX files that contradict each other."""
    if options.target is not None and not options.int8:
        raise ConfigError("--target requires --int8: add --int8 or remove --target")
    for flag, given in (("--opset", options.opset is not None), ("--int8", options.int8)):
        if given and not options.onnx:
            raise ConfigError(f"{flag} and --no-onnx contradict each other: remove one")
    if options.opset is None:
        return
    if not OPSETS[0] <= options.opset <= OPSETS[1]:
        raise ConfigError(f"--opset: expected a version from {OPSETS[0]} to {OPSETS[1]}, got {options.opset}")


def check_options(options: ExportOptions) -> None:
    """Raises `ConfigError` for options of the export of a search that contradict each other."""
    check_onnx_options(options)
    if options.train and options.untrained:
        raise ConfigError("--train and --untrained contradict each other: remove one")
    if not options.train:
        for flag, value in (
            ("--recipe", options.recipe),
            ("--epochs", options.epochs),
            ("--threads", options.threads),
        ):
            if value is not None:
                raise ConfigError(f"{flag} requires --train: add --train or remove {flag}")
    elif options.recipe is None and options.epochs is None:
        raise ConfigError(
            f"--train: set --recipe ({', '.join(RECIPES)}), or --epochs to train longer by the search's recipe"
        )
    if options.resolution is not None and not options.untrained:
        raise ConfigError(
            "--resolution requires --untrained: trained networks have the image size of their data"
        )
    if options.untrained and options.int8:
        raise ConfigError(
            "--int8 and --untrained contradict each other: the error and the ranges of activations of random weights mean nothing; "
            "remove one, or use --train"
        )
    if options.untrained and (options.data is not None or options.path is not None):
        raise ConfigError("--data and --path have no effect with --untrained: remove them")
    if options.recipe is not None:
        check_known("--recipe", options.recipe, RECIPES)
    for flag, value in (
        ("--epochs", options.epochs),
        ("--threads", options.threads),
        ("--resolution", options.resolution),
    ):
        if value is not None:
            check_positive(flag, value)
