"""Targets: what a device runs and how much memory it has, as YAML files."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.core.checks import check_threads, check_whole, did_you_mean
from nas.core.errors import ConfigError
from nas.core.plugins import make
from nas.core.yaml_text import YamlError, parse_yaml

if TYPE_CHECKING:
    from nas.deployment.device import Device

TARGETS = Path(__file__).parent / "targets"
DEFAULT = "cpu-1-thread"
OLDEST, NEWEST = 9, 23  # versions of ONNX's operator set
FEWEST_IMAGES = 8  # for calibration; with fewer, ranges of activations are chance
FEWEST_TO_COUNT = 100  # for int8_error: with fewer, one image is more than a percent
LARGEST_SIDE = 8192  # pixels
MOST_BYTES = 2**40
LONGEST_NAME = 100
GIVE_SIZE = "give the target an input_size (docs/deployment.md)"
PRECISIONS = ("float32", "int8")
_UNITS = {
    "b": 1,
    "k": 1024,
    "m": 1024**2,
    "g": 1024**3,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}
_SIZE = re.compile(r"\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*([A-Za-z]+)\s*")


@dataclass(frozen=True)
class Int8:
    """Settings of the quantisation to 8 bits.

    `calibration` training images decide the ranges of activations. `images` is the number of validation images on which the quantised network
    runs; with more validation images the others count by the float network (`nas.deployment.measure`). `float_layers` stay in floating point.
    """

    calibration: int = 128
    images: int = 1000
    float_layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_whole("int8: calibration", self.calibration, FEWEST_IMAGES)
        check_whole("int8: images", self.images, FEWEST_TO_COUNT)
        given: object = self.float_layers
        if not _are_texts(given):
            raise ConfigError(f"int8: float_layers: expected a list of names of layers, got {given!r:.100}")
        object.__setattr__(self, "float_layers", tuple(self.float_layers))


@dataclass(frozen=True)
class Target:
    """A device and its limits. Raises `ConfigError` for a wrong value.

    `threads` of onnxruntime, `opset` of the ONNX file, `operators` that the device runs (None: all), `ram` for activations and `flash` for
    the weights in bytes (None: no limit), `precision` at which they count, `input_size`, the side of the images in pixels (None: that of
    the space or the data), `int8` and `timing` (settings of `nas.training.latency.LatencySettings`), and the `device` that measures (None: this
    machine, in a process of its own).
    """

    name: str = DEFAULT
    description: str = ""
    threads: int = 1
    opset: int = 17
    operators: tuple[str, ...] | None = None
    ram: int | None = None
    flash: int | None = None
    precision: str = "float32"
    input_size: int | None = None
    int8: Int8 = field(default_factory=Int8)
    timing: Mapping[str, Any] = field(default_factory=dict)
    device: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        put = object.__setattr__
        _check_words(self.name, self.description)
        check_threads(self.threads)
        check_whole("target: opset", self.opset, OLDEST)
        if self.opset > NEWEST:
            raise ConfigError(f"target: opset: expected {OLDEST} to {NEWEST}, got {self.opset}")
        for name in ("ram", "flash"):
            put(self, name, _bytes(name, getattr(self, name)))
        if self.input_size is not None:
            check_whole("target: input_size", self.input_size, 1, LARGEST_SIDE)
        if self.precision not in PRECISIONS:
            raise ConfigError(f"target: precision: expected float32 or int8, got {self.precision!r:.100}")
        if self.operators is not None:
            given: object = self.operators
            if not _are_texts(given):
                raise ConfigError(
                    f"target: operators: expected a list of ONNX operators such as [Conv, Relu], got {given!r:.100}"
                )
            if not self.operators:
                raise ConfigError(
                    "target: operators: expected at least one, such as [Conv, Relu]; leave the key out to allow all"
                )
            _check_operators(self.operators)
            put(self, "operators", tuple(self.operators))
        for name, expected in (("timing", "{rounds: 15}"), ("device", "{ssh: HOST}")):
            given = getattr(self, name)
            if not isinstance(given, Mapping):
                raise ConfigError(
                    f"target: {name}: expected a mapping such as {expected}, got {given!r:.100}"
                )
        inner: object = self.int8
        if not isinstance(inner, Int8):
            if not isinstance(inner, Mapping):
                raise ConfigError(
                    f"target: int8: expected a mapping such as {{calibration: 128}}, got {inner!r:.100}"
                )
            put(self, "int8", make("target:", Int8, inner, "int8"))
        self.made_device()
        self.timing_settings()

    def made_device(self) -> Device:
        """The device that measures. Raises `ConfigError` for a wrong setting."""
        from nas.deployment.device import Device

        made: Device = make("target:", Device, self.device, "device")
        return made

    def timing_settings(self) -> Any:
        """`nas.training.latency.LatencySettings`, with the target's threads. Raises `ConfigError`."""
        from nas.training.latency import LatencySettings

        if "threads" in self.timing or "device" in self.timing:
            raise ConfigError(
                "target: timing: threads and device are settings of the target itself; move them there"
            )
        try:
            return make("target:", LatencySettings, {**self.timing, "threads": self.threads}, "timing")
        except ConfigError as error:
            raise ConfigError(str(error).replace("latency: ", "target: timing: ")) from None

    def as_config(self) -> dict[str, Any]:
        """All keys with plain values, from which `read_target` makes the same target."""
        int8 = {**asdict(self.int8), "float_layers": list(self.int8.float_layers)}
        operators = None if self.operators is None else list(self.operators)
        mappings = {"timing": dict(self.timing), "device": dict(self.device), "int8": int8}
        return {f.name: getattr(self, f.name) for f in fields(self)} | mappings | {"operators": operators}

    def as_json(self) -> dict[str, Any]:
        """Plain values that decide what is measured, for the identity of a run."""
        return {
            "name": self.name,
            "threads": self.threads,
            "opset": self.opset,
            "operators": None if self.operators is None else list(self.operators),
            "ram": self.ram,
            "flash": self.flash,
            "precision": self.precision,
            "input_size": self.input_size,
            "int8": [self.int8.calibration, self.int8.images, list(self.int8.float_layers)],
            "timing": dict(self.timing),
            "ssh": self.device.get("ssh"),
        }


def _check_operators(names: Sequence[str]) -> None:
    """Raises `ConfigError` for a name that ONNX does not have; without the package onnx nothing is checked."""
    try:
        from onnx import defs
    except ImportError:
        return
    known = {schema.name for schema in defs.get_all_schemas()}
    for name in names:
        if name not in known:
            raise ConfigError(f"target: operators: ONNX has no operator {name!r}{did_you_mean(name, known)}")


def _check_words(name: object, description: object) -> None:
    """Raises `ConfigError` for a name or a description that is not a text."""
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise ConfigError(
            f"target: name: expected a text of 1 to {LONGEST_NAME} characters in one line, got {name!r:.100} (a number needs quotes)"
        )
    if not isinstance(description, str):
        raise ConfigError(f"target: description: expected a text, got {description!r:.100}")


def _are_texts(given: object) -> bool:
    return isinstance(given, (list, tuple)) and all(isinstance(one, str) for one in given)


def _bytes(name: str, given: object) -> int | None:
    """A number of bytes, from a whole number or a text such as `512 KiB` (or `512K`; `512 KB` are 512,000 bytes)."""
    if given is None:
        return None
    size = math.nan
    if isinstance(given, str):
        found = _SIZE.fullmatch(given)
        unit = None if found is None else _UNITS.get(found[2].lower())
        if found is not None and unit is not None:
            size = float(found[1]) * unit
        elif given.strip().isdecimal():
            size = float(given)
    elif isinstance(given, (int, float)) and not isinstance(given, bool) and given == given // 1:
        size = given
    if math.isnan(size):
        raise ConfigError(
            f"target: {name}: expected a whole number of bytes or a size such as 512 KiB (units: B, KiB, MiB, GiB, KB, MB, GB), got {given!r:.100}"
        )
    if not 1 <= size <= MOST_BYTES:
        raise ConfigError(f"target: {name}: expected 1 byte to 1024 GiB, got {given!r:.100}")
    return int(size)


def built_in_targets() -> dict[str, Path]:
    """Files of the built-in targets, by name."""
    return {path.stem: path for path in sorted(TARGETS.glob("*.yaml"))}


def _without_empty(values: Any) -> Any:
    """A mapping without its keys that have no value, which count as left out, also within `int8`, `timing` and `device`."""
    if not isinstance(values, dict):
        return values
    return {key: _without_empty(value) for key, value in values.items() if value is not None}


def read_target(given: str | Mapping[str, Any], base: Path | None = None) -> Target:
    """A target by the path of its file (from `base` if relative), the name of a built-in one, or its keys. Raises `ConfigError`."""
    if isinstance(given, Mapping):
        return _of_values(dict(given), "target", "the mapping")
    path = _file_of(given, base)
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"))
    except YamlError as error:
        raise ConfigError(f"target: {path} {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"target: cannot read {path}: {error}") from error
    return _of_values({} if values is None else values, path.stem, str(path))


def recorded_target(given: str | Mapping[str, Any] | None, base: Path | None = None) -> dict[str, Any] | None:
    """The content of a target's file, for the record of a run; None for a built-in target, and for keys. Raises `ConfigError`."""
    if not isinstance(given, str) or _file_of(given, base).parent == TARGETS:
        return None
    return read_target(given, base).as_config()


def _file_of(name: str, base: Path | None) -> Path:
    known = built_in_targets()
    path = Path(name) if base is None else base / name
    if path.is_file():
        return path
    stem = name.removesuffix(".yaml").removeprefix("targets/")
    if stem not in known:
        raise ConfigError(
            f"target: no file {path}, and no built-in target {name!r}{did_you_mean(stem, known)}; built in: {', '.join(known)}"
        )
    return known[stem]


def _of_values(values: Any, name: str, where: str) -> Target:
    values = _without_empty(values)
    if not isinstance(values, dict):
        raise ConfigError(f"target: {where}: expected a mapping such as 'threads: 1', got {values!r:.100}")
    own = [f.name for f in fields(Target)]
    unknown = [key for key in values if key not in own]
    if unknown:
        raise ConfigError(
            f"target: {where}: no key {unknown[0]!r}{did_you_mean(str(unknown[0]), own)}; it has: {', '.join(own)}"
        )
    try:
        made: Target = make("target", Target, {"name": name, **values}, name)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    return made
