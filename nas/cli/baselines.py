"""`nas baseline`: other networks, trained like the candidates of a run, beside its front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from nas.baselines.compare import Comparison, check_names, compared, executor_part
from nas.baselines.from_run import NAMED, Given, Terms, given_run, terms_of
from nas.baselines.networks import located, names_of, part_of
from nas.baselines.training import Prepared, prepare, rows_of, train
from nas.cli.console import errors, output, print_json, this_command
from nas.cli.notices import notices
from nas.cli.show import fitted, number
from nas.cli.trusting import asking
from nas.config.schema import Part, override
from nas.core.errors import ConfigError, NasError
from nas.core.files import absolute
from nas.core.interrupts import InterruptWatch
from nas.core.text import command
from nas.core.trust import Trusted, named_code
from nas.runs.baselines import FILE
from nas.runs.code_of_strangers import allow


@dataclass(frozen=True)
class Flags:
    """The flags of `nas baseline`."""

    networks: tuple[str, ...]
    epochs: int | None
    settings: tuple[str, ...]
    workers: int | None
    executor: str | None
    trust: bool
    as_json: bool


def run_baseline(run: Path, flags: Flags) -> None:
    """Train the networks and print the comparison; exit with 130 if interrupted. Raises `NasError`."""
    folder = absolute(run)
    named = names_of(flags.networks)
    check_names(named)
    given = given_run(folder)
    terms = terms_of(given, flags.epochs, _recipe(flags.settings))
    executor = _executor(given, flags)
    here = Path.cwd()
    found = [(name, located(item, here)) for name, item in named]
    Trusted().remember([code for _, item in named for code in named_code(part_of(item), here)])
    plain = given.config.model_dump(mode="json")
    code = named_code({key: plain[key] for key in NAMED}, given.base)
    say = (errors() if flags.as_json else output()).print
    asked = allow(code, trust=flags.trust, what=command("nas", "baseline", run), ask=asking())
    with asked, notices(errors=flags.as_json):
        prepared = prepare(given, terms, found, executor)
        for line in _before(terms):
            say(line)
        try:
            with InterruptWatch():
                train(prepared, say)
        except KeyboardInterrupt:
            _report(run, prepared, flags, say)
            say(f"Interrupted; the results so far are saved. Continue with: {this_command()}")
            raise typer.Exit(130) from None
    _report(run, prepared, flags, say)


def _recipe(settings: Sequence[str]) -> dict[str, Any]:
    """The changes of the recipe. Raises `ConfigError` for other settings."""
    for setting in settings:
        if not setting.startswith("recipe."):
            raise ConfigError(
                f"--set {setting!r}: expected recipe.KEY=VALUE: baselines have the data and objectives of the run"
            )
    found: Mapping[str, Any] = override({}, settings)
    return dict(found.get("recipe", {}))


def _executor(given: Given, flags: Flags) -> Part | None:
    """The executor of the flags; None: that of the run. Raises `ConfigError`."""
    own = given.config.executor
    part = executor_part(flags.executor) if flags.executor not in (None, own.name) else None
    if flags.workers is None:
        return part
    chosen = part or own
    if chosen.name != "ray":
        raise ConfigError(
            f"--workers: the executor {chosen.name} has no workers; remove the flag or use --executor ray"
        )
    return Part(name="ray", **{**chosen.settings, "workers": flags.workers})


def _before(terms: Terms) -> list[str]:
    """What differs from the trainings of the run."""
    lines = [f"Changed from the run: {terms.changed}"] if terms.changed else []
    lines += [f"Objective {name} is left out: {reason}" for name, reason in terms.left_out.items()]
    return [*lines, *(f"Note: {note}" for note in terms.notes)]


def _report(run: Path, prepared: Prepared, flags: Flags, say: Any) -> None:
    """Print the table and the answer, and write the page of the run again."""
    from nas.report import write_report

    rows = rows_of(prepared)
    found = compared(prepared.given.folder, prepared.terms, rows)
    if flags.as_json:
        print_json({"answer": found.answer, "baselines": _plain(found)})
    else:
        output().print(fitted(comparison_table(found), output()))
        for row in rows:
            if not row.ok:
                output().print(f"  {row.label}: {row.reason}", style="yellow", highlight=False)
        if found.answer:
            output().print(found.answer, highlight=False)
    if prepared.fitting:
        networks = [word for name in prepared.fitting for word in ("--network", name)]
        say(
            f"Within the limits: {', '.join(prepared.fitting)}. Train with: {command('nas', 'baseline', run, *networks)}"
        )
    for line in _files(run, found):
        say(line)
    try:
        say(f"{write_report(run)}  the run on one page, with the baselines")
    except NasError as error:  # the results are written
        say(f"No report: {error}")


def comparison_table(found: Comparison) -> Table:
    """A row for each network: its values and the verdict."""
    view = Table(title="Baselines", title_justify="left", header_style="bold")
    view.add_column("network", overflow="fold")
    objectives = [o for o in found.table.objectives if o.name not in found.terms.left_out]
    names = [
        *(o.name for o in objectives),
        *(n for n in ("params", "madds") if n not in {o.name for o in objectives}),
    ]
    units = {o.name: f" ({o.unit})" if o.unit in ("%", "ms") else "" for o in objectives}
    for name in names:
        view.add_column(f"{name}{units.get(name, '')}", justify="right", no_wrap=True)
    view.add_column("against the front")
    for row, verdict in zip(found.rows, found.verdicts, strict=True):
        state = verdict.text or {"invalid": "not trained"}.get(row.status, row.status.replace("_", " "))
        view.add_row(row.label, *(number(row.values.get(name, float("nan"))) for name in names), state)
    return view


def _plain(found: Comparison) -> list[dict[str, Any]]:
    return [
        {
            "network": row.network,
            "changed": row.changed,
            "status": row.status,
            "reason": row.reason,
            "epochs": row.epochs,
            "values": dict(row.values),
            "verdict": verdict.text,
            "dominated_by": verdict.dominated_by if verdict.judged else None,
            "dominates": verdict.dominates if verdict.judged else None,
        }
        for row, verdict in zip(found.rows, found.verdicts, strict=True)
    ]


def _files(run: Path, found: Comparison) -> list[str]:
    plot = [] if found.plot is None else [f"{run / 'plots' / found.plot.name}  the front with the baselines"]
    return [f"{run / FILE}  all values", *plot]
