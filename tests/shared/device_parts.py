"""Networks for devices to measure, quick settings, and programs that stand for a device's Python."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from nas.deployment.device import Device
from nas.training.latency import LatencySettings

# The time is of no account in these tests, so any unsteadiness will do.
QUICK = LatencySettings(rounds=6, warm_up=1, least_seconds=0, extensions=0, tolerance=1e9)
# What a program of a device may do: announce itself; read without an answer.
HELLO = 'printf \'nas-device: {"started": 1}\\nnas-device: {"hello": {"protocol": 1}}\\n\'\n'
SILENT = "cat > /dev/null\n"


@cache
def network(operator: str = "Relu", side: int = 16) -> bytes:
    """An ONNX network of one operator on images with this side."""
    from onnx import TensorProto, helper

    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, side, side))
    outputs = helper.make_tensor_value_info("outputs", TensorProto.FLOAT, (1, 3, side, side))
    nodes = [helper.make_node(operator, ["images"], ["outputs"])]
    graph = helper.make_graph(nodes, "network", [images], [outputs])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7)
    return bytes(model.SerializeToString())


def program(folder: Path, text: str, name: str = "python") -> str:
    """A shell script that stands for a device's Python; `REAL` in it is this one."""
    path = folder / name
    path.write_text("#!/bin/sh\n" + text.replace("REAL", f"'{sys.executable}'"))
    path.chmod(0o755)
    return str(path)


def measuring(times: int, device: str) -> str:
    """Code that measures so often on a device, and prints when each measurement began and ended."""
    return (
        "import json\nfrom device_parts import QUICK, network\nfrom nas.deployment.device import Device\n"
        f"for _ in range({times}):\n    found = {device}.measure(network(), QUICK)\n"
        "    print(json.dumps([found.began, found.ended]))"
    )


def measured_beside(command: list[str], env: dict[str, str], device: Device) -> list[tuple[float, float]]:
    """Begin and end of each measurement of a command (`measuring`) and of those made here until it ends, in order."""
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as other:
        here = []
        while other.poll() is None:
            found = device.measure(network(), QUICK)
            here.append((found.began, found.ended))
        assert other.stdout is not None
        there = [tuple(json.loads(line)) for line in other.stdout]
    assert other.returncode == 0
    return sorted([*here, *there])


@contextmanager
def lock_of(folder: Path) -> Iterator[Callable[[], None]]:
    """Hold the lock of the device whose temporary folder this is; gives a function that releases it earlier."""
    private = folder / f"nas-device-{os.getuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    with (private / "lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield lambda: fcntl.flock(file, fcntl.LOCK_UN)


def has_ended(pid: int) -> bool:
    """Whether no process has this number, or only a dead one that its parent has not yet read."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True
