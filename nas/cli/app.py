"""The commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from nas.cli.data import data as data_app

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Multi-objective neural architecture search: a space of networks and what matters in, a Pareto front out.\n\n"
    "First try: `nas search`, then `nas front runs/first`.",
)
weights_app = typer.Typer(no_args_is_help=True, help="Weights of networks.", rich_markup_mode="markdown")
app.add_typer(data_app, name="data")
app.add_typer(weights_app, name="weights")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"nas {version('multiobjective-nas')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of `nas` itself."""


Text = Optional[str]  # noqa: UP045 (typer reads annotations at run time, on Python 3.10 too)
Number = Optional[int]  # noqa: UP045
Folder = Optional[Path]  # noqa: UP045

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


@app.command(
    epilog="Examples:\n\n`nas search` trains small MUXNets on digits (about two minutes)\n\n"
    "`nas search --space nasbench101` does the same with NASBench-101 cells\n\n"
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
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Log to RUN/tensorboard (needs the extra `tensorboard`).")
    ] = False,
    mlflow: Annotated[
        bool,
        typer.Option(
            "--mlflow", help="Log to RUN/mlflow.db, or MLFLOW_TRACKING_URI (needs the extra `mlflow`)."
        ),
    ] = False,
    callback: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="Who is told how it goes: file.py:Name. Repeatable.", show_default=False),
    ] = None,
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

    trackers = [name for name, wanted in (("tensorboard", tensorboard), ("mlflow", mlflow)) if wanted]
    told = (*trackers, *(callback or ()))
    flags = Flags(
        space, algorithm, budget, seed, workers, executor, address, out, tuple(settings or ()), told
    )
    run_search(config, flags, resume)


@app.command(
    epilog="Examples:\n\n`nas front runs/first`\n\n`nas front runs/first --json | jq '.[0].architecture'`\n\n"
    '`nas front runs/first --prefer "error=5%,params<1M" --knee` ranks by how near each comes to 5% error\n\n'
    '`nas front runs/first --prefer "error=5%,madds:2" --top 3 --json`'
)
def front(
    run: Annotated[Path, typer.Argument(help="Folder of a run, finished or under way.")],
    prefer: Annotated[
        Text,
        typer.Option(
            help="What you care for: `error=5%` (wished for), `params<1M` (a limit), `madds:2` (a weight), with commas.",
            show_default=False,
        ),
    ] = None,
    knee: Annotated[bool, typer.Option("--knee", help="Mark where the front bends most.")] = False,
    top: Annotated[Number, typer.Option(help="So many rows at most.", min=1, show_default=False)] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="A JSON list, one object an architecture; an object with the above."),
    ] = False,
) -> None:
    """Print a run's Pareto front, or choose from it."""
    from nas.cli.choosing import Wanted, show_front

    show_front(run, Wanted(prefer, knee, top, as_json))


@app.command(
    epilog="Examples:\n\n`nas compare docs/examples/compare.yaml` takes a minute and needs no data\n\n"
    "`nas compare my.yaml --seeds 30 --workers 8` runs what is missing; after Ctrl-C too\n\n"
    "`nas compare my.yaml --report` runs nothing and draws what there is\n\n"
    "`nas compare my.yaml --set budget=300 --set 'targets=[0.9, 0.99]' --out runs/longer`\n\n"
    "A config names problems, two algorithms or more, a budget and seeds; docs/compare.md has every key:\n\n"
    "`problems: [{name: cells, space: nasbench201, objectives: [error], evaluator: {name: nasbench201-table, path: T}}]`"
    "\n\n`algorithms: [sa-moead, {name: regularized-evolution, population: 30, sample: 10}, random]`",
)
def compare(
    config: Annotated[Path, typer.Argument(help="YAML file that describes the comparison.")],
    seeds: Annotated[Number, typer.Option(help="Seeds 0 to N-1 instead of the config's.", min=1)] = None,
    workers: Annotated[Number, typer.Option(help="Runs at a time, each a Ray task.", min=1)] = None,
    out: Annotated[Folder, typer.Option(help="Folder for the runs, the tables and the figures.")] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Run nothing; measure and draw what there is.")
    ] = False,
    settings: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--set", help="Any key of the config: `a.b=value`. Repeatable."),
    ] = None,
) -> None:
    """Compare algorithms on problems with many seeds: curves, tests, tables, figures, one page.

    Runs that are there already are not made again, so the command goes on where it was cut short, and more seeds,
    algorithms or problems can be added to the config at any time.
    """
    from nas.cli.comparing import Flags, run_compare

    run_compare(config, Flags(seeds, workers, out, tuple(settings or ())), report)


@app.command("list", epilog="Examples:\n\n`nas list spaces`\n\n`nas list models`")
def list_(
    kind: Annotated[
        str,
        typer.Argument(
            help="spaces, models, algorithms, peers, evaluators, executors, objectives, surrogates or callbacks."
        ),
    ],
) -> None:
    """List what comes with the framework, a line each."""
    from nas.cli.show import listing, output

    output().print(listing(kind))


@app.command(
    epilog="Examples:\n\n`nas cost nasbench101 100110100001001010101-02001`\n\n"
    "`nas cost nasbench101 1-1 --set stem_channels=16 --json`\n\n"
    "`nas cost muxnet_m --resolution 224 --json`",
)
def cost(
    network: Annotated[str, typer.Argument(help=NETWORK, metavar="NETWORK")],
    architecture: Annotated[
        Text, typer.Argument(help="After a space: text form, as in front.csv.", show_default=False)
    ] = None,
    resolution: Annotated[Number, typer.Option(help=RESOLUTION, show_default=False)] = None,
    classes: Annotated[Number, typer.Option(help=CLASSES, show_default=False)] = None,
    settings: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--set", help="A setting of the space: `name=value`. Repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object.")] = False,
) -> None:
    """Exact parameters and multiply-adds of a network, without building it."""
    from nas.cli.networks import Sizes, network_of
    from nas.cli.show import output

    values = network_of(network, architecture, settings or [], Sizes(resolution, classes)).cost()
    if as_json:
        typer.echo(json.dumps(dict(values)))
    else:
        for name, value in values.items():
            output().print(f"{name:<8} {value:>15,}")


@app.command(
    epilog="Examples:\n\n`nas show muxnet_m --resolution 224 --svg muxnet_m.svg`\n\n"
    "`nas show 100110100001001010101-02001`\n\n`nas show nasbench101 1-1 --set stem_channels=16`",
)
def show(
    network: Annotated[str, typer.Argument(help=NETWORK, metavar="NETWORK")],
    architecture: Annotated[
        Text, typer.Argument(help="After a space: text form, as in front.csv.", show_default=False)
    ] = None,
    resolution: Annotated[Number, typer.Option(help=RESOLUTION, show_default=False)] = None,
    classes: Annotated[Number, typer.Option(help=CLASSES, show_default=False)] = None,
    svg: Annotated[Folder, typer.Option(help="Write a drawing to this file.", show_default=False)] = None,
    settings: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--set", help="A setting of the space: `name=value`. Repeatable."),
    ] = None,
) -> None:
    """Print a network block by block: type, shape, parameters, multiply-adds."""
    from nas.cli.networks import Sizes, network_of, show_network

    show_network(network_of(network, architecture, settings or [], Sizes(resolution, classes)), svg)


@app.command(
    epilog="Examples:\n\n`nas train muxnet_m --data imagenet --recipe imagenet`\n\n"
    "`nas train nasbench101:1-1 --data digits --epochs 5 --set space.stem_channels=16 --out runs/cell`\n\n"
    "`nas train muxnet_m --data cifar10 --path cifar-10-batches-bin --recipe cifar-transfer "
    "--weights muxnet_m.pt --out runs/transfer`\n\n"
    "`nas train muxnet_m --task segmentation --head ppm --data camvid --path camvid.parquet --out runs/camvid`\n\n"
    "`nas train mobilenet_v2 --task detection --data voc --path VOC2007 --recipe voc --out runs/voc`",
)
def train(
    spec: Annotated[str, typer.Argument(help=SPEC, metavar="SPEC")],
    data: Annotated[str, typer.Option(help=DATA)],
    out: Annotated[
        Folder,
        typer.Option(
            help="Folder for the log, the weights and the result; default: runs/NETWORK-RECIPE.",
            show_default=False,
        ),
    ] = None,
    recipe: Annotated[
        Text,
        typer.Option(
            help="digits, cifar-transfer, imagenet, camvid, ade20k, blood-cells or voc; default: digits, or the task's own.",
            show_default=False,
        ),
    ] = None,
    task: Annotated[str, typer.Option(help=TASK)] = "classification",
    head: Annotated[Text, typer.Option(help=HEAD, show_default=False)] = None,
    path: Annotated[Folder, typer.Option(help="Where the data are.", show_default=False)] = None,
    epochs: Annotated[
        Number, typer.Option(help="Instead of the recipe's number.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides everything that is random.")] = 0,
    threads: Annotated[
        Number,
        typer.Option(help="Of this process; default: 1 below 64 pixels, else all.", show_default=False),
    ] = None,
    weights: Annotated[
        Folder,
        typer.Option(help="Weights to start from; another classifier is left out.", show_default=False),
    ] = None,
    settings: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--set",
            help="`recipe.x=y`, `data.x=y` or `space.x=y`; of a task also `head.x=y` and `task.x=y`. Repeatable.",
        ),
    ] = None,
) -> None:
    """Train one network fully by a recipe and judge it on the test pictures.

    A training that was interrupted goes on from its last whole epoch when the command is given again.
    """
    from nas.cli.training import Asked, Run, default_folder, run_training

    asked = Asked(spec, data, path, weights, tuple(settings or ()), task, head)
    name = spec if head is None else f"{spec}-{head}"
    folder = out or default_folder(name, recipe or asked.command.recipe)
    run_training(asked, recipe, epochs, Run(folder, seed, threads))


@app.command(
    epilog="Example:\n\n`nas evaluate muxnet_m --data folder --path imagenet --resolution 224 --weights muxnet_m.pt`"
)
def evaluate(
    spec: Annotated[str, typer.Argument(help=SPEC, metavar="SPEC")],
    data: Annotated[str, typer.Option(help=DATA)],
    weights: Annotated[Path, typer.Option(help="weights.pt of a training, or a converted checkpoint.")],
    path: Annotated[Folder, typer.Option(help="Where the data are.", show_default=False)] = None,
    resolution: Annotated[
        Number,
        typer.Option(help="Side of the pictures; default: as in the weights' training.", show_default=False),
    ] = None,
    task: Annotated[str, typer.Option(help=TASK)] = "classification",
    head: Annotated[
        Text, typer.Option(help=f"{HEAD} Default: as in the weights' training.", show_default=False)
    ] = None,
    settings: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--set", help="`data.x=y` or `space.x=y`; of a task also `head.x=y` and `task.x=y`. Repeatable."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object.")] = False,
) -> None:
    """Judge weights on the test pictures: top-1, top-5, every class, and the time a picture takes."""
    from nas.cli.training import Asked, run_evaluation

    asked = Asked(spec, data, path, weights, tuple(settings or ()), task, head)
    run_evaluation(asked, resolution, as_json)


@app.command(
    epilog="Examples:\n\n`nas report runs/first` writes runs/first/report.html; also while the search runs\n\n"
    "`nas report runs/a runs/b runs/c --out compared.html` compares runs in the objectives that they share"
)
def report(
    runs: Annotated[
        list[Path], typer.Argument(help="Folder of a run, or of several to compare.", metavar="RUN")
    ],
    out: Annotated[
        Folder,
        typer.Option(
            help="File to write; default: report.html in the run's folder, of several comparison.html in the first's.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a page about a run, or about several compared: the front, its networks, how the search went on.

    One file of HTML that opens offline. `nas search` writes it at its end.
    """
    from nas.cli.reporting import make_report

    make_report(runs, out)


@app.command(
    epilog="Examples:\n\n`nas export runs/first` exports the knee with the weights that the search left\n\n"
    '`nas export runs/first --pick knee --pick "params<=10k:error" --pick r8/stem8s1`\n\n'
    "`nas export runs/first --train --recipe digits` trains in full first; again after Ctrl-C, it goes on\n\n"
    "`nas export runs/nb101 --train --recipe cifar-transfer --data cifar10 --path cifar-10-batches-bin`"
)
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    pick: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            help="`knee` (default), an architecture or how it begins, an objective (the best in it), or limits and an "
            "objective: `madds<=300e6:error`. Repeatable.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Folder,
        typer.Option(help="A folder for one of each network; default: RUN/export.", show_default=False),
    ] = None,
    train: Annotated[bool, typer.Option("--train", help="Train in full, on the run's pictures.")] = False,
    untrained: Annotated[bool, typer.Option("--untrained", help="The architecture alone.")] = False,
    recipe: Annotated[Text, typer.Option(help="Of `--train`, as in `nas train`.", show_default=False)] = None,
    epochs: Annotated[
        Number,
        typer.Option(
            help="Of `--train`: instead of the recipe's, or of the search's own.", show_default=False
        ),
    ] = None,
    data: Annotated[Text, typer.Option(help=f"Instead of the run's own: {DATA}", show_default=False)] = None,
    path: Annotated[Folder, typer.Option(help="Where the data are now.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(help="Of `--train` and `--untrained`.")] = 0,
    threads: Annotated[
        Number, typer.Option(help="Of `--train`, as in `nas train`.", show_default=False)
    ] = None,
    resolution: Annotated[
        Number, typer.Option(help="Of `--untrained`, where the space does not say.", show_default=False)
    ] = None,
    no_onnx: Annotated[bool, typer.Option("--no-onnx", help="Leave network.onnx out.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over an export that is there.")] = False,
) -> None:
    """Export networks of a run: PyTorch weights, a Python file that needs PyTorch alone, ONNX, a model card."""
    from nas.cli.exporting import Wanted, run_export

    wanted = Wanted(
        picks=tuple(pick or ()), out=out, train=train, untrained=untrained, recipe=recipe, epochs=epochs, data=data,
        path=path, seed=seed, threads=threads, resolution=resolution, onnx=not no_onnx, force=force,
    )  # fmt: skip
    run_export(run, wanted)


@app.command(epilog="Examples:\n\n`nas doctor`\n\n`nas doctor --json | jq .ready`")
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object.")] = False,
    no_ray: Annotated[bool, typer.Option("--no-ray", help="Do not start Ray (some seconds).")] = False,
) -> None:
    """Tell whether a first search would run here, what is missing for what else, and where data were found."""
    from nas.cli.doctor import run_doctor

    run_doctor(as_json, ray=not no_ray)


@weights_app.command(
    epilog="Example:\n\n`nas weights convert muxnet_m.pth --model muxnet_m --out muxnet_m.pt`"
)
def convert(
    file: Annotated[Path, typer.Argument(help="The authors' checkpoint.")],
    model: Annotated[str, typer.Option(help="A name from `nas list models`.")],
    out: Annotated[Path, typer.Option(help="File to write.")],
) -> None:
    """Turn a checkpoint of MUXNet's authors into one of ours, matched by shape and order."""
    from nas.cli.networks import convert as convert_file

    convert_file(file, model, out)


@app.command(
    epilog="Examples:\n\n`nas watch runs/first` while `nas search` runs in another window, or in a batch job\n\n"
    "`nas watch runs/first --once` prints where it stands\n\n"
    "`nas watch /mnt/cluster/runs/mine --every 10` follows a run of another machine on a shared disk",
)
def watch(
    run: Annotated[Path, typer.Argument(help="Folder of a run: under way, over, or not begun yet.")],
    every: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Seconds between looks; default: 1, in a log 60.", show_default=False),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Show where it stands now, and end.")] = False,
) -> None:
    """Show where a run stands, live, from any process or machine that sees its folder.

    Reads only. Ends when the run does; Ctrl-C ends the watching alone.
    """
    from nas.cli.watching import run_watch

    run_watch(run, every, once)
