"""Commands that create runs or read them."""

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
    "`nas search --resume runs/mine --budget 1000` continues after Ctrl-C or a crash, or with a larger budget",
)
def search(
    config: Annotated[Folder, typer.Argument(help="YAML file that describes the search.")] = None,
    space: Annotated[
        Text, typer.Option(help="Search space: a name from `nas list spaces`, or file.py:Name.")
    ] = None,
    algorithm: Annotated[
        Text, typer.Option(help="A name from `nas list algorithms`, or file.py:Name.")
    ] = None,
    budget: Annotated[Number, typer.Option(help="Number of architectures to evaluate.")] = None,
    seed: Annotated[Number, typer.Option(help="Random seed.")] = None,
    workers: Annotated[
        Number,
        typer.Option(
            help="Number of Ray workers. Changes the speed; changes the result only if the config sets no `concurrency`, "
            "which then follows the workers."
        ),
    ] = None,
    executor: Annotated[
        Text, typer.Option(help="`ray` (worker processes) or `serial` (this process).")
    ] = None,
    address: Annotated[
        Text, typer.Option(help="Ray cluster to join, host:port; default: one on this machine.")
    ] = None,
    out: Annotated[Folder, typer.Option(help="Output folder for log, front and plots.")] = None,
    resume: Annotated[Folder, typer.Option(help="Continue the run in this folder.")] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Log to RUN/tensorboard (needs the extra `tensorboard`).")
    ] = False,
    mlflow: Annotated[
        bool,
        typer.Option(
            "--mlflow", help="Log to RUN/mlflow.db, or MLFLOW_TRACKING_URI (needs the extra `mlflow`)."
        ),
    ] = False,
    wandb: Annotated[
        bool,
        typer.Option(
            "--wandb",
            help="Log to Weights & Biases, offline to RUN/wandb unless you are logged in (needs the extra `wandb`).",
        ),
    ] = False,
    callback: Annotated[
        Texts, typer.Option(help="Callback to run during the search, as file.py:Name. Repeatable.")
    ] = None,
    trust: Trust = False,
    accept_changed_code: Annotated[
        bool,
        typer.Option(
            "--accept-changed-code",
            help="With `--resume` or a warm start: accept that your code changed; the run records it.",
        ),
    ] = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Also write every trial to RUN/history.csv, for spreadsheets.")
    ] = False,
    settings: ConfigSettings = None,
) -> None:
    """Search a space for its Pareto front.

    Without CONFIG, the built-in config of the space is used. Ctrl-C stops the run without losing results; `--resume` continues it.
    """
    from nas.cli.console import errors

    errors().print("Loading PyTorch and Ray ...")  # up to half a minute on a busy machine
    from nas.cli.search_config import Flags
    from nas.cli.searching import run_search

    wanted = {"tensorboard": tensorboard, "mlflow": mlflow, "wandb": wandb}
    callbacks = (*(name for name, on in wanted.items() if on), *(callback or ()))
    flags = Flags(
        space, algorithm, budget, seed, workers, executor, address, out, tuple(settings or ()), callbacks,
        trust, accept_changed_code, csv,
    )  # fmt: skip
    run_search(config, flags, resume)


@runs.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`nas watch runs/first` while `nas search` runs in another terminal or a batch job\n\n"
    "`nas watch runs/first --once` prints the status once\n\n"
    "`nas watch /mnt/cluster/runs/mine --every 10` follows a run on another machine through a shared disk",
)
def watch(
    run: Annotated[Path, typer.Argument(help="Folder of a run: running, finished or not started yet.")],
    every: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Seconds between updates; default: 1 in a terminal, 60 in a log."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Print the current status and exit.")] = False,
) -> None:
    """Show the live status of a run from any process or machine that can read its folder.

    Changes nothing. Exits when the run ends; Ctrl-C stops only the display.
    """
    from nas.cli.watching import run_watch

    run_watch(run, every, once)


@runs.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`nas dashboard runs/` prints an address: open it in a browser on this machine\n\n"
    "`nas dashboard /mnt/cluster/runs --port 8800` on a login node; on your machine `ssh -L 8800:127.0.0.1:8800 LOGIN-NODE`, then open the address",
)
def dashboard(
    folder: Annotated[
        Path, typer.Argument(help="Folder of runs, some levels deep, or of one run.", show_default=True)
    ] = Path("runs"),
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0: a free one.", min=0, max=65535)] = 0,
) -> None:
    """Serve a page with all runs of a folder and their fronts, updated while searches run.

    Read-only, for a browser on this machine: the address holds a token. Changes nothing. Ctrl-C ends it.
    """
    from nas.cli.dashboard import run_dashboard

    run_dashboard(folder, port)


@runs.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`nas front runs/first`\n\n`nas front runs/first --json | jq '.[0].architecture'`\n\n"
    '`nas front runs/first --prefer "error=5%,params<1M" --knee` ranks by the distance to 5% error\n\n'
    '`nas front runs/first --prefer "error=5%,madds:2" --top 3 --json`\n\n'
    "`nas front runs/first --by seconds` ranks the front by another recorded value, here the training time\n\n"
    "`nas front runs/first --importance` shows which parameters matter for the error",
)
def front(
    run: Annotated[Path, typer.Argument(help="Folder of a finished or running search.")],
    prefer: Annotated[
        Text,
        typer.Option(
            help="Preference, comma-separated: target `error=5%`, limit `params<1M`, weight `madds:2`."
        ),
    ] = None,
    by: Annotated[
        Text,
        typer.Option(
            help="Rank by an objective (best first) or another recorded value (smallest first).",
            metavar="NAME",
        ),
    ] = None,
    largest: Annotated[bool, typer.Option("--largest", help="Rank the largest value of --by first.")] = False,
    knee: Annotated[bool, typer.Option("--knee", help="Mark the knee point.")] = False,
    top: Annotated[Number, typer.Option(help="Maximum number of rows.", min=1)] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print JSON: a list of architectures; with --prefer, --knee or --importance an object.",
        ),
    ] = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Also write every trial to RUN/history.csv, for spreadsheets.")
    ] = False,
    importance: Annotated[
        bool,
        typer.Option(
            "--importance", help="Also show how much each parameter matters for each measured objective."
        ),
    ] = False,
) -> None:
    """Print the Pareto front of a run, ranked by a preference or a value if you give one."""
    from nas.cli.choosing import FrontOptions, show_front

    show_front(run, FrontOptions(prefer, knee, top, as_json, by, largest, csv, importance))


@runs.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`nas report runs/first` writes runs/first/report.html, also while the search runs\n\n"
    "`nas report runs/a runs/b runs/c --out compared.html` compares runs by their common objectives",
)
def report(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of one run, or of several to compare.", metavar="RUN")
    ],
    out: Annotated[
        Folder,
        typer.Option(
            help="File to write; default: report.html in the run's folder; for several runs comparison.html in the first folder."
        ),
    ] = None,
) -> None:
    """Write an HTML page of one run, or a comparison of several: front, networks, progress.

    The page is one file that opens offline. `nas search` writes it at its end.
    """
    from nas.cli.reporting import make_report

    make_report(runs, out)


@runs.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`nas export runs/first` exports the knee point with the weights kept by the search\n\n"
    '`nas export runs/first --pick knee --pick "params<=10k:error" --pick r8/stem8s1`\n\n'
    "`nas export runs/first --train --recipe digits` trains fully first; repeat it to continue after Ctrl-C\n\n"
    "`nas export runs/nb101 --train --recipe cifar-transfer --data cifar10 --path cifar-10-batches-bin`\n\n"
    "`nas export runs/first --int8 --target microcontroller-512k` also writes the network in 8 bits, with its measured error and latency\n\n"
    "`nas export runs/voc` exports the network trained by `nas train ... --out runs/voc`",
)
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a search, or of a training by `nas train`.")],
    pick: Annotated[
        Texts,
        typer.Option(
            help="Network to export: `knee` (default), an architecture or its first characters, an objective (its best), or "
            "limits and an objective: `madds<=300e6:error`. Repeatable."
        ),
    ] = None,
    out: Annotated[
        Folder,
        typer.Option(
            help="Output folder, with a subfolder per network (for a training: none); default: RUN/export."
        ),
    ] = None,
    train: Annotated[
        bool, typer.Option("--train", help="Train fully on the run's images before the export.")
    ] = False,
    untrained: Annotated[
        bool, typer.Option("--untrained", help="Export the architecture without trained weights.")
    ] = False,
    recipe: Annotated[Text, typer.Option(help="Recipe of `--train`, as in `nas train`.")] = None,
    epochs: Annotated[Number, typer.Option(help="Epochs of `--train`; default: the recipe's.")] = None,
    data: Annotated[Text, typer.Option(help=f"Data set instead of the run's: {DATA}")] = None,
    path: Annotated[Folder, typer.Option(help="Current path of the data.")] = None,
    seed: Annotated[int, typer.Option(help="Random seed of `--train` and `--untrained`.")] = 0,
    threads: Annotated[Number, typer.Option(help="Threads of `--train`, as in `nas train`.")] = None,
    resolution: Annotated[
        Number, typer.Option(help="Image side of `--untrained` if the space has none.")
    ] = None,
    no_onnx: Annotated[bool, typer.Option("--no-onnx", help="Do not write network.onnx.")] = False,
    opset: Annotated[
        Number, typer.Option(help="ONNX operator set version; default: torch's, with `--int8` the target's.")
    ] = None,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="Write network.int8.onnx too, and measure both files: error, size, latency, memory.",
        ),
    ] = False,
    target: Annotated[
        Text,
        typer.Option(
            help="Target of `--int8`: a YAML file or a built-in name (`nas targets`); default: the search's if built in, else cpu-1-thread."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing export.")] = False,
    trust: Trust = False,
) -> None:
    """Export networks of a search or training: weights, Python file that needs only PyTorch, ONNX, model card."""
    from nas.cli.export_options import ExportOptions
    from nas.cli.exporting import run_export

    options = ExportOptions(
        picks=tuple(pick or ()), out=out, train=train, untrained=untrained, recipe=recipe, epochs=epochs, data=data,
        path=path, seed=seed, threads=threads, resolution=resolution, onnx=not no_onnx, force=force, opset=opset,
        int8=int8, target=target, trust=trust,
    )  # fmt: skip
    run_export(run, options)


@runs.command(
    "export-optuna",
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`nas export-optuna runs/first sqlite:///study.db`, then `optuna-dashboard sqlite:///study.db`\n\n"
    "`nas export-optuna runs/first sqlite:///study.db --overwrite` replaces it by the current state of a running search",
)
def export_optuna(
    run: Annotated[Path, typer.Argument(help="Folder of a finished or running search.")],
    storage: Annotated[str, typer.Argument(help="URL of a database, such as sqlite:///study.db.")],
    name: Annotated[Text, typer.Option(help="Name of the study; default: the run's folder.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a study that an earlier export wrote.")
    ] = False,
) -> None:
    """Write the trials of a run as an Optuna study, for optuna-dashboard (needs the extra `optuna`)."""
    from nas.cli.export_optuna import run_export_optuna

    run_export_optuna(run, storage, name, overwrite)


@runs.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`nas compare docs/examples/compare.yaml` takes a minute and needs no data\n\n"
    "`nas compare my.yaml --seeds 30 --workers 8` makes the missing runs, also after Ctrl-C\n\n"
    "`nas compare my.yaml --report` reports the existing runs only\n\n"
    "`nas compare my.yaml --set budget=300 --set 'targets=[0.9, 0.99]' --out runs/longer`\n\n"
    "A config names problems, at least two algorithms, a budget and seeds; docs/compare.md lists every key:\n\n"
    "`problems: [{name: cells, space: nasbench201, objectives: [error], evaluator: {name: nasbench201-table, path: T}}]`"
    "\n\n`algorithms: [sa-moead, {name: regularized-evolution, population: 30, sample: 10}, random]`",
)
def compare(
    config: Annotated[Path, typer.Argument(help="YAML file that describes the comparison.")],
    seeds: Annotated[Number, typer.Option(help="Use seeds 0 to N-1 instead of the config's.", min=1)] = None,
    workers: Annotated[Number, typer.Option(help="Number of parallel runs, each a Ray task.", min=1)] = None,
    out: Annotated[Folder, typer.Option(help="Output folder for runs, tables and figures.")] = None,
    report: Annotated[bool, typer.Option("--report", help="Make no runs; report the existing ones.")] = False,
    accept_changed_code: Annotated[
        bool,
        typer.Option(
            "--accept-changed-code",
            help="Accept that your code changed since the comparison began; the comparison records it.",
        ),
    ] = False,
    settings: ConfigSettings = None,
) -> None:
    """Compare algorithms on problems over many seeds: curves, statistical tests, tables, figures, one page.

    Existing runs are kept: repeat the command after an interruption, or after adding seeds, algorithms or problems.
    """
    from nas.cli.comparing import Flags, run_compare

    run_compare(config, Flags(seeds, workers, out, tuple(settings or ()), accept_changed_code), report)
