"""Options that several commands share."""

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
DATA = "digits, cifar10, cifar100, folder, parquet or huggingface; or the path of an image folder, a Parquet file or a data set of Hugging Face on disk."
TASK = "classification, segmentation (data: camvid, ade20k, voc) or detection (data: voc, parquet)."
HEAD = "Head on the backbone: segmentation c1 or ppm; detection ssdlite, ssd or ssd300 (VGG-16)."
RESOLUTION = "Image side in pixels; default: the network's. For networks without a space."
CLASSES = "Number of classes; default 1000. For networks without a space."

# Arguments and options with the same help in several commands.
ConfigSettings = Annotated[
    Texts, typer.Option("--set", help="Set a key of the config: `a.b=value`. Repeatable.")
]
SpaceSettings = Annotated[
    Texts, typer.Option("--set", help="Set an option of the space: `name=value`. Repeatable.")
]
Network = Annotated[str, typer.Argument(help=NETWORK, metavar="NETWORK")]
OfSpace = Annotated[Text, typer.Argument(help="Architecture of the space, in the text form of front.csv.")]
Resolution = Annotated[Number, typer.Option(help=RESOLUTION)]
Classes = Annotated[Number, typer.Option(help=CLASSES)]
Json = Annotated[bool, typer.Option("--json", help="Print a JSON object.")]
CountedData = Annotated[
    Text,
    typer.Option(
        "--data",
        help="Count for the channels, classes and image size of this data set: digits, folder, ..., or a path. "
        "--resolution is then the side to resize images to; `--set data.x=y` sets options of the data set.",
    ),
]
DataPath = Annotated[Folder, typer.Option("--path", help="Path of the data.")]
CountedTask = Annotated[Text, typer.Option("--task", help="Task of the data; default: that of the space.")]
Trust = Annotated[bool, typer.Option("--trust", help="Import the code that the run names without asking.")]
