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
    by: str = "search",
) -> str | None:
    """The shell command that continues a run of `nas search`, or of the command `by`; None for a run whose space is exhausted.

    A resumed run would end at once at a bound it has reached, so the command raises the bound that ended it: the `planned`
    evaluations, or the time limit of `seconds`, of which the run has `spent` some, or the rule of `stop` in `stopped_by`. A
    callback that requested the end may not do so again.
    """
    if state == "exhausted":
        return None
    words: list[str | Path] = ["nas", by, "--resume", Path(folder)]
    if stopped_by and not stopped_by.startswith("callback:"):
        words += ["--set", "stop=[]"]
    if evaluations >= planned:
        words += ["--budget", str(2 * planned)]
    elif state == "finished" and seconds is not None and not stopped_by:
        more = 2 * seconds
        while more <= 1.2 * spent:  # trials running at the limit are awaited and count too
            more *= 2
        words += ["--set", f"budget.seconds={more:.15g}"]
    return command(*words)
