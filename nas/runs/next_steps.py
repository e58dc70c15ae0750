"""The command that continues a run, the same wherever it is printed."""

from __future__ import annotations

from pathlib import Path

from nas.core.text import command


def continue_command(
    folder: str | Path,
    *,
    state: str,
    evaluations: int,
    planned: int,
    seconds: float | None,
    spent: float = 0.0,
    stopped_by: str | None = None,
) -> str | None:
    """The shell command that continues a run of `nas search`; None for a run whose space is exhausted.

    A run that reached one of its bounds would end at once when resumed, so the command raises the bound that ended it:
    the `planned` evaluations, or the time limit of `seconds`, of which the run has `spent` some,
    or the rule of `stop` that is in `stopped_by`. A callback that asked for the end may not ask again.
    """
    if state == "exhausted":
        return None
    words: list[str | Path] = ["nas", "search", "--resume", Path(folder)]
    if stopped_by and not stopped_by.startswith("callback:"):
        words += ["--set", "stop=[]"]
    if evaluations >= planned:
        words += ["--budget", str(2 * planned)]
    elif state == "finished" and seconds is not None and not stopped_by:
        more = 2 * seconds
        while more <= 1.2 * spent:  # what was under way at the limit is still awaited and counts
            more *= 2
        words += ["--set", f"budget.seconds={more:.15g}"]
    return command(*words)
