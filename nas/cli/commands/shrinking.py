"""The command that shrinks a trained network."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli.commands.options import DATA, ConfigSettings, Folder, Number, Text, Texts, Trust
from nas.cli.commands.runs import PANEL

shrinking = typer.Typer(rich_markup_mode="markdown")


@shrinking.command(
    rich_help_panel=PANEL,
    epilog="Example: `my_net.py` has a function `make_model(num_classes)` that returns the network, and `trained.pt` its state dict:\n\n"
    "`nas shrink my_net.py:make_model --weights trained.pt --data images/ --out runs/smaller`\n\n"
    "`nas shrink runs/found --pick knee --out runs/smaller` shrinks a network that a search found\n\n"
    "`nas shrink resnet18 --data cifar10 --limit 'madds<=2e8' --keep layer4 --budget 60 --out runs/r18` trains ResNet-18 first\n\n"
    "`nas shrink --resume runs/smaller --budget 80` continues after Ctrl-C or with a larger budget\n\n"
    "`nas export runs/smaller --int8` exports the knee point",
)
def shrink(
    model: Annotated[
        Text,
        typer.Argument(
            help="The network: file.py:function (called with `num_classes` and `in_channels` if it takes them), a name from "
            "`nas list models`, SPACE:ARCHITECTURE, or the folder of a run.",
            metavar="MODEL",
        ),
    ] = None,
    weights: Annotated[
        Folder,
        typer.Option(
            help="Its trained weights: a PyTorch file of tensors. Without it the network is trained first."
        ),
    ] = None,
    data: Annotated[
        Text, typer.Option(help=f"Images to fine-tune and evaluate on: {DATA} Default for a run: its data.")
    ] = None,
    keep: Annotated[
        Text,
        typer.Option(
            help="Modules whose tensors all stay as they are, comma-separated: `layer1,fc`.",
            metavar="NAME,...",
        ),
    ] = None,
    pick: Annotated[
        Text, typer.Option(help="Network of a run, as in `nas export`; default: its knee point.")
    ] = None,
    objective: Annotated[
        Texts,
        typer.Option(
            help="Objective, such as `error` or `latency`. Repeatable; default: error, params, madds."
        ),
    ] = None,
    limit: Annotated[
        Texts, typer.Option(help="Limit on an objective or cost: `params<=1e6`. Repeatable.")
    ] = None,
    algorithm: Annotated[
        Text, typer.Option(help="A name from `nas list algorithms`, or file.py:Name.")
    ] = None,
    budget: Annotated[Number, typer.Option(help="Number of networks to evaluate; default: 40.")] = None,
    seed: Annotated[Number, typer.Option(help="Random seed.")] = None,
    workers: Annotated[Number, typer.Option(help="Number of Ray workers.")] = None,
    executor: Annotated[
        Text, typer.Option(help="`ray` (worker processes) or `serial` (this process).")
    ] = None,
    address: Annotated[
        Text, typer.Option(help="Ray cluster to join, host:port; default: one on this machine.")
    ] = None,
    out: Annotated[Folder, typer.Option(help="Output folder for the original, log, front and plots.")] = None,
    resume: Annotated[Folder, typer.Option(help="Continue the run in this folder.")] = None,
    trust: Trust = False,
    accept_changed_code: Annotated[
        bool,
        typer.Option(
            "--accept-changed-code",
            help="With `--resume`: accept that your code changed; the run records it.",
        ),
    ] = False,
    settings: ConfigSettings = None,
) -> None:
    """Search for smaller networks within a trained one.

    Candidates have fewer channels, blocks or pixels. They inherit the weights, are fine-tuned for a few epochs and evaluated; the
    result is a front from the original to the smallest.
    """
    from nas.cli.search_config import Flags
    from nas.cli.shrinking import ShrinkFlags, run_shrink

    flags = Flags(
        None, algorithm, budget, seed, workers, executor, address, out, tuple(settings or ()), trust=trust,
        accept_changed_code=accept_changed_code,
    )  # fmt: skip
    own = ShrinkFlags(weights, data, keep, pick, tuple(objective or ()), tuple(limit or ()))
    run_shrink(model, own, flags, resume)
