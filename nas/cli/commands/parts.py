"""Commands that list components and check the installation."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli.commands.options import Json

parts = typer.Typer(rich_markup_mode="markdown")
PANEL = "Components and data"


@parts.command("list", rich_help_panel=PANEL, epilog="Examples:\n\n`nas list spaces`\n\n`nas list models`")
def list_(
    kind: Annotated[
        str,
        typer.Argument(
            help="spaces, models, algorithms, peers, evaluators, executors, objectives, surrogates or callbacks."
        ),
    ],
) -> None:
    """List the built-in components of a kind."""
    from nas.cli.console import output
    from nas.cli.show import listing

    output().print(listing(kind))


@parts.command(rich_help_panel=PANEL, epilog="Examples:\n\n`nas doctor`\n\n`nas doctor --json | jq .ready`")
def doctor(
    as_json: Json = False,
    no_ray: Annotated[bool, typer.Option("--no-ray", help="Skip the start of Ray (a few seconds).")] = False,
) -> None:
    """Check that a search can run here; list missing optional packages and the data found."""
    from nas.cli.doctor import run_doctor

    run_doctor(as_json, ray=not no_ray)
