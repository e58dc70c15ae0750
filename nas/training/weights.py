"""Weights on disk: plain tensors and numbers, written whole or not at all, read without unpickling code."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from nas.core.errors import DataError
from nas.core.files import make_folder, target_of_part, write_stream
from nas.core.records import Architecture
from nas.core.tracebacks import why_not_loaded

SCHEMA = 1


def weights_file(directory: str | Path, architecture: Architecture, text: str, seed: int) -> Path:
    """File of the weights of this architecture (with its text form) and seed."""
    key = f"{architecture.space}:{text}:{seed}"
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-")[:48]
    return Path(directory) / f"{readable}-{hashlib.blake2b(key.encode(), digest_size=6).hexdigest()}.pt"


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, text, nested dicts and lists) to `path` in one step."""
    make_folder(path.parent)
    write_stream(path, lambda file: torch.save({"schema": SCHEMA, **state}, file), sync=True)


def read(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The content that `save` wrote. Raises `DataError` for a file that is missing, damaged or of a later schema."""
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise DataError(f"weights {path}: not found") from None
    except Exception as error:  # torch raises many kinds on damaged files
        raise DataError(
            f"weights {path}: cannot be read ({why_not_loaded(error)}); delete the file to train again"
        ) from None
    if not isinstance(state, dict) or state.get("schema") != SCHEMA:
        found = state.get("schema") if isinstance(state, dict) else type(state).__name__
        raise DataError(f"weights {path}: expected schema {SCHEMA}, found {found}; delete it to train again")
    return state


def remove_others(directory: Path, ours: Iterable[Path], kept: Iterable[Path]) -> list[Path]:
    """Delete those of `ours` that are not `kept`; return the deleted ones. Every other file in `directory` stays.

    Unfinished files of a worker under one of those names are deleted too, so no worker may be running.
    """
    names, keep = {path.name for path in ours}, {path.name for path in kept}
    gone = []
    for name in sorted(os.listdir(directory)):
        path = directory / name
        if name in names - keep and path.is_file() and not path.is_symlink():
            gone.append(path)
        elif _part_of(name) in names and path.is_file() and not path.is_symlink():
            path.unlink()
    for path in gone:
        path.unlink()
    return gone


def _part_of(name: str) -> str | None:
    """The file name that a temporary file stands for, also one of an earlier version."""
    earlier = re.fullmatch(r"\.(.+\.pt)\.\d+", name)
    return earlier[1] if earlier else target_of_part(name)
