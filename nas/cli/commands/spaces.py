"""Commands for a search space, before its first search."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from nas.cli.commands.options import DATA, DataPath, Folder, Json, Number, Text, Texts

spaces = typer.Typer(
    no_args_is_help=True,
    help="Check and profile a search space before a search.",
    rich_markup_mode="markdown",
)

Space = Annotated[
    Text,
    typer.Argument(
        help="Search space: FILE.py:NAME, or a name from `nas list spaces`.",
        metavar="SPACE",
        show_default=False,
    ),
]
Config = Annotated[
    Folder,
    typer.Option("--config", help="Use the space, data and limits of this YAML file.", show_default=False),
]
Settings = Annotated[
    Texts,
    typer.Option(
        "--set",
        help="Set an option of the space, `name=value`; with --config a key of the config, `a.b=value`; with --data also "
        "`data.x=y`. Repeatable.",
    ),
]
Data = Annotated[Text, typer.Option(help=f"Build networks for this data set: {DATA}", show_default=False)]
Channels = Annotated[
    Number,
    typer.Option(
        "--in-channels", help="Channels of the images; default: the space's.", min=1, show_default=False
    ),
]
Classes = Annotated[
    Number,
    typer.Option("--classes", help="Number of classes; default: the space's.", min=1, show_default=False),
]
Size = Annotated[
    Text,
    typer.Option(
        "--image-size",
        help="Image side in pixels, or HEIGHTxWIDTH; default: the space's. With --data the side to resize images to.",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option(help="Random seed.", min=0)]


@spaces.command(
    epilog="Examples:\n\n`nas space check my_space.py:space`\n\n"
    "`nas space check my_space.py:space --networks 100 --data folder --path images --image-size 64`\n\n"
    "`nas space check --config my.yaml --set space.fix.width=32`\n\n"
    "`nas space check muxnet-tiny --in-channels 3 --image-size 24`"
)
def check(
    space: Space = None,
    config: Config = None,
    networks: Annotated[int, typer.Option(help="Number of random networks.", min=1)] = 20,
    seed: Seed = 0,
    data: Data = None,
    path: DataPath = None,
    in_channels: Channels = None,
    classes: Classes = None,
    image_size: Size = None,
    no_passes: Annotated[
        bool,
        typer.Option(
            "--no-passes", help="Build no networks: check the rest. For networks whose input is not an image."
        ),
    ] = False,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Build random networks of a space, run them forward and backward, and check costs, texts and the contract.

    Names the first combination that fails, with its parameters and the reason, and exits with 1.
    """
    from nas.cli.spaces import run_check

    options = _options(space, config, settings, data, path, in_channels, classes, image_size)
    run_check(options, networks, seed, not no_passes, as_json)


@spaces.command(
    epilog="Examples:\n\n`nas space profile my_space.py:space`\n\n"
    '`nas space profile my_space.py:space --limit "params <= 1e6" --limit "madds <= 50e6"`\n\n'
    "`nas space profile my_space.py:space --data folder --path images --image-size 64 --budget 200`\n\n"
    "`nas space profile --config my.yaml --samples 1000 --json`"
)
def profile(
    space: Space = None,
    config: Config = None,
    limit: Annotated[
        Texts,
        typer.Option(
            help='Limit of a search on an exact cost, such as "params <= 1e6". Repeatable.',
            show_default=False,
        ),
    ] = None,
    budget: Annotated[
        Number, typer.Option(help="Networks of a search, to estimate its time.", min=1, show_default=False)
    ] = None,
    samples: Annotated[int, typer.Option(help="Number of random networks.", min=1)] = 200,
    seed: Seed = 0,
    data: Data = None,
    path: DataPath = None,
    in_channels: Channels = None,
    classes: Classes = None,
    image_size: Size = None,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Describe a space: size, parameters, costs of random networks, share within limits, time of a search.

    Exits with 2 if no network meets the limits.
    """
    from nas.cli.profiling import run_profile

    options = _options(space, config, settings, data, path, in_channels, classes, image_size)
    run_profile(options, limit or [], budget, samples, seed, as_json)


def _options(name: str | None, config: Any, settings: list[str] | None, *rest: Any) -> Any:
    from nas.cli.spaces import SpaceOptions

    return SpaceOptions(name, config, tuple(settings or ()), *rest)
