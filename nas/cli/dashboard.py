"""`nas dashboard`: the page of all runs in a folder."""

from __future__ import annotations

import socket
from pathlib import Path

from rich.text import Text

from nas.cli.console import output
from nas.core.text import command


def run_dashboard(folder: Path, port: int) -> None:
    """Print the address of the page and serve it until Ctrl-C. Raises `ConfigError` for a missing folder or a port in use."""
    from nas.dashboard import Dashboard

    with Dashboard(folder, port) as dashboard:
        output().print(Text(dashboard.address), soft_wrap=True)
        tunnel = command("ssh", "-L", f"{dashboard.port}:127.0.0.1:{dashboard.port}", socket.gethostname())
        output().print(
            Text(f"Read-only, on this machine alone; Ctrl-C ends it. From another machine first: {tunnel}"),
            style="dim",
            soft_wrap=True,
        )
        dashboard.serve()
