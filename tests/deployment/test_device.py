"""Measurement in another process on this machine, and devices that stall, die or return nonsense."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
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

from nas.core.errors import ConfigError
from nas.deployment.device import Device, DeviceError, ModelRefused
from nas.deployment.kept_connections import end_connections
from nas.training.latency import LatencySettings

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Each test has its own device: another temporary folder, and so another lock."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    end_connections()


def device(folder: Path, text: str, **settings: Any) -> Device:
    return Device(python=program(folder, text), **settings)


def test_a_network_is_measured_in_another_process() -> None:
    found = Device().measure(network(), QUICK)
    assert 0 < found.low <= found.milliseconds <= found.high
    assert found.runs == 6
    assert found.reference_ms > 0
    assert found.began < found.ended
    assert "onnxruntime" in found.device


def test_with_several_threads_the_clock_is_the_wall() -> None:
    assert Device().measure(network(), replace(QUICK, threads=2)).milliseconds > 0


def test_settings_of_a_gpu_are_refused() -> None:
    with pytest.raises(ConfigError, match="measures on a CPU"):
        Device().measure(network(), replace(QUICK, device="cuda"))


def test_threads_of_one_process_take_turns() -> None:
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(lambda side: Device().measure(network(side=side), QUICK), (4, 8, 16)))
    times = sorted((one.began, one.ended) for one in found)
    assert all(first[1] <= second[0] for first, second in pairwise(times))


def test_memory_of_a_run_is_that_of_its_output() -> None:
    found = Device().measure(network(side=512), QUICK)
    if found.peak_memory is None:
        pytest.skip("this system does not count a process's peak memory")
    needed = 3 * 512 * 512 * 4
    assert needed <= found.peak_memory < 1.2 * needed


def test_one_process_measures_many_networks(tmp_path: Path) -> None:
    used = device(tmp_path, f'echo start >> {tmp_path}/starts\nexec REAL "$@"')
    assert "onnxruntime" in used.check()
    for side in (8, 16):
        used.measure(network(side=side), QUICK)
    assert (tmp_path / "starts").read_text() == "start\n"


def test_an_unsupported_operator_is_named_and_the_device_goes_on(tmp_path: Path) -> None:
    used = device(tmp_path, f'echo start >> {tmp_path}/starts\nexec REAL "$@"')
    with pytest.raises(ModelRefused, match="does not support the operator 'Frobnicate'"):
        used.measure(network("Frobnicate"), QUICK)
    assert used.measure(network(), QUICK).milliseconds > 0
    assert (tmp_path / "starts").read_text() == "start\n"


def test_a_file_that_is_no_network_is_refused() -> None:
    with pytest.raises(ModelRefused, match="cannot load or run it"):
        Device().measure(b"not a network", QUICK)


def test_output_of_a_login_shell_is_ignored(tmp_path: Path) -> None:
    noise = "echo 'Welcome {\"hello\": 0}'\nprintf 'no end of line'\necho loud >&2\nexec REAL \"$@\""
    assert device(tmp_path, noise).measure(network(), QUICK).milliseconds > 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SILENT, "no answer for 0.2 s while connecting"),
        ("echo Welcome\n" + SILENT, "it wrote: Welcome"),
        ("exec yes", "no answer for 0.2 s while connecting; it wrote: y"),
        ("exec head -c 3000000 /dev/zero", "exit status 0 while connecting"),
        ("exit 3", "exit status 3 while connecting"),
        ("kill -9 $$", "by signal 9 while connecting"),
        ("printf 'nas-device: nonsense\\n'\n" + SILENT, "not of the protocol while connecting: nonsense"),
        ("printf 'nas-device: [1]\\n'\n" + SILENT, "not of the protocol"),
        ("printf 'nas-device: {}\\n'\n" + SILENT, "not of the protocol"),
        ("exec yes 'nas-device: {\"started\": 1}'", "not of the protocol"),
        ("printf 'nas-device: {\"started\": 1}\\nnas-device: {\"hello\": {\"protocol\": 99}}\\n'\n" + SILENT, "announcement"),
    ],
)  # fmt: skip
def test_what_is_no_device_is_an_error_that_says_what_it_did(tmp_path: Path, text: str, message: str) -> None:
    used = device(tmp_path, text, connect_s=0.1)
    with pytest.raises(DeviceError, match=message) as caught:
        used.check()
    assert "on this machine" in str(caught.value)
    assert "attempts: 2" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SILENT, "no answer for 0.2 s while measuring"),
        ("exit 3", "exit status 3 while measuring"),
        ("printf 'nas-device: nonsense\\n'\n" + SILENT, "while measuring: nonsense"),
        ("printf 'nas-device: {\"measured\": {\"seconds\": [NaN, 1]}}\\n'\n" + SILENT, "result that is not"),
        ("exec yes 'nas-device: {\"surprise\": 1}'", "not of the protocol"),
        ("printf 'nas-device: {\"measuring\": 1}\\n'\n" + SILENT, "no answer for 0.2 s while measuring"),
        ("printf 'nas-device: {\"refused\": \"device\", \"message\": \"a\\\\u001bb\"}\\n'\n" + SILENT, "a b"),
    ],
)  # fmt: skip
def test_a_device_that_fails_while_measuring_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    used = device(tmp_path, HELLO + text, timeout_s=0.2)
    with pytest.raises(DeviceError, match=message):
        used.measure(network(), QUICK)


def test_a_program_that_is_no_python_is_named() -> None:
    with pytest.raises(
        DeviceError, match=r"exit status 0 .*'/bin/true' .*is it a Python\?.*'python: PATH'"
    ) as caught:
        Device(python="/bin/true").check()
    assert "timeout_s" not in str(caught.value)


def test_a_device_that_reads_nothing_does_not_block(tmp_path: Path) -> None:
    used = device(tmp_path, HELLO + "exec tail -f /dev/null", timeout_s=0.2)
    with pytest.raises(DeviceError, match="no answer"):
        used.measure(bytes(10_000_000), QUICK)


@pytest.mark.parametrize(
    ("first", "timeout_s"),
    [
        ("exit 1", 120),
        ("printf 'nas-device: nonsense\\n'\n" + SILENT, 120),
        pytest.param(SILENT, 10, marks=pytest.mark.slow),
    ],
)
def test_a_broken_connection_is_made_again_once(tmp_path: Path, first: str, timeout_s: float) -> None:
    text = f'if mkdir {tmp_path}/seen 2>/dev/null; then\n{HELLO}{first}\nfi\nexec REAL "$@"'
    used = device(tmp_path, text, timeout_s=timeout_s)
    assert used.measure(network(), QUICK).milliseconds > 0


def test_a_connection_that_ended_between_two_networks_costs_no_attempt(tmp_path: Path) -> None:
    used = device(tmp_path, f'echo $$ > {tmp_path}/pid\nexec REAL "$@"', attempts=1)
    used.measure(network(), QUICK)
    pid = int((tmp_path / "pid").read_text())
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert used.measure(network(), QUICK).milliseconds > 0


def test_a_python_without_the_packages_is_named(tmp_path: Path) -> None:
    bare = device(tmp_path, 'exec REAL -S "$@"')
    with pytest.raises(
        DeviceError, match=r"numpy and onnxruntime cannot be imported .* -m pip install onnxruntime"
    ):
        bare.check()


def test_a_python_that_is_not_there_or_too_old_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"cannot run .*/nowhere"):
        Device(python=str(tmp_path / "nowhere")).check()
    old = device(tmp_path, "echo 'nas needs Python 3.8 or later; this is 2.7' >&2; exit 1")
    with pytest.raises(DeviceError, match=r"too old.*python: PATH") as caught:
        old.check()
    assert "this is 2.7" in str(caught.value)


def test_without_ssh_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DeviceError, match=r"cannot run ssh .*install OpenSSH"):
        Device(ssh="board").check()


def test_measurements_wait_for_their_turn(temporary: Path) -> None:
    waited = []
    with lock_of(temporary) as unlock:

        def on_wait(seconds: float) -> None:
            waited.append(seconds)
            unlock()

        found = Device().measure(network(), QUICK, on_wait=on_wait)
    assert waited
    assert found.milliseconds > 0


def test_waiting_has_a_limit(temporary: Path) -> None:
    used = Device(queue_s=1e-6)
    with lock_of(temporary), pytest.raises(DeviceError, match="other processes used it"):
        used.measure(network(), QUICK)
    assert used.measure(network(), QUICK).milliseconds > 0


def test_two_processes_never_measure_at_once() -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    times = measured_beside([sys.executable, "-c", measuring(4, "Device()")], env, Device())
    assert all(first[1] <= second[0] for first, second in pairwise(times))


def test_a_fork_has_its_own_connection_and_leaves_its_parents(tmp_path: Path) -> None:
    used = device(tmp_path, f'echo start >> {tmp_path}/starts\nexec REAL "$@"')
    used.check()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if used.measure(network(), QUICK).milliseconds > 0 else 1
            end_connections()
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    used.measure(network(), QUICK)
    assert (tmp_path / "starts").read_text() == "start\nstart\n"


def test_an_interrupt_ends_the_process_of_the_device(tmp_path: Path, temporary: Path) -> None:
    python = program(tmp_path, f'echo $$ > {tmp_path}/pid\nexec REAL "$@"')
    code = (
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from device_parts import QUICK, network\nfrom nas.deployment.device import Device\n"
        f"Device(python={python!r}).measure(network(), QUICK, on_wait=lambda s: print('waiting', flush=True))"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with lock_of(temporary):
        client = subprocess.Popen(
            [sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert client.stdout is not None
        assert client.stdout.readline() == "waiting\n"
        client.send_signal(signal.SIGINT)
        errors = client.communicate(timeout=30)[1]
        assert "KeyboardInterrupt" in errors
        assert has_ended(int((tmp_path / "pid").read_text()))


def test_a_script_whose_client_was_killed_ends_even_while_it_waits(tmp_path: Path, temporary: Path) -> None:
    python = program(tmp_path, f'echo $$ > {tmp_path}/pid\nexec REAL "$@"')
    code = (
        "from device_parts import QUICK, network\nfrom nas.deployment.device import Device\nimport os\n"
        f"Device(python={python!r}).measure(network(), QUICK, on_wait=lambda s: os.kill(os.getpid(), 9))"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with lock_of(temporary):
        subprocess.run([sys.executable, "-c", code], env=env, check=False)
        pid = int((tmp_path / "pid").read_text())
        while not has_ended(pid):  # the test's own limit ends a wait in vain
            pass


def test_a_folder_that_others_can_use_is_refused(temporary: Path) -> None:
    (temporary / f"nas-device-{os.getuid()}").mkdir(mode=0o755)
    with pytest.raises(DeviceError, match="not a folder that its user alone can use; remove it"):
        Device().check()


def test_a_link_in_place_of_the_folder_is_refused(temporary: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (temporary / f"nas-device-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DeviceError, match="remove it"):
        Device().check()


def test_the_first_reference_is_kept_and_later_times_are_corrected_by_it(temporary: Path) -> None:
    first = Device().measure(network(), QUICK)
    assert first.drift == 1
    assert not first.drifted
    (kept,) = temporary.glob("nas-device-*/baseline-*.json")
    content = json.loads(kept.read_text())
    assert 1e3 * content["seconds"] == pytest.approx(first.reference_ms)
    kept.write_text(json.dumps({**content, "seconds": content["seconds"] / 4}))  # a device four times slower
    settings = LatencySettings(rounds=6, least_seconds=0, extensions=0, tolerance=0.1)
    later = Device().measure(network(), settings)
    assert later.drift > 1.2
    assert later.drifted
    assert later.milliseconds == pytest.approx(later.raw / later.drift)
    kept.write_text(json.dumps({**content, "seconds": 1e-9}))
    with pytest.raises(DeviceError, match=r"device on this machine: .*took 1e-06 ms at first"):
        Device().measure(network(), settings)


def test_a_network_too_slow_for_the_limit_is_refused_at_once(temporary: Path) -> None:
    slow = LatencySettings(least_seconds=10)
    with pytest.raises(DeviceError, match=r"6 rounds would take about .*raise timeout_s"):
        Device(timeout_s=20).measure(network(), slow)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ssh": "-oProxyCommand=evil"}, "does not start with '-'"),
        ({"ssh": "user@-host"}, "does not start with '-'"),
        ({"ssh": "host;reboot"}, "ssh: expected a name"),
        ({"ssh": ""}, "ssh: expected a name"),
        ({"python": "-c"}, "python: expected a name"),
        ({"timeout_s": 0}, "timeout_s: expected a number above 0"),
        ({"attempts": 0}, "attempts: expected a whole number"),
        ({"ssh": "a", "options": "-F x"}, "expected a list"),
        ({"options": ["-F", "x"]}, "give ssh: HOST too"),
        ({"host": "a"}, "unknown 'host'"),
        ("board", "expected keys such as ssh: HOST"),
    ],
)
def test_invalid_settings_are_refused(settings: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Device.of(settings)


def test_a_device_of_a_mapping() -> None:
    assert Device.of({"ssh": "board", "options": ["-F", "config"]}) == Device(
        "board", options=("-F", "config")
    )
    assert Device("board", python="~/my venv/python").command()[-1].startswith("~/'my venv/python' -u -c ")


def test_onnxruntime_sends_nothing_to_its_maker() -> None:
    code = "import os, nas.deployment; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    env = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    assert (
        subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True).stdout
        == b"1\n"
    )
