"""What a run keeps of its inputs: the target, and of the network that it shrinks the weights and values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.core.files import absolute
from nas.core.objectives import Objective
from nas.core.trust import where_of
from nas.runs.files import ORIGINAL

WEIGHTS = "original.pt"  # in the folder `ORIGINAL`


def original_file(run: Path) -> Path:
    """The file of the original network's weights in a run's folder."""
    return absolute(run) / ORIGINAL / WEIGHTS


def with_own_weights(search: Mapping[str, Any], run: Path) -> dict[str, Any]:
    """The recorded config of a run, with the weights of its original network where the run's folder is now."""
    found, space = dict(search), search.get("space")
    if not isinstance(space, Mapping) or not isinstance(space.get("weights"), str):
        return found
    file = original_file(run)
    if Path(space["weights"]).parts[-2:] == file.parts[-2:] and file.is_file():
        found["space"] = {**space, "weights": str(file)}
    return found


def recorded_search(stored: Mapping[str, Any], run: Path) -> dict[str, Any]:
    """The recorded config of a search: its own weights where the run's folder is now, its target as recorded where the file is gone.

    `stored` is the log's entry with `search`, `base` and `target`.
    """
    found = with_own_weights(stored["search"], run)
    target, kept = found.get("target"), stored.get("target")
    if isinstance(target, str) and isinstance(kept, Mapping):
        base = None if stored.get("base") is None else Path(stored["base"])
        if not where_of(target, base).is_file():
            found["target"] = dict(kept)
    return found


def original_values(config: Mapping[str, Any]) -> dict[str, float]:
    """The values of the original network from a run's resolved config or identity; empty where it shrinks none."""
    evaluator = config.get("evaluator")
    values = evaluator.get("original") if isinstance(evaluator, Mapping) else None
    if not isinstance(values, Mapping):
        return {}
    return {str(name): float(value) for name, value in values.items() if isinstance(value, (int, float))}


def command_of(config: Mapping[str, Any]) -> str:
    """The command whose `--resume` continues a run with this config: `shrink` or `search`."""
    return "shrink" if original_values(config) else "search"


def difference_text(
    row: Mapping[str, Any], original: Mapping[str, float], objectives: Sequence[Objective]
) -> str:
    """The differences of a row from the original network: percentages in points, other values in percent.

    An objective without a value of the original is left out.
    """
    found = []
    for item in objectives:
        then = original.get(item.name)
        if then is None:
            continue
        now = float(row[item.name])
        if item.unit == "%":
            found.append(f"{item.name} {now - then:+.1f}")
        elif then:
            found.append(f"{item.name} {100 * (now / then - 1):+.0f}%")
    return ", ".join(found)
