"""Commands about what is here."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli.commands.options import Json

parts = typer.Typer(rich_markup_mode="markdown")
PANEL = "What is here"


@parts.command("list", rich_help_panel=PANEL, epilog="Examples:\n\n`nas list spaces`\n\n`nas list models`")
def list_(
    kind: Annotated[
        str,
        typer.Argument(
            help="spaces, models, algorithms, peers, evaluators, executors, objectives, surrogates or callbacks."
        ),
    ],
) -> None:
    """List what comes with the framework, a line each."""
    from nas.cli.console import output
    from nas.cli.show import listing

    output().print(listing(kind))


@parts.command(rich_help_panel=PANEL, epilog="Examples:\n\n`nas doctor`\n\n`nas doctor --json | jq .ready`")
def doctor(
    as_json: Json = False,
    no_ray: Annotated[bool, typer.Option("--no-ray", help="Do not start Ray (some seconds).")] = False,
) -> None:
    """Tell whether a first search would run here, what is missing for what else, and where data were found."""
    from nas.cli.doctor import run_doctor

    run_doctor(as_json, ray=not no_ray)
