"""Clusters that the executor starts, joins, or cannot reach; each driver is a separate process."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import psutil
import pytest

from nas.core.errors import ExecutorError
from nas.executors import EXECUTORS, RaySettings

pytest.importorskip("ray")

DRIVER = """
import sys, time
from nas.executors import EXECUTORS, RaySettings
from nas.core.records import Architecture, Trial

def evaluate(trial):
    time.sleep(trial.seed)
    return {"error": 1.0}

if __name__ == "__main__":
    executor = EXECUTORS["ray"](evaluate, RaySettings(workers=1, address=sys.argv[1] if sys.argv[1:] else None))
    executor.submit(Trial(0, Architecture("toy", ()), seed=0))
    status = executor.collect()[0].status.value  # the only one that is out
    executor.submit(Trial(1, Architecture("toy", ()), seed=3600))
    try:
        print(status, flush=True)  # an interrupt may come from here on
        executor.collect()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    executor.close()
    executor.close()
    print("closed", flush=True)
"""

RESILIENT = """
import sys, time
from nas.executors import EXECUTORS, RaySettings
from nas.core.records import Architecture, Trial

def evaluate(trial):
    time.sleep(trial.seed)
    return {"error": 1.0}

waiting = []  # several may come at once

def collect_one():
    while not waiting:
        waiting.extend(executor.collect())
    return waiting.pop(0)

if __name__ == "__main__":
    executor = EXECUTORS["ray"](evaluate, RaySettings(workers=1, retries=0))
    executor.submit(Trial(0, Architecture("toy", ()), seed=0))
    print(collect_one().status.value, 0, flush=True)
    executor.submit(Trial(1, Architecture("toy", ()), seed=2))
    executor.submit(Trial(2, Architecture("toy", ()), seed=0))
    sys.stdin.readline()
    for number in (1, 2):
        result = collect_one()
        print(result.status.value, result.trial.id, flush=True)
    executor.close()
    print("closed", flush=True)
"""

HEAD = """
import sys, ray
context = ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
print(context.address_info["gcs_address"], flush=True)
sys.stdin.readline()
ray.shutdown()
"""


@contextmanager
def python(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that always ends with all of its children."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.kill()
        process.communicate()
        for child in family:
            with suppress(psutil.NoSuchProcess):
                child.kill()


def read(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


PATIENCE_S = 300.0  # for what takes seconds on a quiet machine
pytestmark = pytest.mark.timeout(600)


def wait_until(holds: Callable[[], bool]) -> None:
    """Until it holds, or far longer than it takes on a busy machine."""
    give_up = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def listening(processes: list[psutil.Process]) -> set[str]:
    """The addresses on which they accept connections."""
    addresses = set()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            for connection in process.net_connections(kind="inet"):
                if connection.status == psutil.CONN_LISTEN:
                    addresses.add(connection.laddr.ip.removeprefix("::ffff:"))
    return addresses


@pytest.mark.slow
def test_ctrl_c_ends_the_wait_at_once_and_closing_leaves_no_process_behind_nor_a_port_open_before() -> None:
    with python(DRIVER) as driver:
        assert read(driver) == "ok"
        children = psutil.Process(driver.pid).children(recursive=True)
        assert listening(children) == {"127.0.0.1"}  # its own cluster is open to this machine alone
        os.killpg(driver.pid, signal.SIGINT)  # a terminal sends it to the whole group
        assert [read(driver), read(driver)] == ["interrupted", "closed"]
        assert driver.wait(PATIENCE_S) == 0
        _, left = psutil.wait_procs(children, timeout=PATIENCE_S)
        assert left == []


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bridge", "cluster"])
def test_a_search_survives_the_loss_of_the_process_that_speaks_with_ray_and_of_its_cluster(
    family: str,
) -> None:
    with python(RESILIENT) as driver:
        assert read(driver) == "ok 0"
        children = psutil.Process(driver.pid).children()
        assert len(children) == 1
        killed = children if family == "bridge" else psutil.Process(children[0].pid).children(recursive=True)
        for process in killed:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        assert driver.stdin is not None
        driver.stdin.write("\n")
        driver.stdin.flush()
        assert [read(driver) for _ in range(3)] == ["ok 1", "ok 2", "closed"]


@pytest.mark.slow
def test_an_existing_cluster_is_joined_by_its_address_and_left_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with python(HEAD) as head:
        address = read(head)
        for _ in range(2):
            with python(DRIVER, address) as driver:
                assert read(driver) == "ok"
                os.kill(driver.pid, signal.SIGINT)
                assert [read(driver), read(driver)] == ["interrupted", "closed"]
        assert head.stdin is not None
        head.stdin.write("\n")
        head.stdin.flush()
        assert head.wait(PATIENCE_S) == 0


def make(address: str, connect_timeout_s: float = 2.0) -> None:
    settings = RaySettings(address=address, connect_timeout_s=connect_timeout_s)
    EXECUTORS["ray"](lambda trial: {}, settings).close()


def test_an_address_where_nothing_listens_is_refused_with_advice() -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        with pytest.raises(ExecutorError, match=r"no Ray cluster answers at 127.0.0.1.*ray start --head"):
            make(f"127.0.0.1:{unused.getsockname()[1]}")


def test_an_address_where_something_else_is_silent_is_given_up_in_time() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        # Ray alone takes minutes, and then ends the process
        with pytest.raises(ExecutorError, match=r"it is silent \(waited 1 s\)"):
            make(address, connect_timeout_s=1.0)


@pytest.mark.parametrize("address", ["nonsense", "host:port", "ray://host:10001", ":1", ""])
def test_an_invalid_address_is_refused(address: str) -> None:
    with pytest.raises(ExecutorError, match="expected host:port"):
        make(address)


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda s: s.name)
def test_the_session_folder_is_private_while_a_search_runs_and_gone_after_it_however_it_ended(
    end: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as place:  # a short path, for sockets
        monkeypatch.setenv("RAY_TMPDIR", place)
        with python(DRIVER) as driver:
            assert read(driver) == "ok"
            (session,) = os.scandir(place)
            assert stat.S_IMODE(session.stat().st_mode) == 0o700
            os.kill(driver.pid, end)
            wait_until(lambda: not os.listdir(place))
