"""Weights on disk: plain tensors and numbers, written whole or not at all, read without unpickling code."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from nas.core.files import make_folder, write_stream
from nas.errors import DataError
from nas.records import Architecture

SCHEMA = 1


def weights_file(directory: str | Path, architecture: Architecture, text: str, seed: int) -> Path:
    """Where the weights of this architecture (with its text form) from this seed are."""
    key = f"{architecture.space}:{text}:{seed}"
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-")[:48]
    return Path(directory) / f"{readable}-{hashlib.blake2b(key.encode(), digest_size=6).hexdigest()}.pt"


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, text, nested dicts and lists) to `path` in one step."""
    make_folder(path.parent)
    write_stream(path, lambda file: torch.save({"schema": SCHEMA, **state}, file), sync=True)


def read(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """What `save` wrote. Raises `DataError` for a file that is missing, damaged or of a later schema."""
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise DataError(f"weights {path}: not found") from None
    except Exception as error:  # torch raises many kinds on damaged files
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DataError(f"weights {path}: cannot be read ({reason}); delete the file to train anew") from None
    if not isinstance(state, dict) or state.get("schema") != SCHEMA:
        found = state.get("schema") if isinstance(state, dict) else type(state).__name__
        raise DataError(f"weights {path}: expected schema {SCHEMA}, found {found}; delete it to train anew")
    return state


def keep_only(directory: str | Path, files: Iterable[Path]) -> list[Path]:
    """Delete every other weights file in `directory` (such as all that are not on the front); what went.

    What a worker was writing when it ended goes as well, so none may be at work.
    """
    kept = {Path(f).resolve() for f in files}
    gone = [p for p in sorted(Path(directory).glob("*.pt")) if p.resolve() not in kept]
    for path in [*gone, *Path(directory).glob(".*.pt.*")]:
        path.unlink()
    return gone
