"""The command line `nas`. Each command imports what it needs when it runs, so that help is quick."""

from __future__ import annotations

import os
import sys

from nas.core.leftovers import Leftovers


def main() -> None:
    """Run the command line; whatever goes wrong becomes one sentence and an exit code.

    With NAS_TRACEBACK=1 in the environment the traceback is shown as well.
    """
    left = Leftovers()
    try:
        _run()
    finally:
        left.end()


def _run() -> None:
    try:
        from nas.cli.app import app

        app(prog_name="nas")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader (head, less) has seen enough
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if os.environ.get("NAS_TRACEBACK"):
            raise
        sys.exit(_report(error))


def _report(error: Exception) -> int:
    from rich.console import Console

    from nas.blame import explain
    from nas.errors import NasError

    ours = isinstance(error, NasError)
    text = (
        str(error) if ours else f"{explain(error)}. NAS_TRACEBACK=1 in the environment shows the whole way."
    )
    console = Console(stderr=True, soft_wrap=True)
    console.print(f"Error: {text}", style="red", markup=False, highlight=False)
    return error.exit_code if isinstance(error, NasError) else 1
