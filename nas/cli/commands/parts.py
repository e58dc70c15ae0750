"""Commands that list components, check the installation, and prepare data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.commands.options import Json

parts = typer.Typer(rich_markup_mode="markdown")
data = typer.Typer(
    no_args_is_help=True,
    help="Prepare benchmark tables and check image data sets.",
    rich_markup_mode="markdown",
)
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


@data.command(epilog="Example:\n\n`nas data enumerate nasbench101 --out cells.parquet`")
def enumerate(
    space: Annotated[str, typer.Argument(help="nasbench101")],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
) -> None:
    """Write every architecture of a space with its exact costs to a Parquet file."""
    from nas.cli.benchmarks import enumerate_space

    enumerate_space(space, out)


@data.command(
    "import", epilog="Example:\n\n`nas data import nasbench101 nasbench_only108.tfrecord --out tables/nb101`"
)
def import_(
    benchmark: Annotated[str, typer.Argument(help="nasbench101")],
    file: Annotated[Path, typer.Argument(help="Published file of the benchmark.")],
    out: Annotated[Path, typer.Option(help="Folder to create.")],
    partial: Annotated[bool, typer.Option("--partial", help="Accept an incomplete file.")] = False,
) -> None:
    """Convert a benchmark's published file to a table that opens quickly."""
    from nas.cli.benchmarks import import_benchmark

    import_benchmark(benchmark, file, out, partial)


@data.command(
    epilog="Examples:\n\n`nas data check images/`\n\n`nas data check cifar.parquet`\n\n`nas data check images/ --set skip_damaged=true`\n\n`nas data check cifar10 cifar-10-batches-bin`\n\n"
    "`nas data check camvid camvid.parquet --task segmentation`\n\n`nas data check voc VOC2007 --task detection`"
)
def check(
    kind: Annotated[
        str,
        typer.Argument(
            help="digits, cifar10, cifar100, an image folder, a Parquet file or a data set of Hugging Face on disk; for segmentation camvid, ade20k, voc; for detection voc, parquet."
        ),
    ],
    path: Annotated[Path | None, typer.Argument(help="Path of the data.")] = None,
    task: Annotated[str, typer.Option(help="classification, segmentation or detection.")] = "classification",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Setting of the data set, such as labels=truth.csv."),
    ] = None,
) -> None:
    """Check a data set: report its contents, ignored and damaged files, and how to get it."""
    from nas.cli.benchmarks import check_data

    check_data(kind, path, task, tuple(settings or ()))
