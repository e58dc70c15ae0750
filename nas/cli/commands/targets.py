"""Commands for targets."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli.commands.options import Json, SpaceSettings, Text, Trust
from nas.cli.commands.parts import PANEL

targets = typer.Typer(rich_markup_mode="markdown")


@targets.command(
    "targets", rich_help_panel=PANEL, epilog="Examples:\n\n`nas targets`\n\n`nas targets --json`"
)
def targets_(as_json: Json = False) -> None:
    """List the built-in targets: devices with their memory and operators."""
    from nas.cli.targets import list_targets

    list_targets(as_json)


@targets.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`nas check microcontroller-512k runs/first`\n\n`nas check my-board.yaml muxnet_m`\n\n"
    "`nas check phone-arm nasbench101 101-1 --set stem_channels=16 --json`",
)
def check(
    target: Annotated[str, typer.Argument(help="Name of a built-in target (`nas targets`), or a YAML file.")],
    network: Annotated[
        str,
        typer.Argument(
            metavar="RUN|ARCH",
            help="Folder of a search (its front is checked); or a network: a name from `nas list models`, a MUXNet text, a "
            "NASBench-101 cell, or a search space followed by an architecture.",
        ),
    ],
    architecture: Annotated[
        Text,
        typer.Argument(
            help="Architecture of the space, in the text form of front.csv; after a folder: an evaluated network, as for `nas export --pick`."
        ),
    ] = None,
    settings: SpaceSettings = None,
    as_json: Json = False,
    trust: Trust = False,
) -> None:
    """Check whether networks fit a target: operators, memory for activations and weights. Exit status 1: none fits."""
    from nas.cli.targets import run_check

    run_check(target, network, architecture, settings or [], trust, as_json)
