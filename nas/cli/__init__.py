"""The command line `nas`. Each command imports its modules when it runs, so help is fast."""

from __future__ import annotations

import os
import sys

from nas.core.leftovers import Leftovers


def main() -> None:
    """Run the command line; turn each error into one sentence and an exit code.

    NAS_TRACEBACK=1 in the environment also prints the traceback.
    """
    left = Leftovers()
    try:
        _run()
    finally:
        _end_connections()
        left.end()


def _end_connections() -> None:
    """End the processes that measure on devices, if there are any: they are not leftovers."""
    connections = sys.modules.get("nas.deployment.kept_connections")
    if connections is not None:
        connections.end_connections()


def _run() -> None:
    try:
        from nas.cli.console import guard_standard_streams

        guard_standard_streams()
        sys.exit(_command())
    except (KeyboardInterrupt, SystemExit) as ended:
        sys.exit(130 if isinstance(ended, KeyboardInterrupt) else ended.code)
    except BrokenPipeError:  # the reader (head, less) has seen enough
        sys.stderr.close()
        sys.exit(0)
    except BaseException as error:
        if os.environ.get("NAS_TRACEBACK"):
            raise
        sys.exit(_report(error))


def _command() -> int:
    import typer
    from typer import rich_utils

    from nas.cli.app import app
    from nas.core.text import printable

    try:
        ended = app(prog_name="nas", standalone_mode=False)
    except typer.Abort:
        return 130
    except Exception as error:
        if not isinstance(error, _refusal()):
            raise
        vars(error)["message"] = printable(str(vars(error)["message"]))  # it quotes the user's input
        rich_utils.rich_format_error(error)  # type: ignore[arg-type]
        return int(getattr(error, "exit_code", 2))
    return ended if isinstance(ended, int) else 0


def _refusal() -> type[Exception]:
    """The base class of usage errors: click's, which some versions of typer bundle under another name."""
    import typer

    return next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def _report(error: BaseException) -> int:
    from nas.cli.console import print_error
    from nas.core.errors import NasError
    from nas.core.text import message_of
    from nas.core.tracebacks import summarize_exception

    ours = isinstance(error, NasError)
    text = (
        message_of(error)
        if ours
        else f"{summarize_exception(error)}. Set NAS_TRACEBACK=1 to print the traceback."
    )
    print_error(f"Error: {text}")
    return error.exit_code if isinstance(error, NasError) else 1
