"""The command that compares a run with networks that you would have picked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.commands.options import Json, Number, Text, Texts, Trust
from nas.cli.commands.runs import PANEL

baselines = typer.Typer(rich_markup_mode="markdown")


@baselines.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`nas baseline runs/first` trains MobileNetV2 and V3 at four widths\n\n"
    "`nas baseline runs/first --network mobilenet_v2@0.35 --network resnet18`\n\n"
    "`nas baseline runs/first --network my_net.py:make_model` compares with a network of yours\n\n"
    "`nas baseline runs/first` once more continues after Ctrl-C, and trains only missing networks",
)
def baseline(
    run: Annotated[Path, typer.Argument(help="Folder of a finished or running search.")],
    network: Annotated[
        Texts,
        typer.Option(
            help="Network to train: a name from `nas list models`, MobileNets with a width (`mobilenet_v2@0.5`), file.py:function "
            "(called with `num_classes` and `in_channels` if it takes them), a MUXNet text (r32/...) or SPACE:ARCHITECTURE. Repeatable; "
            "default: MobileNetV2 and V3 at the widths 0.25, 0.5, 0.75 and 1.",
            metavar="NAME",
        ),
    ] = None,
    epochs: Annotated[
        Number,
        typer.Option(
            help="Number of epochs, other than that of the front's networks; marked in the results."
        ),
    ] = None,
    settings: Annotated[
        Texts,
        typer.Option("--set", help="Change the recipe, `recipe.x=y`; marked in the results. Repeatable."),
    ] = None,
    workers: Annotated[Number, typer.Option(help="Number of Ray workers; default: the run's.", min=1)] = None,
    executor: Annotated[
        Text, typer.Option(help="`ray` (worker processes) or `serial` (this process); default: the run's.")
    ] = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Train well-known networks, or yours, like the networks of a run, and compare them with its front.

    They get the run's data, recipe, epochs and validation images. Writes RUN/baselines.csv and RUN/plots/baselines.png; the report
    shows them. Ctrl-C keeps the results so far.
    """
    from nas.cli.baselines import Flags, run_baseline

    run_baseline(
        run, Flags(tuple(network or ()), epochs, tuple(settings or ()), workers, executor, trust, as_json)
    )
