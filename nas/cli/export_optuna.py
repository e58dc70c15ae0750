"""`nas export-optuna`: a run as a study of Optuna."""

from __future__ import annotations

from pathlib import Path

from nas.cli.console import output
from nas.core.text import shell_quoted


def run_export_optuna(run: Path, storage: str, name: str | None, overwrite: bool) -> None:
    """Write the study and print how to open it."""
    from nas.export.optuna_study import export_study

    made = export_study(run, storage, name, overwrite=overwrite)
    parts = ", ".join(f"{count:,} {state}" for state, count in sorted(made.states.items()))
    output().print(f"Study {made.name!r} in {made.storage}: {sum(made.states.values()):,} trials ({parts})")
    output().print(f"Open it with: optuna-dashboard {shell_quoted(made.storage)}")
