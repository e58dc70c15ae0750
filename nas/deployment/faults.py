"""Errors of devices, and what to do about each: from ssh's messages, exit statuses and the device's own answers."""

from __future__ import annotations

import re

from nas.core.errors import EvaluationError


class DeviceError(EvaluationError):
    """A device cannot be reached, or it stalled, ended or returned nonsense; the message has the remedy."""


class DeviceAway(DeviceError):
    """A device that did not answer, or not in the protocol; it may come back."""


class ModelRefused(EvaluationError):
    """The device's onnxruntime cannot load or run this network; the device itself works."""


class Broken(Exception):
    """A connection stalled, ended or carried nonsense; it must be ended, and can be made again. `remedy`: "" is the usual one."""

    def __init__(self, message: str, status: int | None = None, stderr: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.stderr = stderr
        self.remedy = remedy


_AWAY = "it does not accept the connection"
_SSH = (  # pattern in ssh's message, cause, remedy; the first that matches
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "its host key has changed since it was accepted here",
        "find out why before you trust it; if the device was set up again, run 'ssh-keygen -R {host}', then 'ssh {host}' "
        "once and check the fingerprint",
    ),
    (
        r"Host key verification failed|host key is known for",
        "its host key is unknown here",
        "run 'ssh {host}' once and check the fingerprint",
    ),
    (
        r"Permission denied \(|Too many authentication failures|no more authentication methods",
        "it refuses the keys of this account, or asks for a password, which a search cannot type",
        "set up a key with 'ssh-copy-id {host}', and load a key with a passphrase into ssh-agent; "
        "'ssh -o BatchMode=yes {host} true' must succeed",
    ),
    (
        r"Could not resolve hostname",
        "the name of the host is unknown",
        "check 'ssh: {host}' against your ~/.ssh/config",
    ),
    (
        r"Connection refused|timed out|No route to host|Network is unreachable|Host is down",
        _AWAY,
        "check that it is on, that its ssh server runs, and that 'ssh {host}' works",
    ),
    (
        r"[Bb]ad configuration option|Bad owner or permissions|[Cc]an't open user config file|unknown option",
        "ssh refuses its configuration or options",
        "correct them as its message below says",
    ),
)


def known_fault(name: str, host: str | None, python: str, error: Broken) -> DeviceError | None:
    """The error for a cause that trying again does not change; None for others.

    `host` is None for a local process, `python` the program that was to run there.
    """
    said = error.stderr
    if host is not None and error.status == 255:
        for pattern, cause, remedy in _SSH:
            if re.search(pattern, said):
                kind = DeviceAway if cause == _AWAY else DeviceError
                return kind(f"{name}: {cause}; {remedy.format(host=host)}{_quoted(said)}")
    if "nas needs Python" in said:
        return DeviceError(
            f"{name}: {python!r} is too old; give another one with 'python: PATH'{_quoted(said)}"
        )
    if error.status in (126, 127):
        return DeviceError(
            f"{name}: {python!r} cannot be run there; give its path with 'python: PATH'{_quoted(said)}"
        )
    return None


def refused(
    name: str, kind: object, message: str, python: str, timeout_s: float
) -> DeviceError | ModelRefused:
    """The error for a `refused` answer of the device script."""
    message = "\n".join(printable(line) for line in message.splitlines())
    if kind == "packages":
        packages, _, reason = message.partition("\n")
        return DeviceError(
            f"{name}: {' and '.join(packages.split())} cannot be imported by {python}; run there "
            f"'{python} -m pip install onnxruntime numpy', or give another python with 'python: PATH' ({reason})"
        )
    if kind == "model":
        operator = unsupported_operator(message)
        cause = f"it does not support the operator {operator!r}" if operator else "it cannot load or run it"
        return ModelRefused(f"{name}: onnxruntime refuses the network: {cause} ({_first_line(message)})")
    if kind == "slow":
        return DeviceError(f"{name}: {message}, and a measurement may take {timeout_s:g} s; raise timeout_s")
    return DeviceError(f"{name}: {message}")


def unsupported_operator(message: str) -> str | None:
    """The operator that onnxruntime's message names as unsupported, with its domain if that is not ONNX's."""
    for pattern in (
        r"Could not find an implementation for ([\w.:]+)\(",
        r"Fatal error: ([\w.:]+)\(\S*\) is not a registered",
        r"No Op registered for ([\w.:]+)",
        r"No opset import for domain ([\w.]+)",
    ):
        found = re.search(pattern, message)
        if found:
            return found.group(1).removeprefix("ai.onnx:")
    return None


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0][:300]


def _quoted(said: str) -> str:
    """The last lines of a program's errors, for the end of a message."""
    lines = [printable(line).strip() for line in said.splitlines() if line.strip()]
    return f"\n  it wrote: {' / '.join(lines[-3:])[:500]}" if lines else ""


def printable(text: str) -> str:
    """The text without characters that could control a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)
