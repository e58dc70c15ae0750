"""Measure an ONNX network in another process: on this machine, or over ssh on the device that it is meant for.

`device_script` is sent to a Python there and runs until the connection ends. Measurements of all processes and machines
queue at the device, which runs one at a time. A connection is kept for each device in each process.
"""

from __future__ import annotations

import math
import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from nas.core.checks import check_known, check_not_negative, check_seconds, check_whole
from nas.core.errors import ConfigError
from nas.deployment.connection import BOOTSTRAP, Connection
from nas.deployment.faults import Broken, DeviceAway, DeviceError, ModelRefused, known_fault, refused
from nas.deployment.kept_connections import kept_connection
from nas.deployment.measured import Measured, described, measured_from
from nas.deployment.reference import reference_network
from nas.training.latency import LatencySettings

PROTOCOL = 1  # as in device_script.py
SENT = ("rounds", "warm_up", "least_seconds", "tolerance", "extensions", "threads")
UNSAFE = (
    " \t'`\"$\\;&<>|(){}"  # in a host's name: a ProxyCommand of ssh's configuration may pass it to a shell
)

PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0  # between attempts to reach a device that is away

T = TypeVar("T")

__all__ = ["Device", "DeviceError", "Measured", "ModelRefused"]


@dataclass(frozen=True)
class Device:
    """Where networks are measured. Raises `ConfigError` for invalid values.

    `ssh` is a host as in your ~/.ssh/config, or user@host; None measures in a process on this machine. `python` is the
    Python to run there (`python3`; on this machine the running one), `options` are further arguments of ssh. Seconds:
    `timeout_s` for one measurement in its turn, `connect_s` for connecting, `queue_s` for waiting for the device's turn.
    A measurement whose connection breaks is repeated until there were `attempts`. For `patience_s` a search waits for a device over ssh that
    is away (`patient_measure`).
    """

    ssh: str | None = None
    python: str | None = None
    timeout_s: float = 120.0
    connect_s: float = 15.0
    queue_s: float = 3600.0
    attempts: int = 2
    patience_s: float = 600.0
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, forbidden in (("ssh", UNSAFE), ("python", "")):
            value: Any = getattr(self, name)
            if value is not None and not _is_name(value, forbidden):
                raise ConfigError(
                    f"device: {name}: expected a name that does not start with '-', got {value!r}"
                )
        for name in ("timeout_s", "connect_s", "queue_s"):
            check_seconds(f"device: {name}", getattr(self, name))
        check_not_negative("device: patience_s", self.patience_s)
        check_whole("device: attempts", self.attempts)
        options: Any = self.options
        if not isinstance(options, (list, tuple)) or not all(isinstance(option, str) for option in options):
            raise ConfigError(f"device: options: expected a list of ssh's arguments, got {options!r}")
        object.__setattr__(self, "options", tuple(options))
        if self.options and self.ssh is None:
            raise ConfigError("device: options are arguments of ssh; give ssh: HOST too")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Device:
        """The device of a mapping, as in a config. Raises `ConfigError`."""
        if not isinstance(settings, Mapping):
            raise ConfigError(f"device: expected keys such as ssh: HOST, got {settings!r}")
        known = [field.name for field in fields(cls)]
        for name in settings:
            check_known("device: key", name, known)
        return cls(**settings)

    @property
    def name(self) -> str:
        """The device in messages."""
        return "device on this machine" if self.ssh is None else f"device {self.ssh}"

    @property
    def program(self) -> str:
        """The Python that runs there."""
        if self.ssh is None:
            return os.path.expanduser(self.python) if self.python else sys.executable
        return self.python or "python3"

    def command(self) -> list[str]:
        """The arguments that start the script: of a Python here, or of ssh."""
        script = [self.program, "-u", "-c", BOOTSTRAP]
        if self.ssh is None:
            return script
        settings = {
            "BatchMode": "yes",
            "ConnectTimeout": math.ceil(self.connect_s),
            "ServerAliveInterval": 5,
            "ServerAliveCountMax": 3,
            "ClearAllForwardings": "yes",
            "ControlMaster": "no",  # ending this ssh must not end others of the user
            "ForwardAgent": "no",
            "RemoteCommand": "none",
        }
        ours = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
        return ["ssh", "-T", *ours, *self.options, "--", self.ssh, _shell_words(script)]

    def check(self) -> str:
        """Connect, and return a description of the device. Raises `DeviceError`."""
        return self._with_connection(lambda connection: described(self.name, connection.hello))

    def measure(
        self,
        model: bytes,
        settings: LatencySettings | None = None,
        *,
        on_wait: Callable[[float], None] | None = None,
    ) -> Measured:
        """Measure a network, the bytes of an ONNX file, on random inputs.

        `on_wait` gets the seconds of waiting, every few seconds, while another process uses the device. Raises
        `ModelRefused` for a network that onnxruntime there cannot run, `DeviceError` for faults of the device, and
        `ConfigError` where the package onnx is missing here or the settings are of a GPU.
        """
        settings = settings or LatencySettings()
        if settings.device != "cpu":
            raise ConfigError(
                f"{self.name}: measures on a CPU, and the settings have device {settings.device!r}"
            )
        values = asdict(settings)
        request = {name: values[name] for name in SENT} | {"timeout_s": self.timeout_s}
        blobs = {"model": model, "reference": reference_network()}

        def ask(connection: Connection) -> Measured:
            connection.request(request, blobs)
            answer = self._answer(connection, on_wait)
            return measured_from(answer, settings.tolerance, described(self.name, connection.hello))

        return self._with_connection(ask)

    def patient_measure(self, model: bytes, settings: LatencySettings | None = None) -> Measured:
        """As `measure`; a device over ssh that is away is asked again for `patience_s`, so that a finished training is not lost."""
        end, pause = time.monotonic() + (self.patience_s if self.ssh else 0.0), PAUSE_S
        while True:
            try:
                return self.measure(model, settings)
            except DeviceAway:
                if time.monotonic() + pause > end:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)

    def _with_connection(self, ask: Callable[[Connection], T]) -> T:
        """Ask over the kept connection; make it again where it breaks."""
        broken: list[Broken] = []
        with kept_connection(self) as kept:
            while len(broken) < self.attempts:
                try:
                    return ask(kept.get(self._connect))
                except Broken as error:
                    kept.end()
                    known = known_fault(self.name, self.ssh, self.program, error)
                    if known is not None:
                        raise known from None
                    broken.append(error)
                except ModelRefused:  # an answer: the connection works
                    raise
                except BaseException:
                    kept.end()
                    raise
        usual = (
            f"Check that the device is on and not overloaded, {'' if self.ssh is None else f'that ssh {self.ssh} works, '}"
            f"or raise timeout_s ({self.timeout_s:g})"
        )
        last = broken[-1]
        raise DeviceAway(f"{self.name}: {last}; attempts: {self.attempts}. {last.remedy or usual}")

    def _connect(self) -> Connection:
        """Start the script and wait for its announcement. Raises `Broken` and `DeviceError`."""
        command = self.command()
        try:
            connection = Connection(command)
        except OSError as error:
            needed = (
                "install OpenSSH's client" if self.ssh else "give the path of a Python with 'python: PATH'"
            )
            raise DeviceError(f"{self.name}: cannot run {command[0]} ({error.strerror}); {needed}") from None
        try:
            # Connecting has a limit in ssh too; the second half is for the login shell.
            if "started" not in self._first_answer(connection):
                raise Broken("its first answer is not of the protocol")
            hello = connection.answer(self.timeout_s, "starting")
            if "refused" in hello:
                raise self._refused(hello, hello.get("executable"))
            if not isinstance(hello.get("hello"), dict) or hello["hello"].get("protocol") != PROTOCOL:
                raise Broken(f"an announcement that is not of the protocol: {str(hello)[:200]}")
            connection.hello = hello["hello"]
        except BaseException:
            connection.end()
            raise
        return connection

    def _first_answer(self, connection: Connection) -> Mapping[str, Any]:
        """The script's first answer. Raises `Broken`, with a remedy where the program ended by itself, as one that is no Python does."""
        try:
            return connection.answer(2 * self.connect_s, "connecting")
        except Broken as error:
            if error.status is not None and error.status >= 0:
                error.remedy = f"{self.program!r} did not run the script: is it a Python? Give one, 3.8 or later, with 'python: PATH'"
            raise

    def _answer(self, connection: Connection, on_wait: Callable[[float], None] | None) -> Mapping[str, Any]:
        """The result, after the device's turn has come. Raises `Broken`, `ModelRefused` and `DeviceError`."""
        start = time.monotonic()
        answer = connection.answer(self.timeout_s, "measuring")
        while "waiting" in answer:
            waited = time.monotonic() - start
            if on_wait is not None:
                on_wait(waited)
            if waited > self.queue_s:
                raise DeviceError(
                    f"{self.name}: other processes used it for {self.queue_s:g} s (queue_s); use fewer workers, or raise it"
                )
            answer = connection.answer(self.timeout_s, "measuring")
        if "measuring" in answer:
            answer = connection.answer(self.timeout_s, "measuring")
        if "refused" in answer:
            raise self._refused(answer, connection.hello.get("executable"))
        return answer

    def _refused(self, answer: Mapping[str, Any], python: object) -> DeviceError | ModelRefused:
        kind, message = answer["refused"], str(answer.get("message"))
        return refused(self.name, kind, message, str(python or self.program), self.timeout_s)


def _is_name(value: object, forbidden: str) -> bool:
    """Whether this is a text that no program takes for an option, without the forbidden characters."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        return False
    return (
        not value.rpartition("@")[2].startswith("-") and value[0] != "-" and not set(value) & set(forbidden)
    )


def _shell_words(words: list[str]) -> str:
    """Words for a remote shell, which expands `~/` at the start and nothing else."""
    home = "~/" if words[0].startswith("~/") else ""
    return home + shlex.join([words[0].removeprefix("~/"), *words[1:]])
