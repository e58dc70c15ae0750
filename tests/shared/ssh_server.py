"""A real sshd on the loopback address as an ordinary process, and ssh configurations of clients that reach it."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SERVER = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication yes
SetEnv HOME={folder}/home TMPDIR={folder}/temporary
"""
CLIENT = """
Match originalhost closed
  Port 1
Match originalhost stranger
  UserKnownHostsFile /dev/null
Match originalhost changed
  UserKnownHostsFile {folder}/other_hosts
Match originalhost password
  PubkeyAuthentication no
Match originalhost nowhere
  HostName {nowhere}
Host *
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  IdentityAgent none
  HostKeyAlias device
  GlobalKnownHostsFile /dev/null
  UserKnownHostsFile {folder}/known_hosts
  StrictHostKeyChecking ask
"""


@dataclass(frozen=True)
class Server:
    """A running server; its device's home folder and temporary folder are `folder/home` and `folder/temporary`."""

    folder: Path

    @property
    def options(self) -> tuple[str, str]:
        """Options of ssh by which the hosts `board`, `password`, `stranger`, `changed`, `closed`, `nowhere` are known."""
        return "-F", str(self.folder / "client")


def missing() -> str | None:
    """Why no server can run here; None if it can. `NAS_SSHD` is the path of an sshd."""
    for name in ("ssh", "ssh-keygen"):
        if shutil.which(name) is None:
            return f"{name} is not installed"
    if sshd() is None:
        return "sshd is not installed (openssh-server); NAS_SSHD gives its path"
    return None


def sshd() -> str | None:
    return os.environ.get("NAS_SSHD") or shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin")


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """Start sshd with keys of its own; end it afterwards."""
    for name in ("home", "temporary"):
        (folder / name).mkdir()
    keys = {}
    for name in ("host_key", "user_key", "other_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(folder / name)]
        subprocess.run(command, check=True)
        keys[name] = (folder / f"{name}.pub").read_text()
    (folder / "known_hosts").write_text(f"device {keys['host_key']}")
    (folder / "other_hosts").write_text(f"device {keys['other_key']}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    values = {"folder": folder, "port": port, "user": getpass.getuser(), "nowhere": "x" * 70}
    (folder / "server").write_text(SERVER.format(**values))
    (folder / "client").write_text(CLIENT.format(**values))
    command = [str(sshd()), "-D", "-e", "-f", str(folder / "server")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = []
        try:
            for line in process.stderr:
                said.append(line)
                if "Server listening" in line:
                    break
            else:
                pytest.skip(f"sshd does not start: {''.join(said)}")
            yield Server(folder)
        finally:
            process.terminate()


def session_of(pid: int) -> int:
    """The sshd process that serves a process's connection."""
    while True:
        after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        pid = int(after[1])
        if Path(f"/proc/{pid}/comm").read_text().startswith("sshd"):
            return pid
