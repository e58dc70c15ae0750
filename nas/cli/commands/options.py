"""What the options of several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

Text = Optional[str]  # noqa: UP045 (typer reads annotations at run time, on Python 3.10 too)
Number = Optional[int]  # noqa: UP045
Folder = Optional[Path]  # noqa: UP045
Texts = Optional[list[str]]  # noqa: UP045

NETWORK = (
    "A name from `nas list models`, a MUXNet text (r224/...), a NASBench-101 cell (bits-digits), or a search space: "
    "a name from `nas list spaces`, or file.py:Name."
)
SPEC = "A name from `nas list models`, a MUXNet text (r32/...), a NASBench-101 cell, or SPACE:TEXT."
DATA = "digits, cifar10, cifar100, folder or parquet; or the path of a folder of pictures or a Parquet file."
TASK = "classification, segmentation (data: camvid, ade20k, voc) or detection (data: voc, parquet)."
HEAD = "What stands on the backbone: of a segmentation c1 or ppm, of a detection ssdlite, ssd or ssd300 (VGG-16)."
RESOLUTION = "Pixels of a side of the picture; default: the network's own. For networks without a space."
CLASSES = "Classes; default 1000. For networks without a space."

# Arguments and options that are said in the same words by several commands.
ConfigSettings = Annotated[
    Texts, typer.Option("--set", help="Any key of the config: `a.b=value`. Repeatable.")
]
SpaceSettings = Annotated[
    Texts, typer.Option("--set", help="A setting of the space: `name=value`. Repeatable.")
]
Network = Annotated[str, typer.Argument(help=NETWORK, metavar="NETWORK")]
OfSpace = Annotated[
    Text, typer.Argument(help="After a space: text form, as in front.csv.", show_default=False)
]
Resolution = Annotated[Number, typer.Option(help=RESOLUTION, show_default=False)]
Classes = Annotated[Number, typer.Option(help=CLASSES, show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="A JSON object.")]
CountedData = Annotated[
    Text,
    typer.Option(
        "--data",
        help="Count for the channels, classes and image size of these data: digits, folder, ..., or a path. "
        "With it --resolution is the side to which images are brought, and `--set data.x=y` sets how they are read.",
        show_default=False,
    ),
]
DataPath = Annotated[Folder, typer.Option("--path", help="Where the data are.", show_default=False)]
CountedTask = Annotated[
    Text, typer.Option("--task", help="Of the data; default: as the space.", show_default=False)
]
Trust = Annotated[
    bool,
    typer.Option("--trust", help="Import the code that the run names, without a question."),
]
