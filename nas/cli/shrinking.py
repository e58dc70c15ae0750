"""`nas shrink`: the config of a shrink run from flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.cli.console import output
from nas.cli.search_config import Flags
from nas.cli.searching import run_search
from nas.cli.trusting import asking
from nas.core.errors import ConfigError
from nas.core.plugins import registry
from nas.runs.code_of_strangers import allow
from nas.shrinking.from_config import SHRINKABLE, TUNED

BUDGET = 40
OBJECTIVES = ("error", "params", "madds")


@dataclass(frozen=True)
class ShrinkFlags:
    """The flags of `nas shrink` beside those of `nas search`."""

    weights: Path | None
    data: str | None
    keep: str | None
    pick: str | None
    objectives: Sequence[str]
    limits: Sequence[str]


def run_shrink(model: str | None, own: ShrinkFlags, flags: Flags, resume: Path | None) -> None:
    """Shrink a network, or continue a run. Raises `NasError`."""
    if resume is not None:
        given = [
            name
            for name, value in (("MODEL", model), *((f"--{key}", value) for key, value in vars(own).items()))
            if value
        ]
        if given:
            raise ConfigError(
                f"--resume RUN uses the network, data and objectives of that run: remove {', '.join(given)}"
            )
        run_search(None, flags, resume)
        return
    if model is None:
        raise ConfigError(
            "MODEL is missing: name file.py:function, a listed network (nas list models) or the folder of a run"
        )
    if flags.out is None:
        raise ConfigError("--out is missing: name a new folder for the run, such as --out runs/smaller")
    run_search(None, flags, None, (_described(model, own, flags.trust), Path.cwd()))


def _described(model: str, own: ShrinkFlags, trust: bool) -> dict[str, Any]:
    """The config of a new run."""
    from nas.shrinking.from_run import is_run, picked

    space: dict[str, Any] = {"name": SHRINKABLE, "model": model}
    data: Any = own.data
    if own.weights is not None:
        space["weights"] = str(own.weights.resolve())
    if is_run(model):
        found = picked(model, own.pick or "knee")
        if own.weights is not None:
            raise ConfigError(
                f"--weights: {model} is a run, which has the weights of its networks; remove --weights"
            )
        with allow(found.code, trust=trust, what=f"nas shrink {model}", ask=asking()):
            pass  # asked once here; the names are in the new run's config
        space |= {"model": found.model, "weights": str(found.weights)}
        data = found.data if data is None else data
        output().print(f"Shrinking the network {found.model['architecture']} of {model}", highlight=False)
    elif own.pick is not None:
        raise ConfigError(f"--pick: {model} is not the folder of a run; remove --pick, or name a run")
    if data is None:
        raise ConfigError(
            "--data is missing: name the images that the network was trained on: a folder of images, a Parquet file, digits, cifar10"
        )
    if own.keep is not None:
        space["keep"] = [name.strip() for name in own.keep.split(",") if name.strip()]
    return {
        "space": space,
        "objectives": list(own.objectives or OBJECTIVES),
        "limits": list(own.limits),
        "evaluator": {"name": TUNED, "data": _from_here(data)},
        "budget": BUDGET,
    }


def _from_here(data: Any) -> Any:
    """The path of data made absolute, so that the run can be resumed from another folder."""
    if isinstance(data, str) and data not in registry("data set") and Path(data).exists():
        return str(Path(data).resolve())
    return data
