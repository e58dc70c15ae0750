"""Measurement on a device behind a real ssh server, and the faults of connections."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import ssh_server
from device_parts import (
    HELLO,
    QUICK,
    SILENT,
    has_ended,
    lock_of,
    measured_beside,
    measuring,
    network,
    program,
)
from ssh_server import Server, session_of

from nas.deployment.device import Device, DeviceError, ModelRefused
from nas.deployment.kept_connections import end_connections

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.skipif(ssh_server.missing() is not None, reason=str(ssh_server.missing()))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with ssh_server.server(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture(autouse=True)
def no_connection_is_left() -> Iterator[None]:
    yield
    end_connections()


def device(server: Server, host: str = "board", **settings: Any) -> Device:
    settings = {"python": sys.executable, **settings}
    return Device(host, options=server.options, **settings)


def recorder(server: Server, folder: Path, then: str = "") -> tuple[str, Path]:
    """A Python on the device, and the file to which it writes its process's number when it starts."""
    return program(folder, f'echo $$ >> {folder}/pids\n{then}\nexec REAL "$@"'), folder / "pids"


def test_a_network_is_measured_over_ssh(server: Server) -> None:
    found = device(server).measure(network(), QUICK)
    assert 0 < found.low <= found.milliseconds <= found.high
    assert found.device.startswith("device board: ")
    assert list((server.folder / "temporary").glob("nas-device-*/lock"))


def test_nothing_but_its_folder_stays_on_the_device(server: Server) -> None:
    device(server).measure(network(), QUICK)
    (private,) = (server.folder / "temporary").iterdir()
    assert private.stat().st_mode & 0o777 == 0o700
    assert {path.name.partition("-")[0] for path in private.iterdir()} == {"lock", "baseline"}
    assert list((server.folder / "home").iterdir()) == []


def test_a_python_in_the_home_folder_is_found(server: Server, tmp_path: Path) -> None:
    program(server.folder / "home", 'exec REAL "$@"', name="my python")
    try:
        assert "onnxruntime" in device(server, python="~/my python").check()
    finally:
        (server.folder / "home" / "my python").unlink()


def test_a_login_shell_may_write(server: Server) -> None:
    startup = server.folder / "home" / ".bashrc"
    startup.write_text("echo Welcome; printf 'no end of line'; echo warning >&2\n")
    try:
        assert device(server).measure(network(), QUICK).milliseconds > 0
    finally:
        startup.unlink()


def test_a_refused_network_is_its_own_fault(server: Server) -> None:
    with pytest.raises(ModelRefused, match=r"device board: .* operator 'Frobnicate'"):
        device(server).measure(network("Frobnicate"), QUICK)


@pytest.mark.parametrize(
    ("host", "message"),
    [
        (
            "password",
            "asks for a password, which a search cannot type; set up a key with 'ssh-copy-id password'",
        ),
        ("stranger", "its host key is unknown here; run 'ssh stranger' once and check the fingerprint"),
        ("changed", "its host key has changed .*ssh-keygen -R changed"),
        ("closed", "does not accept the connection; .*it wrote: .*Connection refused"),
        ("nowhere", "the name of the host is unknown"),
    ],
)
def test_a_host_that_cannot_be_reached_is_explained(server: Server, host: str, message: str) -> None:
    with pytest.raises(DeviceError, match=f"(?s)^device {host}: .*{message}"):
        device(server, host).check()


def test_options_that_ssh_refuses_are_explained() -> None:
    with pytest.raises(DeviceError, match="ssh refuses its configuration or options"):
        Device("board", options=("-o", "Nonsense=1")).check()


def test_a_device_without_python_or_packages_is_explained(server: Server, tmp_path: Path) -> None:
    with pytest.raises(
        DeviceError, match=r"'/nowhere/python' cannot be run there; give its path with 'python: PATH'"
    ):
        device(server, python="/nowhere/python").check()
    with pytest.raises(
        DeviceError, match=r"numpy and onnxruntime cannot be imported by .* pip install onnxruntime numpy"
    ):
        device(server, python=program(tmp_path, 'exec REAL -S "$@"')).check()


def test_a_device_that_stalls_is_left_after_the_time_limit(server: Server, tmp_path: Path) -> None:
    stalled = device(server, python=program(tmp_path, HELLO + SILENT), timeout_s=0.2)
    with pytest.raises(
        DeviceError, match=r"device board: no answer for 0.2 s while measuring; attempts: 2\. .*ssh board"
    ):
        stalled.measure(network(), QUICK)


def test_a_connection_lost_in_a_measurement_is_made_again(server: Server, tmp_path: Path) -> None:
    python, pids = recorder(server, tmp_path)
    with lock_of(server.folder / "temporary") as unlock:

        def lose(seconds: float) -> None:
            started = pids.read_text().split()
            if len(started) == 1:
                os.kill(session_of(int(started[0])), signal.SIGKILL)
            else:
                unlock()

        assert device(server, python=python).measure(network(), QUICK, on_wait=lose).milliseconds > 0
    first, _ = map(int, pids.read_text().split())
    while not has_ended(first):  # the test's limit ends a wait in vain
        pass


@pytest.mark.parametrize("end", ["end_connections()", "os.kill(os.getpid(), 9)"])
def test_the_script_on_the_device_ends_with_the_client(server: Server, tmp_path: Path, end: str) -> None:
    python, pids = recorder(server, tmp_path)
    code = (
        "import os\nfrom nas.deployment.device import Device\n"
        "from nas.deployment.kept_connections import end_connections\n"
        f"{device(server, python=python)!r}.check()\n{end}\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    while not has_ended(int(pids.read_text())):
        pass


def test_clients_over_ssh_and_on_the_device_take_turns(server: Server) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(server.folder / "temporary")}
    on_the_device = [sys.executable, "-c", measuring(2, "Device()")]
    times = measured_beside(on_the_device, env, device(server))
    assert all(first[1] <= second[0] for first, second in pairwise(times))


@pytest.mark.slow
def test_a_frozen_connection_is_left_and_made_again(server: Server, tmp_path: Path) -> None:
    python, pids = recorder(server, tmp_path)
    frozen = []
    with lock_of(server.folder / "temporary") as unlock:

        def freeze(seconds: float) -> None:
            if not frozen:
                frozen.append(session_of(int(pids.read_text())))
                os.kill(frozen[0], signal.SIGSTOP)
            unlock()

        try:
            assert (
                device(server, python=python, timeout_s=20)
                .measure(network(), QUICK, on_wait=freeze)
                .milliseconds
            )
        finally:
            os.kill(frozen[0], signal.SIGKILL)
    assert len(pids.read_text().split()) == 2
