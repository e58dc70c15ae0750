"""Commands that make runs, and that take them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from nas.cli.commands.options import DATA, ConfigSettings, Folder, Number, Text, Texts, Trust

runs = typer.Typer(rich_markup_mode="markdown")
PANEL = "Runs"


@runs.command(
    rich_help_panel=PANEL,
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
        Texts,
        typer.Option(help="Who is told how it goes: file.py:Name. Repeatable.", show_default=False),
    ] = None,
    trust: Trust = False,
    accept_changed_code: Annotated[
        bool,
        typer.Option(
            "--accept-changed-code",
            help="With `--resume` or a warm start: continue although your code changed since; it is recorded.",
        ),
    ] = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Also write every trial to RUN/history.csv, for spreadsheets.")
    ] = False,
    settings: ConfigSettings = None,
) -> None:
    """Search a space for its Pareto front.

    Without a config, a space's built-in one is used (NASBench-101 cells trained on digits). Progress is shown live;
    Ctrl-C ends the run in order, and `--resume` goes on with it.
    """
    from nas.cli.searching import Flags, run_search

    trackers = [name for name, wanted in (("tensorboard", tensorboard), ("mlflow", mlflow)) if wanted]
    told = (*trackers, *(callback or ()))
    flags = Flags(
        space, algorithm, budget, seed, workers, executor, address, out, tuple(settings or ()), told,
        trust, accept_changed_code, csv,
    )  # fmt: skip
    run_search(config, flags, resume)


@runs.command(
    rich_help_panel=PANEL,
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


@runs.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`nas front runs/first`\n\n`nas front runs/first --json | jq '.[0].architecture'`\n\n"
    '`nas front runs/first --prefer "error=5%,params<1M" --knee` ranks by how near each comes to 5% error\n\n'
    '`nas front runs/first --prefer "error=5%,madds:2" --top 3 --json`\n\n'
    "`nas front runs/first --by seconds` ranks the front by another recorded number: here the time of the training",
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
    by: Annotated[
        Text,
        typer.Option(
            help="Rank by a recorded number, an objective or any other value of the trials; smallest first, "
            "objectives best first.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    largest: Annotated[bool, typer.Option("--largest", help="With --by: rank the largest first.")] = False,
    knee: Annotated[bool, typer.Option("--knee", help="Mark the knee point.")] = False,
    top: Annotated[Number, typer.Option(help="So many rows at most.", min=1, show_default=False)] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="A JSON list, one object an architecture; an object with the above."),
    ] = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Also write every trial to RUN/history.csv, for spreadsheets.")
    ] = False,
) -> None:
    """Print a run's Pareto front, or choose from it; `--csv` writes its trials as a table."""
    from nas.cli.choosing import Wanted, show_front

    show_front(run, Wanted(prefer, knee, top, as_json, by, largest, csv))


@runs.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`nas report runs/first` writes runs/first/report.html; also while the search runs\n\n"
    "`nas report runs/a runs/b runs/c --out compared.html` compares runs in the objectives that they share",
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


@runs.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`nas export runs/first` exports the knee with the weights that the search left\n\n"
    '`nas export runs/first --pick knee --pick "params<=10k:error" --pick r8/stem8s1`\n\n'
    "`nas export runs/first --train --recipe digits` trains in full first; again after Ctrl-C, it goes on\n\n"
    "`nas export runs/nb101 --train --recipe cifar-transfer --data cifar10 --path cifar-10-batches-bin`\n\n"
    "`nas export runs/voc` exports what `nas train ... --out runs/voc` has trained: a classifier, a segmentation, a detector",
)
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or of a training by `nas train`.")],
    pick: Annotated[
        Texts,
        typer.Option(
            help="`knee` (default), an architecture or how it begins, an objective (the best in it), or limits and an "
            "objective: `madds<=300e6:error`. Repeatable.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Folder,
        typer.Option(
            help="A folder for one of each network (of a training: for its own); default: RUN/export.",
            show_default=False,
        ),
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
    opset: Annotated[
        Number, typer.Option(help="ONNX operator set of network.onnx; default: torch's.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an export that is there.")] = False,
    trust: Trust = False,
) -> None:
    """Export networks of a run, or the one of a training: weights, a Python file that needs PyTorch alone, ONNX, a card."""
    from nas.cli.exporting import Wanted, run_export

    wanted = Wanted(
        picks=tuple(pick or ()), out=out, train=train, untrained=untrained, recipe=recipe, epochs=epochs, data=data,
        path=path, seed=seed, threads=threads, resolution=resolution, onnx=not no_onnx, force=force, opset=opset,
        trust=trust,
    )  # fmt: skip
    run_export(run, wanted)


@runs.command(
    rich_help_panel=PANEL,
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
    accept_changed_code: Annotated[
        bool,
        typer.Option(
            "--accept-changed-code",
            help="Continue although your code changed since the comparison began; it is recorded.",
        ),
    ] = False,
    settings: ConfigSettings = None,
) -> None:
    """Compare algorithms on problems with many seeds: curves, tests, tables, figures, one page.

    Runs that are there already are not made again, so the command goes on where it was cut short, and more seeds,
    algorithms or problems can be added to the config at any time.
    """
    from nas.cli.comparing import Flags, run_compare

    run_compare(config, Flags(seeds, workers, out, tuple(settings or ()), accept_changed_code), report)
