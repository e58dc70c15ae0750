"""Check the address of a Ray cluster; nothing here needs Ray."""

from __future__ import annotations

import socket

from nas.core.errors import ExecutorError

ADVICE = (
    "Start one with 'ray start --head' and use the address it prints; run on a machine of that cluster with "
    "the cluster's RAY_AUTH_MODE and RAY_AUTH_TOKEN in the environment; or leave the address out to start "
    "a cluster on this machine."
)


def is_local(address: str | None) -> bool:
    """Whether the search starts a cluster on this machine instead of joining one."""
    return address in (None, "local")


def check_address(address: str | None) -> None:
    """Raise `ExecutorError` unless it is local, `host:port` or auto."""
    host, _, port = (address or "").rpartition(":")
    if is_local(address) or address == "auto":
        return
    if not host or not port.isdigit() or "//" in host:
        raise ExecutorError(f"address: expected host:port or auto, got {address!r}. {ADVICE}")


def refused(address: str | None) -> str | None:
    """The reason why no connection to `host:port` can be made; None if something listens there, even if halted."""
    if is_local(address) or address == "auto":
        return None
    host, _, port = str(address).rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5.0).close()
    except (OSError, OverflowError) as failure:
        return str(failure)
    return None
