"""Start or join a Ray cluster, in the process that speaks with Ray."""

from __future__ import annotations

import logging
import math
import os
import secrets
import stat
from pathlib import Path
from typing import Any

from nas.core.errors import ExecutorError
from nas.executors.address import is_local
from nas.executors.ray_folder import INSIDE
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
        # Ray listens on loopback only on systems without clusters of several machines; this setting selects that.
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


def ensure_token() -> None:
    """Give a cluster started by the search a token that only this user can read.

    The token is in `~/.ray/auth_token`, where Ray looks; a file that others can read is closed to them. If the home
    folder is not writable, the token is only in the environment of Ray's processes. Does nothing if the environment
    configures authentication.
    """
    if os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        return
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return
    path = _file()
    try:
        if _is_usable(path):
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(path, secrets.token_hex(32))
    except OSError:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        os.environ["RAY_AUTH_MODE"] = "token"


def _file() -> Path:
    return Path.home() / ".ray" / "auth_token"


def _is_usable(path: Path) -> bool:
    """Whether there is a token; where others can read this user's, they no longer can."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid() and found.st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
        return bool(os.read(descriptor, 4096).strip())
    finally:
        os.close(descriptor)


def _write_new(path: Path, token: str) -> None:
    """Write the token atomically; if another search writes one at the same moment, that one is used."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(token)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            if not _is_usable(path):  # an empty one, which a killed process left
                os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
