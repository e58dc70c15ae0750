"""Lines about the original network of a shrink run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nas.cli.show import number
from nas.core.objectives import Objective

_LONG = 60  # characters of an architecture


def model_text(model: Any) -> str:
    """The network to shrink as a config names it, in a few words."""
    if not isinstance(model, Mapping):
        return str(model)
    space = model.get("space")
    text = f"{space.get('name') if isinstance(space, Mapping) else space}:{model.get('architecture')}"
    return text if len(text) <= _LONG else f"{text[: _LONG - 3]}..."


def cut_text(space: object) -> str:
    """What of the network can be cut."""
    about = getattr(space, "about", None)
    return str(about()) if callable(about) else ""


def values_text(original: Mapping[str, float], objectives: Sequence[Objective]) -> str:
    """The values of the original network in the objectives, and its costs."""
    percent = {o.name for o in objectives if o.unit == "%"}
    names = dict.fromkeys([*(o.name for o in objectives), "params", "madds"])
    return ", ".join(
        f"{name} {number(original[name])}{'%' * (name in percent)}" for name in names if name in original
    )
