"""`nas data`: benchmark tables and image data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data = typer.Typer(
    no_args_is_help=True, help="Benchmark tables and image data sets.", rich_markup_mode="markdown"
)


@data.command(epilog="Example:\n\n`nas data enumerate nasbench101 --out cells.parquet`")
def enumerate(
    space: Annotated[str, typer.Argument(help="nasbench101")],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
) -> None:
    """Write every architecture of a space, once, with its exact costs."""
    from nas.cli.benchmarks import enumerate_space

    enumerate_space(space, out)


@data.command(
    "import", epilog="Example:\n\n`nas data import nasbench101 nasbench_only108.tfrecord --out tables/nb101`"
)
def import_(
    benchmark: Annotated[str, typer.Argument(help="nasbench101")],
    file: Annotated[Path, typer.Argument(help="The published file.")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    partial: Annotated[bool, typer.Option("--partial", help="Accept a file that lacks cells.")] = False,
) -> None:
    """Turn a benchmark's published file into a table that opens at once."""
    from nas.cli.benchmarks import import_benchmark

    import_benchmark(benchmark, file, out, partial)


@data.command(
    epilog="Examples:\n\n`nas data check pictures/`\n\n`nas data check cifar.parquet`\n\n`nas data check pictures/ --set skip_damaged=true`\n\n`nas data check cifar10 cifar-10-batches-bin`\n\n"
    "`nas data check camvid camvid.parquet --task segmentation`\n\n`nas data check voc VOC2007 --task detection`"
)
def check(
    kind: Annotated[
        str,
        typer.Argument(
            help="digits, cifar10, cifar100, a folder of pictures or a Parquet file; a segmentation's camvid, ade20k, voc; a detection's voc, parquet."
        ),
    ],
    path: Annotated[Path | None, typer.Argument(help="Where the data are.")] = None,
    task: Annotated[str, typer.Option(help="classification, segmentation or detection.")] = "classification",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Setting of the data set, such as labels=truth.csv."),
    ] = None,
) -> None:
    """Check a data set: what it holds, which files are ignored or damaged, and how to get it."""
    from nas.cli.benchmarks import check_data

    check_data(kind, path, task, tuple(settings or ()))
