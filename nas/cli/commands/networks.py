"""Commands for one network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.commands.options import (
    DATA,
    HEAD,
    SPEC,
    TASK,
    Classes,
    CountedData,
    CountedTask,
    DataPath,
    Folder,
    Json,
    Network,
    Number,
    OfSpace,
    Resolution,
    SpaceSettings,
    Text,
    Texts,
)

networks = typer.Typer(rich_markup_mode="markdown")
weights = typer.Typer(no_args_is_help=True, help="Convert weights of networks.", rich_markup_mode="markdown")
PANEL = "One network"


@networks.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`nas show muxnet_m --resolution 224 --svg muxnet_m.svg`\n\n"
    "`nas show 100110100001001010101-02001`\n\n`nas show nasbench101 101-1 --set stem_channels=16`",
)
def show(
    network: Network,
    architecture: OfSpace = None,
    resolution: Resolution = None,
    classes: Classes = None,
    data: CountedData = None,
    path: DataPath = None,
    task: CountedTask = None,
    svg: Annotated[Folder, typer.Option(help="Write a drawing to this file.")] = None,
    settings: SpaceSettings = None,
) -> None:
    """Print the blocks of a network: type, shape, parameters, multiply-adds."""
    from nas.cli.named_networks import Sizes
    from nas.cli.networks import show_network
    from nas.cli.of_data import counted_network

    sizes = Sizes(resolution, classes)
    show_network(counted_network(network, architecture, settings or [], sizes, data, path, task), svg)


@networks.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`nas cost nasbench101 100110100001001010101-02001`\n\n"
    "`nas cost nasbench101 101-1 --set stem_channels=16 --json`\n\n"
    "`nas cost muxnet_m --resolution 224 --json`\n\n"
    "`nas cost nasbench101 101-1 --data folder --path images --resolution 32`",
)
def cost(
    network: Network,
    architecture: OfSpace = None,
    resolution: Resolution = None,
    classes: Classes = None,
    data: CountedData = None,
    path: DataPath = None,
    task: CountedTask = None,
    settings: SpaceSettings = None,
    as_json: Json = False,
) -> None:
    """Count the parameters and multiply-adds of a network exactly, without building it."""
    from nas.cli.console import output, print_json
    from nas.cli.named_networks import Sizes
    from nas.cli.of_data import counted_network

    sizes = Sizes(resolution, classes)
    values = counted_network(network, architecture, settings or [], sizes, data, path, task).cost()
    if as_json:
        print_json(dict(values))
    else:
        for name, value in values.items():
            output().print(f"{name:<8} {value:>15,}")


@networks.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`nas train muxnet_m --data imagenet --recipe imagenet`\n\n"
    "`nas train nasbench101:101-1 --data digits --epochs 5 --set space.stem_channels=16 --out runs/cell`\n\n"
    "`nas train muxnet_m --data cifar10 --path cifar-10-batches-bin --recipe cifar-transfer "
    "--weights muxnet_m.pt --out runs/transfer`\n\n"
    "`nas train muxnet_m --task segmentation --head ppm --data camvid --path camvid.parquet --out runs/camvid`\n\n"
    "`nas train mobilenet_v2 --task detection --data voc --path VOC2007 --recipe voc --out runs/voc`",
)
def train(
    spec: Annotated[str, typer.Argument(help=SPEC, metavar="SPEC")],
    data: Annotated[str, typer.Option(help=DATA)],
    out: Annotated[
        Folder, typer.Option(help="Output folder for log, weights and result; default: runs/NETWORK-RECIPE.")
    ] = None,
    recipe: Annotated[
        Text,
        typer.Option(
            help="digits, cifar-transfer, imagenet, camvid, ade20k, blood-cells or voc; default: that of the task (digits for classification)."
        ),
    ] = None,
    task: Annotated[str, typer.Option(help=TASK)] = "classification",
    head: Annotated[Text, typer.Option(help=HEAD)] = None,
    path: Annotated[Folder, typer.Option(help="Path of the data.")] = None,
    epochs: Annotated[Number, typer.Option(help="Number of epochs; default: the recipe's.")] = None,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    threads: Annotated[
        Number, typer.Option(help="Threads of this process; default: 1 below 64 pixels, else all.")
    ] = None,
    weights: Annotated[
        Folder, typer.Option(help="Initial weights; a classifier of another size is skipped.")
    ] = None,
    settings: Annotated[
        Texts,
        typer.Option(
            "--set",
            help="Set `recipe.x=y`, `data.x=y` or `space.x=y`; for some tasks also `head.x=y`, `task.x=y`. Repeatable.",
        ),
    ] = None,
) -> None:
    """Train one network with a full recipe and evaluate it on the test images.

    Repeat the command to continue an interrupted training from its last complete epoch.
    """
    from nas.cli.training import NetworkOptions, Run, default_folder, run_training

    options = NetworkOptions(spec, data, path, weights, tuple(settings or ()), task, head)
    name = spec if head is None else f"{spec}-{head}"
    folder = out or default_folder(name, recipe or options.command.recipe)
    run_training(options, recipe, epochs, Run(folder, seed, threads))


@networks.command(
    rich_help_panel=PANEL,
    epilog="Example:\n\n`nas evaluate muxnet_m --data folder --path imagenet --resolution 224 --weights muxnet_m.pt`\n\n"
    "`nas evaluate runs/first/export/NETWORK --data digits` evaluates an exported network with its weights",
)
def evaluate(
    spec: Annotated[
        str, typer.Argument(help=f"{SPEC} Or the folder of an export or training.", metavar="SPEC")
    ],
    data: Annotated[str, typer.Option(help=DATA)],
    weights: Annotated[
        Folder,
        typer.Option(
            help="weights.pt of a training or export, or a converted checkpoint; default: those in the folder SPEC."
        ),
    ] = None,
    path: Annotated[Folder, typer.Option(help="Path of the data.")] = None,
    resolution: Annotated[Number, typer.Option(help="Image side in pixels; default: as in training.")] = None,
    task: Annotated[str, typer.Option(help=TASK)] = "classification",
    head: Annotated[Text, typer.Option(help=f"{HEAD} Default: as in training.")] = None,
    settings: Annotated[
        Texts,
        typer.Option(
            "--set",
            help="Set `data.x=y` or `space.x=y`; for some tasks also `head.x=y`, `task.x=y`. Repeatable.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Evaluate weights on the test images: error, top-5 error, error per class (percent), latency per image."""
    from nas.cli.training import NetworkOptions, run_evaluation

    options = NetworkOptions(spec, data, path, weights, tuple(settings or ()), task, head)
    run_evaluation(options, resolution, as_json)


@weights.command(epilog="Example:\n\n`nas weights convert muxnet_m.pth --model muxnet_m --out muxnet_m.pt`")
def convert(
    file: Annotated[Path, typer.Argument(help="Checkpoint of MUXNet's authors.")],
    model: Annotated[str, typer.Option(help="A name from `nas list models`.")],
    out: Annotated[Path, typer.Option(help="File to write.")],
) -> None:
    """Convert a checkpoint of MUXNet's authors to this package's format, matched by shape and order."""
    from nas.cli.networks import convert as convert_file

    convert_file(file, model, out)
