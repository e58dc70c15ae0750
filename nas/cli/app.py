"""The typer application with all commands."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli.commands.baselines import baselines
from nas.cli.commands.networks import networks, weights
from nas.cli.commands.parts import PANEL as PARTS
from nas.cli.commands.parts import data, parts
from nas.cli.commands.runs import runs
from nas.cli.commands.shrinking import shrinking
from nas.cli.commands.spaces import spaces
from nas.cli.commands.supernets import supernets
from nas.cli.commands.targets import targets

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Search a space of networks for the Pareto front of your objectives.\n\n"
    "First try: `nas search`, then `nas front runs/first`.",
)
app.add_typer(runs)
app.add_typer(shrinking)
app.add_typer(baselines)
app.add_typer(networks)
app.add_typer(weights, name="weights", rich_help_panel="One network")
app.add_typer(spaces, name="space", rich_help_panel=PARTS)
app.add_typer(supernets, name="supernet", rich_help_panel=PARTS)
app.add_typer(targets)
app.add_typer(parts)
app.add_typer(data, name="data", rich_help_panel=PARTS)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"nas {version('multiobjective-nas')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of `nas` itself."""
