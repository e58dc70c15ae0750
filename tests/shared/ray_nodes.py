"""A Ray cluster of several nodes on this machine, each started as on a separate machine, to kill and to add."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import psutil

RAY = [sys.executable, "-c", "from ray.scripts.scripts import main; main()"]


def free_port() -> int:
    """A port that nothing uses now."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def cluster_environment() -> dict[str, str]:
    """The environment of every process of one cluster: its own token."""
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}


def family(pid: int) -> list[psutil.Process]:
    """A process and all below it, those that end meanwhile left out."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def kill_all(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


class Nodes:
    """`start` adds a node and returns its number; the first is the head. Uses this process's environment."""

    def __init__(self) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str, wait: bool = True) -> int:
        """Start a node, the head if it is the first or `--head` is given."""
        head = not self.processes or "--head" in arguments
        place = (
            ["--head", "--port", str(self.port), "--include-dashboard=false"]
            if head
            else ["--address", self.address]
        )
        command = [*RAY, "start", *(a for a in arguments if a != "--head"), *place, "--block"]
        memory = ["--object-store-memory", str(100 * 2**20)]
        self.processes.append(
            subprocess.Popen(
                [*command, *memory],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )
        number = len(self.processes) - 1
        give_up = time.monotonic() + 300
        while wait and not self.named(number, "raylet"):
            assert time.monotonic() < give_up, "the node did not start"
            assert self.processes[number].poll() is None, "the node ended at once"
            time.sleep(0.1)
        return number

    def named(self, number: int, name: str) -> list[psutil.Process]:
        """The processes of a node with this in their names, by age: `raylet`, `gcs_server`, `ray::Worker`."""
        found = []
        for process in family(self.processes[number].pid):
            with suppress(psutil.NoSuchProcess):
                if name in process.name() or name in " ".join(process.cmdline()[:1]):
                    found.append((process.create_time(), process.pid, process))
        return [process for _, _, process in sorted(found, key=lambda f: f[:2])]

    def alive(self, number: int) -> bool:
        return bool(self.named(number, "raylet"))

    def kill(self, number: int) -> None:
        """As if the machine lost power."""
        everything = family(self.processes[number].pid)
        kill_all(everything)
        self.processes[number].wait()

    def halt(self, number: int, number_of_signal: int = signal.SIGSTOP) -> None:
        """Stop a node's processes, or continue them with SIGCONT."""
        for process in family(self.processes[number].pid):
            with suppress(psutil.NoSuchProcess):
                os.kill(process.pid, number_of_signal)

    def close(self) -> None:
        for number in range(len(self.processes)):
            self.halt(number, signal.SIGCONT)
            self.kill(number)


@contextmanager
def nodes() -> Iterator[Nodes]:
    """A cluster without nodes yet, all of whose processes end with the context."""
    cluster = Nodes()
    try:
        yield cluster
    finally:
        cluster.close()
