"""The commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from nas.cli.data import data

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Multi-objective neural architecture search: a space of networks and what matters in, a Pareto front out.\n\n"
    "First try: `nas search --space nasbench101`, then `nas front runs/first`.",
)
app.add_typer(data, name="data")

Text = Optional[str]  # noqa: UP045 (typer reads annotations at run time, on Python 3.10 too)
Number = Optional[int]  # noqa: UP045
Folder = Optional[Path]  # noqa: UP045


@app.command(
    epilog="Examples:\n\n`nas search --space nasbench101` trains small cells on digits (two minutes)\n\n"
    "`nas search my.yaml --budget 500 --workers 8 --out runs/mine`\n\n"
    "`nas search my.yaml --set algorithm.population=30 --set 'limits=[\"params <= 1e6\"]'`\n\n"
    "`nas search --resume runs/mine --budget 1000` goes on after Ctrl-C, a crash, or for longer",
)
def search(
    config: Annotated[
        Folder, typer.Argument(help="YAML file that describes the search.", show_default=False)
    ] = None,
    space: Annotated[
        Text, typer.Option(help="Search space: a name from `nas list spaces`, or file.py:Name.")
    ] = None,
    algorithm: Annotated[
        Text, typer.Option(help="A name from `nas list algorithms`, or file.py:Name.")
    ] = None,
    budget: Annotated[Number, typer.Option(help="Architectures to evaluate.")] = None,
    seed: Annotated[Number, typer.Option(help="Decides everything that is random.")] = None,
    workers: Annotated[Number, typer.Option(help="Ray workers; changes speed, not the outcome.")] = None,
    executor: Annotated[
        Text, typer.Option(help="`ray` (worker processes) or `serial` (this process).")
    ] = None,
    address: Annotated[
        Text, typer.Option(help="Ray cluster to join, host:port; default: one on this machine.")
    ] = None,
    out: Annotated[Folder, typer.Option(help="Folder for the log, the front and the plots.")] = None,
    resume: Annotated[Folder, typer.Option(help="Go on with the run in this folder.")] = None,
    settings: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--set", help="Any key of the config: `a.b=value`. Repeatable."),
    ] = None,
) -> None:
    """Search a space for its Pareto front.

    Without a config, a space's built-in one is used (NASBench-101 cells trained on digits). Progress is shown live;
    Ctrl-C ends the run in order, and `--resume` goes on with it.
    """
    from nas.cli.searching import Flags, run_search

    flags = Flags(space, algorithm, budget, seed, workers, executor, address, out, tuple(settings or ()))
    run_search(config, flags, resume)


@app.command(
    epilog="Examples:\n\n`nas front runs/first`\n\n`nas front runs/first --json | jq '.[0].architecture'`"
)
def front(
    run: Annotated[Path, typer.Argument(help="Folder of a run, finished or under way.")],
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list, one object an architecture.")] = False,
) -> None:
    """Print a run's Pareto front."""
    from nas.api import load_run
    from nas.cli.show import front_table, output

    table, _ = load_run(run)
    if as_json:
        typer.echo(json.dumps(table.front.to_dict("records"), indent=2))
    else:
        output().print(front_table(table))


@app.command("list", epilog="Example:\n\n`nas list spaces`")
def list_(
    kind: Annotated[
        str, typer.Argument(help="spaces, algorithms, evaluators, executors, objectives or surrogates.")
    ],
) -> None:
    """List what comes with the framework, a line each."""
    from nas.cli.show import listing, output

    output().print(listing(kind))


@app.command(
    epilog="Examples:\n\n`nas cost nasbench101 100110100001001010101-02001`\n\n"
    "`nas cost nasbench101 1-1 --set stem_channels=16 --json`",
)
def cost(
    space: Annotated[
        str, typer.Argument(help="Search space: a name from `nas list spaces`, or file.py:Name.")
    ],
    architecture: Annotated[str, typer.Argument(help="Text form, as in front.csv.")],
    settings: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--set", help="A setting of the space: `name=value`. Repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object.")] = False,
) -> None:
    """Exact parameters and multiply-adds of an architecture, without building it."""
    from nas.cli.show import cost_of, output

    values = cost_of(space, architecture, settings or [])
    if as_json:
        typer.echo(json.dumps(values))
    else:
        for name, value in values.items():
            output().print(f"{name:<8} {value:>15,}")
