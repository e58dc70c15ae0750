"""The command line `nas`. Each command imports what it needs when it runs, so that help is quick."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; errors of ours become one sentence and an exit code."""
    from rich.console import Console

    from nas.cli.app import app
    from nas.errors import NasError

    try:
        app(prog_name="nas")
    except NasError as error:
        Console(stderr=True, soft_wrap=True).print(
            f"Error: {error}", style="red", markup=False, highlight=False
        )
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader (head, less) has seen enough
        sys.stderr.close()
        sys.exit(0)
