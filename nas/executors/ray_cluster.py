"""Start or join a Ray cluster, in the process that speaks with Ray."""

from __future__ import annotations

import logging
import math
import os
from typing import Any

from nas.core.errors import ExecutorError
from nas.executors.address import is_local
from nas.executors.ray_folder import INSIDE
from nas.executors.ray_token import ensure_token
from nas.executors.settings import RaySettings

_OBJECT_STORE = 256 * 2**20  # bytes; evaluators and results are small, and Ray's default is 30% of the memory


def prepare_environment(local: bool) -> None:
    """Set Ray's environment variables, which it reads on import and when it starts processes."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage reports
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # Ray ends a process that has not heard of its head for a minute; the search's patience decides here instead.
    os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", "1000000")
    if local:
        ensure_token()
        # Its one way to listen on loopback only: what it does on systems where a cluster is always one machine.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


def open_cluster(settings: RaySettings, payload_bytes: int, folder: str | None = None) -> str:
    """Connect this process and return the address of the cluster's head, `host:port`.

    Joins `settings.address`, which may hang where no cluster answers; or starts a cluster on this machine that ends with
    this process, listens on loopback only and has its session in `folder` (see `nas.executors.ray_folder`). Raises
    `ExecutorError`.
    """
    import ray

    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if is_local(settings.address):
        what = "start on this machine"
        options |= {
            "address": "local",  # not None, which would join any cluster that happens to run here
            "num_cpus": max(1, math.ceil(settings.workers * settings.cpus_per_trial)),
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE + 2 * payload_bytes,
        }
        if folder is not None:
            options["_temp_dir"] = os.path.join(folder, INSIDE)
    else:
        what, options["address"] = f"join {settings.address}", settings.address
    try:
        ray.init(**options)
    except Exception as failure:
        raise ExecutorError(
            f"Ray could not {what}: {failure}. The executor 'serial' needs no Ray."
        ) from failure
    return str(ray.get_runtime_context().gcs_address)
