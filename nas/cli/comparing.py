"""`nas compare`: make the runs of a config, then tests, tables and figures, with live progress."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table as Grid
from rich.text import Text

from nas.cli.console import output
from nas.compare.config import check_comparison
from nas.compare.driving import Progress, run_missing
from nas.compare.folder import remember
from nas.compare.report import FIGURES, PAGE, RESULTS, ReportOutput, write_report
from nas.compare.runs import Comparison
from nas.compare.statistics import seeds_needed
from nas.config.schema import override, read_config
from nas.core.errors import TooManyFailures
from nas.core.files import absolute
from nas.core.text import counted, duration
from nas.runs.log_file import lock_folder

_SHOWN = 10  # failed runs listed


@dataclass(frozen=True)
class Flags:
    """The flags that override the config file."""

    seeds: int | None = None
    workers: int | None = None
    out: Path | None = None
    settings: tuple[str, ...] = ()
    accept_changed_code: bool = False


def run_compare(config: Path, flags: Flags, report_only: bool) -> None:
    """Make the missing runs, then report; exit with 130 if interrupted. Raises `NasError`."""
    values = override(read_config(config), flags.settings)
    given = {"seeds": flags.seeds, "workers": flags.workers, "out": flags.out and str(flags.out)}
    checked = check_comparison({**values, **{key: v for key, v in given.items() if v is not None}})
    comparison = Comparison(checked, config.resolve().parent, absolute(checked.out))
    failed = {} if report_only else _run(comparison, flags.accept_changed_code)
    with Live(console=output(), transient=True) as live:
        written = write_report(comparison, _saying(live))
    _show(comparison, written)
    if failed:
        raise TooManyFailures(
            f"{counted(len(failed), 'run')} failed and {'is' if len(failed) == 1 else 'are'} missing from the report. All results so far are saved: fix the cause and repeat "
            "the command (add --accept-changed-code if you changed your code):\n"
            + "\n".join(f"  {key}: {reason}" for key, reason in list(failed.items())[:_SHOWN])
        )


def _saying(live: Live) -> Callable[[str], None]:
    terminal = output().is_terminal

    def say(text: str) -> None:
        if terminal:
            live.update(Text(f"{text} ...", style="dim"))

    return say


def _run(comparison: Comparison, accept_changed_code: bool) -> dict[str, str]:
    """Make the missing runs; return the failed ones with the reason."""
    config, out = comparison.config, comparison.out
    output().print(
        f"Comparing {counted(len(config.algorithms), 'algorithm')} on {counted(len(config.problems), 'problem')} with {counted(len(config.seeds), 'seed')}: "
        f"{counted(len(list(comparison.every_run())), 'run')}; output folder {out}/"
    )
    needed = seeds_needed(len(config.algorithms), config.alpha)
    if len(config.seeds) < needed:
        output().print(
            f"{counted(len(config.seeds), 'seed')} will be too few for the pairwise tests: {len(config.algorithms)} algorithms need at least {needed} (--seeds {needed})"
        )
    remember(comparison, comparison.check(), accept_changed_code)
    handle = lock_folder(out)
    try:
        with Shown() as shown:
            progress = run_missing(comparison, shown)
    except KeyboardInterrupt:
        output().print("Interrupted; repeat the command to continue")
        raise typer.Exit(130) from None
    finally:
        if handle is not None:
            os.close(handle)
    return {str(key): reason for key, reason in progress.failed.items()}


class Shown:
    """Progress of a comparison: a live line in a terminal, occasional lines in a log. A context manager."""

    def __init__(self) -> None:
        self._console = output()
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._started = time.monotonic()
        self._next_line = 0.0

    def __enter__(self) -> Shown:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def __call__(self, progress: Progress) -> None:
        """Show the progress; cheap enough to call often."""
        seconds = time.monotonic() - self._started
        text = _text(progress, seconds)
        if self._console.is_terminal:
            grid = Grid.grid(padding=(0, 2))
            here = progress.earlier + len(progress.done)
            grid.add_row(ProgressBar(total=progress.total, completed=here, width=30), text)
            self._live.update(grid)
        elif seconds >= self._next_line:
            self._next_line = seconds + (10.0 if seconds < 60 else 60.0)
            self._console.print(f"{time.strftime('%H:%M:%S')}  {text}")


def _text(progress: Progress, seconds: float) -> str:
    made = len(progress.done) + len(progress.failed)
    parts = [f"{progress.earlier + len(progress.done)}/{progress.total} runs"]
    parts += [f"{progress.earlier} from before"] if progress.earlier else []
    parts.append(f"{progress.running} running")
    parts += [f"{len(progress.failed)} failed"] if progress.failed else []
    left = progress.total - progress.earlier - made
    if made and left:
        parts.append(f"about {duration(seconds / made * left)} left")
    return ", ".join([*parts, *([progress.now] if progress.now else [])])


def _show(comparison: Comparison, written: ReportOutput) -> None:
    """Print the quality tables, the verdicts and the paths of the rest."""
    console, out = output(), comparison.out
    for table in written.tables:
        if not table.title.endswith(": quality") and not table.title.startswith("Over problems"):
            continue
        view = Grid(title=table.title, title_justify="left", header_style="bold")
        for column in table.header:
            view.add_column(column)
        for i, row in enumerate(table.rows):
            view.add_row(*(Text(c, style="bold" if (i, j) in table.best else "") for j, c in enumerate(row)))
        console.print(view)
    for verdict in written.verdicts:
        console.print(verdict)
    if written.missing:
        console.print(f"Omitted: {counted(written.missing, 'incomplete run')}", style="yellow")
    console.print(
        f"Results:\n  {out}/{PAGE}  all results on one page\n  {out}/{RESULTS}/     tables.md, tables.tex and "
        f"CSV files\n  {out}/{FIGURES}/     each figure as PNG and SVG"
    )
