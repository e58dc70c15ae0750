"""The code that a run's config names, and whether its user has run exactly that code before.

You vouch for a config that you write. A config in a run's folder may come from someone else, and importing the code that it
names runs that code. To accept your own runs without a question, your state folder records the code that you start by path,
settings and hashes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.core.code_files import is_framework, locate, static_code
from nas.core.files import write_whole
from nas.core.json_text import read_json
from nas.core.yaml_text import YamlError, parse_yaml

FILE = "trusted.json"
_SCHEMA = 1
_MOST = 2_000  # entries to keep, the latest
_VERSIONS = 20  # versions of the same code to keep
_NAME = re.compile(
    r"(?P<place>.+\.py|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<attribute>[A-Za-z_]\w*)", re.DOTALL
)
_NEVER_CODE = {"out", "warm_start", "initial", "stop", "unit", "limits", "address"}
_FROM_HERE = {"surrogate", "backbone", "data", "task"}  # settings whose files count from the current folder


@dataclass(frozen=True)
class Named:
    """A piece of code that a part of a config names, a Ray cluster that it joins, or the device of a target.

    `part` is the key (`space`, `callbacks.0`), `name` its value, `place` the file or module to import, `file` that file if
    found. `settings` is the whole part, which the code receives.
    """

    part: str
    name: str
    place: str
    file: str | None
    settings: str

    @property
    def place_of_part(self) -> tuple[str, str, str, str | None]:
        """Identity of the called code, without settings and file contents."""
        return self.part.partition(".")[0], self.name, self.place, self.file

    @property
    def key(self) -> str:
        """Identity of the called code with its settings, without file contents."""
        said = json.dumps([*self.place_of_part, self.settings])
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()

    def text(self) -> str:
        """The hash of the current contents of its files."""
        files = {} if self.file is None else static_code(self.file)
        return hashlib.sha256(json.dumps(sorted(files.items())).encode("utf-8", "surrogatepass")).hexdigest()

    def __str__(self) -> str:
        where = self.place if self.file in (None, self.place) else f"{self.place} ({self.file})"
        return (
            f"{self.part}: {self.name}, in {where}" if where not in self.name else f"{self.part}: {self.name}"
        )


def named_code(config: Mapping[str, Any], base: Path | None) -> list[Named]:
    """All code in a config that is imported by name, Ray clusters, and the device of a target; built-in names are excluded.

    Relative paths start at `base`, those in a component's settings at the current folder. Nothing is imported.
    """
    found: list[Named] = []
    for part, value in config.items():
        if part in _NEVER_CODE:
            continue
        if part == "target":
            found += _target(value, base)
            continue
        items = enumerate(value) if isinstance(value, list) else [(None, value)]
        for number, item in items:
            where = part if number is None else f"{part}.{number}"
            settings = json.dumps(item, sort_keys=True, default=str)
            for start, text in _texts(item, base):
                named = _named(where, text, settings, start)
                if named is not None:
                    found.append(named)
            if part == "executor" and isinstance(item, Mapping) and item.get("address") is not None:
                address = str(item["address"])
                found.append(Named(where, address, f"the Ray cluster at {address}", None, settings))
    return list(dict.fromkeys(found))


def _target(value: Any, base: Path | None) -> list[Named]:
    """The device of a target, which names a Python or an ssh host to run; a target without one names no code.

    `value` is the path of a file or the target's keys. A file that cannot be read as YAML is listed itself.
    """
    file = where_of(value, base) if isinstance(value, str) else None
    if file is not None and file.is_file():
        try:
            value = parse_yaml(file.read_text("utf-8"))
        except (YamlError, OSError, UnicodeDecodeError):
            return [Named("target", str(value), str(file), None, "")]
    device = value.get("device") if isinstance(value, Mapping) else None
    if not device:
        return []
    if isinstance(device, Mapping):
        device = {key: one for key, one in device.items() if one not in (None, [], ())}
    plain = json.dumps(device, sort_keys=True, default=str)
    relative = any("/" in text and not text.startswith("/") for _, text in _texts(device, None))
    here = str(Path.cwd()) if relative else ""  # a path such as env/bin/python
    return [Named("target", f"device {plain}", f"device {plain}", None, json.dumps([plain, here]))]


def _texts(value: Any, base: Path | None, depth: int = 0) -> Iterator[tuple[Path | None, str]]:
    """Every text that may name code, with the folder where its path starts (None: the current one)."""
    if depth > 100:
        return
    if isinstance(value, str):
        yield base, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in _NEVER_CODE:
                yield from _texts(inner, None if name in _FROM_HERE else base, depth + 1)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner, base, depth + 1)


def _named(part: str, text: str, settings: str, base: Path | None) -> Named | None:
    match = _NAME.fullmatch(text)
    if match is None:
        return None
    place = match["place"]
    if place.endswith(".py"):
        file = str(where_of(place, base))
        return Named(part, text, file, file, settings)
    file_of_module = _located(place)
    if file_of_module is not None and is_framework(file_of_module):
        return None
    return Named(part, text, f"module {place}", file_of_module, settings)


def where_of(place: str, base: Path | None) -> Path:
    """The file that a name's path refers to."""
    return (Path(place) if base is None else base / place).resolve()


def _located(module: str) -> str | None:
    with suppress(Exception):
        return locate(module)
    return None


def state_folder() -> Path:
    """The folder for state of this user's programs."""
    given = os.environ.get("XDG_STATE_HOME", "")
    home = Path(given) if os.path.isabs(given) else Path.home() / ".local" / "state"
    return home / "nas"


class Trusted:
    """The record of the code that this user has started. A file that others can write is ignored."""

    def __init__(self, path: Path | None = None) -> None:
        try:
            self.path: Path | None = path or state_folder() / FILE
        except RuntimeError:  # no home directory
            self.path = None

    def knows(self, named: Named) -> bool:
        """Whether the user has started exactly this: the same name, settings and contents."""
        entry = self._read().get(named.key)
        return entry is not None and named.text() in entry["texts"]

    def changed(self, named: Named) -> bool:
        """Whether the user has started the same name with the same settings but other contents."""
        entry = self._read().get(named.key)
        return entry is not None and named.text() not in entry["texts"]

    def remember(self, found: Sequence[Named]) -> None:
        """Record code that the user has started; without a writable folder, the question is repeated next time."""
        if not found or self.path is None:
            return
        with suppress(OSError, ValueError):
            entries = self._read()
            for named in found:
                texts = entries.pop(named.key, {"texts": []})["texts"]
                kept = [t for t in texts if t != named.text()][-_VERSIONS + 1 :]
                entry = {"what": str(named), "texts": [*kept, named.text()], "when": round(time.time())}
                entries[named.key] = entry
            latest = dict(list(entries.items())[-_MOST:])
            self._write(json.dumps({"schema": _SCHEMA, "trusted": latest}, indent=1) + "\n")

    def _read(self) -> dict[str, Any]:
        if self.path is None:
            return {}
        try:
            with self.path.open("rb") as file:
                found = os.fstat(file.fileno())
                ours = not hasattr(os, "getuid") or found.st_uid == os.getuid()
                if not ours or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                    return {}
                content = read_json(file.read())
            entries = content["trusted"] if content["schema"] == _SCHEMA else {}
            return {k: e for k, e in entries.items() if isinstance(e["texts"], list)}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _write(self, text: str) -> None:
        assert self.path is not None
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

        def private(part: Path) -> None:
            part.touch(mode=0o600)
            part.chmod(0o600)
            part.write_text(text, encoding="utf-8", errors="backslashreplace")

        write_whole(self.path, private)
