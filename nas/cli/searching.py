"""`nas search`: run a search from flags and a config file, with live progress."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import typer
from rich.text import Text

from nas.cli.console import output
from nas.cli.notices import notices
from nas.cli.progress import Progress
from nas.cli.reporting import report_at_the_end
from nas.cli.search_config import Earlier, Flags, check_unchanged, config_of, with_flags
from nas.cli.show import fitted, front_note, front_table
from nas.cli.shrinking_lines import cut_text, model_text, values_text
from nas.cli.trusting import asking
from nas.config.assemble import assemble
from nas.config.schema import SearchConfig, check_config
from nas.core.code_files import changed, named_from, static_code
from nas.core.errors import AlgorithmError, NasError
from nas.core.files import absolute
from nas.core.interrupts import note_interrupt
from nas.core.plugins import collecting
from nas.core.problem import Problem
from nas.core.text import command
from nas.core.trust import Named, Trusted, named_code
from nas.engine.changed_code import check_accepted
from nas.engine.kept_weights import FOLDER as WEIGHTS
from nas.engine.kept_weights import INDEX
from nas.engine.loop import LoopSettings, SearchState
from nas.engine.plan import Plan
from nas.engine.record import SearchResult
from nas.engine.run import SearchSpec, run
from nas.engine.search_state import utilisation_line
from nas.runs.code_of_strangers import allow
from nas.runs.empty_front import why_empty
from nas.runs.files import ORIGINAL, REPORT, check_log_is_file, check_resumable
from nas.runs.history import FILE
from nas.runs.next_steps import continue_command
from nas.runs.original import original_values
from nas.runs.run_folder import HISTORY_CSV
from nas.shrinking.from_config import SHRINKABLE

_WORKERS = {"ray": "Ray workers", "simulated": "simulated workers"}


def run_search(
    config: Path | None,
    flags: Flags,
    resume: Path | None,
    described: tuple[dict[str, Any], Path] | None = None,
) -> None:
    """Search and print the front; exit with 130 if interrupted. Raises `NasError`.

    `described` is a config with the folder of its relative paths, in place of a file.
    """
    if resume is not None:
        check_log_is_file(resume)
    earlier = None if resume is None else Earlier.read(resume, config, flags)
    values, base = (earlier.search, earlier.base) if earlier else described or config_of(config, flags)
    checked = check_config(with_flags(values, flags))
    if earlier is not None:
        check_unchanged(check_config(earlier.search), checked)
    out = resume or Path(checked.out)
    place = absolute(out)
    if resume is not None:
        check_resumable(place, [REPORT, *([HISTORY_CSV] if checked.csv else [])])
    named = named_code(checked.model_dump(mode="json"), base)
    try:
        with _allowed(named, earlier, flags, resume), collecting() as code:
            problem = None
            if earlier is None:
                checked, problem = _prepared(checked, base, place)
                named = named_code(checked.model_dump(mode="json"), base)
            parts = assemble(checked, base, earlier.planned if earlier else None, problem)
            _warn_idle(checked, parts)
            if not flags.trust:  # your config, or code you allowed
                Trusted().remember(named)
            with notices(), Progress(checked.algorithm.name) as progress:
                spec = replace(
                    parts,
                    out=place,
                    resume=resume is not None,
                    callbacks=[_stop_cleanly_on_sigterm(), progress, *parts.callbacks],
                    accept_changed_code=flags.accept_changed_code,
                    code=code,
                )
                result = _run(spec, progress, partial(_announce, checked, out, parts, earlier))
    except AlgorithmError as error:
        if not (place / FILE).exists():
            raise
        again = command("nas", _command_of(checked), "--resume", out)
        raise AlgorithmError(
            f"{error}: {again} (add --accept-changed-code if you changed your code)"
        ) from error
    except KeyboardInterrupt:  # while workers start, or while results are written
        again = "; repeat the command to continue" if (place / ORIGINAL).exists() else ""
        go_on = (
            f"; continue with: {command('nas', _command_of(checked), '--resume', out)}"
            if (place / FILE).exists()
            else again
        )
        output().print(f"Interrupted{go_on}")
        raise typer.Exit(130) from None
    page = report_at_the_end(result, result.space or parts.problem.space)
    _report(result, out, parts.loop, None if page is None else out / page.name, _command_of(checked))
    if result.state == "interrupted":
        raise typer.Exit(130)


def _command_of(config: SearchConfig) -> str:
    """The command that continues a run with this config."""
    return "shrink" if config.space.name == SHRINKABLE else "search"


def _prepared(config: SearchConfig, base: Path | None, out: Path) -> tuple[SearchConfig, Problem | None]:
    """The config of a new run; that of a shrink run completed from its data and network, with its problem."""
    if config.space.name != SHRINKABLE:
        return config, None
    from nas.shrinking.start import prepared  # imports torch

    return prepared(config, base, out, lambda line: output().print(line, highlight=False, markup=False))


def _allowed(
    named: Sequence[Named], earlier: Earlier | None, flags: Flags, run: Path | None
) -> AbstractContextManager[None]:
    """Allow a resumed run to import code that you have run before, named in flags, or allow now."""
    if earlier is None or flags.trust:
        return nullcontext()
    before = named_code(check_config(earlier.search).model_dump(mode="json"), earlier.base)
    still = {n.place_of_part for n in named}  # regardless of its settings in the flags
    asked = [n for n in before if n.place_of_part in still and n.name != flags.address]
    trusted = Trusted()
    mine = [n for n in asked if trusted.changed(n)]
    different = changed(earlier.code, _texts_of(mine, earlier.base)) if mine else []
    accept = flags.accept_changed_code or not earlier.succeeded  # if all failed, the change is the fix
    check_accepted(different, accept, "this run was started")
    return allow(
        [n for n in asked if not (different and n in mine)],
        trust=False,
        what=command("nas", "search", "--resume", *([] if run is None else [run])),
        ask=asking(),
        known=named,
    )


def _texts_of(named: Sequence[Named], base: Path | None) -> dict[str, str]:
    """File hashes by path, as a run records them."""
    files = {path: text for n in named if n.file is not None for path, text in static_code(n.file).items()}
    return {named_from(path, base): text for path, text in files.items()}


def _warn_idle(config: SearchConfig, parts: SearchSpec) -> None:
    workers, number = parts.workers or 1, config.concurrency
    if config.ordered and number is not None and workers > number:
        output().print(
            f"Note: concurrency {number} keeps at most {number} of {workers} workers busy; "
            f"--set concurrency=null starts a search that uses all (and evaluates other architectures).",
            style="yellow",
        )


def _announce(
    config: SearchConfig, out: Path, parts: SearchSpec, earlier: Earlier | None, plan: Plan
) -> None:
    size = parts.problem.space.size
    of = f" ({size:,} architectures)" if size else ""
    objectives = ", ".join(
        f"{'maximise' if o.maximize else 'minimise'} {o.name}" for o in parts.problem.objectives
    )
    limits = "".join(f", {limit}" for limit in parts.problem.all_limits)
    number = getattr(parts.executor_settings, "workers", None)
    workers = (
        "this process" if number is None else f"{number} {_WORKERS.get(config.executor.name, 'workers')}"
    )
    known = f", warm start from {config.warm_start}" if config.warm_start else ""
    original = original_values({"evaluator": {} if config.evaluator is None else config.evaluator.settings})
    model = config.space.settings.get("model") if original else None
    output().print(
        Text.assemble(
            f"{'Resuming' if earlier else 'Shrinking' if original else 'Searching'} ",
            (config.space.name if model is None else model_text(model), "bold"),
            f"{of}: {objectives}{limits}\n{config.algorithm.name}, {_how_far(parts.loop)} on {workers}, "
            f"seed {parts.loop.seed}{known}; output folder ",
            (f"{out}/", "bold"),
        )
    )
    if original:
        output().print(f"Original: {values_text(original, parts.problem.objectives)}", highlight=False)
        output().print(cut_text(parts.problem.space), highlight=False)
    if parts.workers is not None and parts.workers > 1:
        output().print(utilisation_line(plan.settings, parts.workers), highlight=False)
    if earlier is not None:  # the counter restarts at 0, as if the results were lost
        output().print(
            f"Found {earlier.results} results in the log; the counter restarts while they are replayed"
        )


def _how_far(loop: LoopSettings) -> str:
    """The budget as text, such as `70 evaluations or 140 s (at least 30 evaluations)`."""
    if loop.seconds is None:
        return f"{loop.evaluations} evaluations"
    at_least = min(loop.at_least, loop.evaluations or 0)
    least = f" (at least {at_least} evaluations)" if at_least else ""
    return f"{loop.evaluations} evaluations or {loop.seconds:g} s{least}"


def _run(spec: SearchSpec, progress: Progress, ready: Callable[[Plan], None]) -> SearchResult:
    try:
        return run(spec, ready)
    except NasError:
        progress.stop()
        raise


def _stop_cleanly_on_sigterm() -> Callable[[SearchState], None]:
    """A callback that handles SIGTERM, sent by schedulers, like Ctrl-C.

    It sets the handler after the search has started, because Ray installs one at startup that kills the process.
    """

    def end(number: int, frame: FrameType | None) -> None:
        note_interrupt()
        raise KeyboardInterrupt

    def callback(state: SearchState) -> None:
        if signal.getsignal(signal.SIGTERM) is not end:
            signal.signal(signal.SIGTERM, end)

    return callback


def _report(
    result: SearchResult, out: Path, loop: LoopSettings, page: Path | None, by: str = "search"
) -> None:
    console, summary = output(), result.summary
    reason = summary.get("stopped_by")
    planned = loop.evaluations or 0
    short = result.state == "finished" and not reason and summary["evaluations"] < planned
    words = {
        "finished": "Finished",
        "exhausted": "Stopped early: every architecture of the space (within the limits) is evaluated",
        "interrupted": "Interrupted; all results are saved",
    }
    finished = f"Finished, stopped by {reason}" if reason else words["finished"]
    words["finished"] = "Finished at the time limit" if short else finished
    console.print(
        f"\n{words[result.state]}: {summary['evaluations']} evaluated, {summary['failed']} failed, "
        f"{summary['seconds']:.0f} s, hypervolume {summary['hypervolume']:.4f}"
    )
    _failures(result)
    for sentence in summary.get("beyond_best", {}).values():
        console.print(f"  {sentence}", style="yellow", markup=False, highlight=False)
    if result.front.empty:
        why = "The front is empty." if result.table is None else why_empty(result.table)
        console.print(why, style="yellow", markup=False, highlight=False)
    elif result.table is not None:
        console.print(fitted(front_table(result.table, original=summary.get("original")), console))
        if front_note(result.table):
            console.print(front_note(result.table))
    go_on = continue_command(
        out, state=result.state, evaluations=summary["evaluations"], planned=planned,
        seconds=loop.seconds, spent=summary["seconds"], stopped_by=reason, by=by,
    )  # fmt: skip
    further = "" if go_on is None else f"\n  {go_on}   continues this search"
    if not result.front.empty and result.out is not None and (result.out / WEIGHTS / INDEX).is_file():
        further = f"\n  {command('nas', 'export', out)}   exports the knee point: PyTorch, ONNX, model card{further}"
    written = result.out is not None and (result.out / HISTORY_CSV).is_file()
    table = f"{HISTORY_CSV} and history.parquet" if written else "history.parquet"
    shown = "" if page is None else f"  {page}  all results on one page, opens offline\n"
    if not result.front.empty:
        shown += (
            f"  {out}/plots/        plots of the front, the hypervolume and all evaluations\n"
            f"  {out}/front.csv     the table above; print it with {command('nas', 'front', out)}\n"
        )
    console.print(f"Results:\n{shown}  {out}/{table}  every evaluation{further}")
    sys.stdout.flush()


def _failures(result: SearchResult) -> None:
    bad = result.history[~result.history["status"].isin(["ok", "running", "invalid"])]
    if bad.empty:
        return
    reasons = (bad["status"] + ": " + bad["reason"].str.split("\n").str[0]).value_counts()
    for reason, times in reasons.head(5).items():
        output().print(f"  {times} x {reason}", style="yellow")
