"""Start or join a Ray cluster, and see that it can hold the workers that are asked for."""

from __future__ import annotations

import logging
import math
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import ray
import ray._private.worker as ray_internals

from nas.errors import ExecutorError
from nas.executors.settings import RaySettings

_LOG = logging.getLogger(__name__)
_LOCAL = (None, "local")
_OBJECT_STORE = 256 * 2**20  # bytes; evaluators and results are small, and Ray's default is 30% of the memory

# Joining a cluster that does not answer blocks inside Ray for minutes, and may end the process, whatever
# time limit it is given. So a process of its own tries first.
_PROBE = "import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False); ray.shutdown()"


class Cluster:
    """A connection to Ray, made by `__init__` and given back by `close`.

    Uses the connection that this process already has, if it has one, and then leaves it open. Otherwise
    joins `settings.address`, or starts a cluster on this machine that ends with this process. Such a cluster
    listens on all network interfaces, as Ray always does; what protects it is Ray's token authentication,
    which is on by default and should stay on. Raises `ExecutorError`.
    """

    def __init__(self, settings: RaySettings, payload_bytes: int) -> None:
        self._ours = not ray.is_initialized()
        self._unmute: Callable[[], None] = _nothing
        if self._ours:
            self._unmute = _mute_death_notices()
            logging.getLogger("ray").setLevel(logging.ERROR)
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no reports to anyone
            os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
            try:
                self._open(settings, payload_bytes)
            except BaseException:
                self.close()
                raise
        try:
            check_capacity(settings, _node_resources())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop or leave the cluster if this object started or joined it; may be called twice."""
        if self._ours:
            self._ours = False
            ray.shutdown()
            self._unmute()

    @staticmethod
    def _open(settings: RaySettings, payload_bytes: int) -> None:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if settings.address in _LOCAL:
            options |= {
                "address": "local",  # not None, which would join any cluster that happens to run here
                "num_cpus": max(1, math.ceil(settings.workers * settings.cpus_per_trial)),
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE + 2 * payload_bytes,
            }
        else:
            _probe(str(settings.address), settings.connect_timeout_s)
            options["address"] = settings.address
        try:
            ray.init(**options)
        except Exception as failure:
            what = "start on this machine" if settings.address in _LOCAL else f"join {settings.address}"
            raise ExecutorError(
                f"Ray could not {what}: {failure}. The executor 'serial' needs no Ray."
            ) from failure


def _nothing() -> None:
    pass


def _mute_death_notices() -> Callable[[], None]:
    """Keep Ray from printing a paragraph on stdout for every worker that dies; returns what undoes it.

    A dead worker is a result here, with its reason, and stdout belongs to the command that runs. Ray has no
    setting for it; where its internals have changed, the notices are printed and nothing else differs.
    """
    printer = getattr(ray_internals, "print_to_stdstream", None)
    if printer is None:
        return _nothing

    def print_the_rest(data: Any, *arguments: Any, **options: Any) -> None:
        if data.get("pid") == "raylet":
            _LOG.debug("%s", data.get("lines"))
        else:
            printer(data, *arguments, **options)

    def undo() -> None:
        if ray_internals.print_to_stdstream is print_the_rest:
            ray_internals.print_to_stdstream = printer

    ray_internals.print_to_stdstream = print_the_rest
    return undo


def _probe(address: str, timeout_s: float) -> None:
    """Raise `ExecutorError` within about `timeout_s` seconds unless a cluster can be joined at the address."""
    advice = (
        "Start one with 'ray start --head', give the address it prints, run on a machine of that cluster with "
        "the cluster's RAY_AUTH_MODE and RAY_AUTH_TOKEN in the environment, or leave the address out to start "
        "a cluster on this machine."
    )
    if address != "auto":
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or "//" in address:
            raise ExecutorError(f"address: expected host:port or auto, got {address!r}. {advice}")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=min(5.0, timeout_s)).close()
        except (OSError, OverflowError) as failure:
            raise ExecutorError(f"no Ray cluster answers at {address}: {failure}. {advice}") from failure
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE, address], capture_output=True, text=True, timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        raise ExecutorError(
            f"no Ray cluster answers at {address} within connect_timeout_s={timeout_s:g} s. {advice}"
        ) from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ExecutorError(f"the Ray cluster at {address} cannot be joined: {last[:500]}. {advice}")


def _node_resources() -> list[dict[str, float]]:
    return [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]


def check_capacity(settings: RaySettings, nodes: list[dict[str, float]]) -> None:
    """Raise `ExecutorError` unless all workers fit on the nodes at once.

    Ray keeps a request that can never be met waiting without a word, and a search would hang.
    """
    cpus, gpus = settings.cpus_per_trial, settings.gpus_per_trial
    fits = sum(_fits(node, cpus, gpus) for node in nodes)
    if fits >= settings.workers:
        return
    has = ", ".join(f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes)
    raise ExecutorError(
        f"asked for workers={settings.workers} with cpus_per_trial={cpus:g} and gpus_per_trial={gpus:g}, "
        f"but the Ray cluster can hold {fits:g} of them: it has {len(nodes)} node(s) with {has or 'nothing'}. "
        "Lower the workers or what each reserves, or add nodes."
    )


def _fits(node: dict[str, float], cpus: float, gpus: float) -> float:
    room = [
        node.get(kind, 0.0) / share if share >= 1 else node.get(kind, 0.0) * math.floor(1 / share + 1e-9)
        for kind, share in (("CPU", cpus), ("GPU", gpus))
        if share > 0
    ]
    return math.floor(min(room) + 1e-9) if room else math.inf
