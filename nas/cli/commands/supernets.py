"""Commands for weight sharing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.commands.options import ConfigSettings, Folder, Json

supernets = typer.Typer(
    no_args_is_help=True,
    help="Train a supernet, and evaluate networks with its weights.",
    rich_markup_mode="markdown",
)


@supernets.command(
    epilog="Examples:\n\n`nas supernet train my.yaml --set evaluator.supernet.epochs=100`\n\n"
    "`nas supernet train my.yaml --out runs/supernet` continues an interrupted training"
)
def train(
    config: Annotated[
        Path,
        typer.Argument(
            help="YAML file of a search; its space and evaluator (`shared` or `training`) are used."
        ),
    ],
    out: Annotated[
        Folder,
        typer.Option(help="Output folder; default: runs/supernets/KEY, by space, data, recipe and seed."),
    ] = None,
    settings: ConfigSettings = None,
) -> None:
    """Train one set of weights for all networks of a space.

    Repeat the command to continue an interrupted training from its last complete epoch.
    """
    from nas.cli.supernets import run_supernet_training

    run_supernet_training(config, settings or [], out)


@supernets.command(epilog="Example:\n\n`nas supernet evaluate runs/supernet 333333 --json`")
def evaluate(
    folder: Annotated[Path, typer.Argument(help="Folder of a trained supernet.")],
    arch: Annotated[
        str, typer.Argument(help="Architecture of the space, in the text form of front.csv.", metavar="ARCH")
    ],
    config: Annotated[
        Folder,
        typer.Option(
            "--config", help="Use the space and evaluator of this YAML file; needed where they are your code."
        ),
    ] = None,
    settings: ConfigSettings = None,
    as_json: Json = False,
) -> None:
    """Print the error and the loss of a network with inherited weights on the validation images."""
    from nas.cli.supernets import run_supernet_evaluation

    run_supernet_evaluation(folder, arch, config, settings or [], as_json)
