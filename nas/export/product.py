"""An export's folder: weights, a file that needs PyTorch alone, ONNX, a drawing, a model card; written safely."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nas.core.files import write_stream, write_text, write_whole
from nas.errors import ConfigError, DataError
from nas.export.card import Facts, card, counts
from nas.export.making import Made, Run, from_kept
from nas.export.onnx_file import compare_onnx, missing_packages, note, opset_of, write_onnx
from nas.export.origin import Origin, of_search
from nas.export.picks import KNEE, choose
from nas.export.standalone import standalone
from nas.interfaces import SearchSpace
from nas.training.counts import in_use

SCHEMA = 1
FOLDER = "export"  # in the run's own folder, unless told
INDEX, WEIGHTS, NETWORK, ONNX, DRAWING, CARD = (
    "export.json",
    "weights.pt",
    "network.py",
    "network.onnx",
    "network.svg",
    "README.md",
)
BATCHES = (1, 2, 5)  # sizes of the batches of random pictures on which ONNX is compared


@dataclass(frozen=True)
class Exported:
    """What was written; differences are parts of the largest output, None where nothing was compared."""

    folder: Path
    onnx_random: float | None
    onnx_real: float | None


def export_run(
    run: str | Path,
    picks: Sequence[str] = (KNEE,),
    out: str | Path | None = None,
    *,
    space: SearchSpace | None = None,
    evaluate: object = None,
    onnx: bool = True,
    force: bool = False,
    opset: int | None = None,
    trust: bool = False,
) -> list[Exported]:
    """Export networks of a run with the weights that its search kept, as `nas export` does; a folder each.

    `picks` as for `--pick`, `out` None is `RUN/export`. `space` and `evaluate` (the `TrainingEvaluator`) are needed only when
    the run was started from Python. `trust` imports code that the run's config names, where you have not run it before. `opset` is the version of ONNX's operator set (None: torch's default). Raises `ConfigError` for a pick that means nothing, a folder that is taken, or a
    network that no file of its own can build, `DataError` when weights or data are missing.
    """
    whole = Run.read(Path(run), space, evaluate, trust=trust)
    chosen = choose(whole.table, picks)
    places = [Path(whole.folder / FOLDER if out is None else out) / each.name for each in chosen]
    for place in places:
        check_free(place, force)
    command = f"nas.export_run({str(run)!r}, {list(picks)!r})"
    exported = []
    for each, place in zip(chosen, places, strict=True):
        made = from_kept(whole, each)
        exported.append(write(of_search(whole, each, made), made, place, command, onnx, warnings.warn, opset))
    return exported


def check_free(folder: Path, force: bool) -> None:
    """Raise `ConfigError` when a folder holds a whole export, or files of others, and `force` was not given."""
    if force or not folder.exists():
        return
    index = folder / INDEX
    try:
        whole = json.loads(index.read_text(encoding="utf-8"))["complete"]
    except (OSError, ValueError, KeyError, TypeError):
        if not folder.is_dir() or index.exists() or (folder / CARD).exists():
            raise ConfigError(
                f"{folder} holds other files; give another folder with --out, or --force"
            ) from None
        return
    if whole:
        raise ConfigError(f"{folder} holds an export already; --force writes it again, --out another")


def write(
    origin: Origin,
    made: Made,
    folder: Path,
    command: str,
    onnx: bool,
    tell: Callable[[str], None],
    opset: int | None = None,
) -> Exported:
    """Write an export; one that was cut short is written again by the next call.

    Without the packages of the extra `onnx` that file is left out, and told. Raises `NotExportable` for a network that
    no file of its own can build, `DataError` where ONNX gives other outputs.
    """
    made = dataclasses.replace(made, network=in_use(made.network))
    use = f'It needs PyTorch alone: load("{WEIGHTS}") gives the network, `python {NETWORK} {WEIGHTS}` checks it.'
    text = standalone(made.network, made.pictures, f"{origin.about}\n\n{use}")
    folder.mkdir(parents=True, exist_ok=True)
    index: dict[str, Any] = {
        "schema": SCHEMA,
        "complete": False,
        **origin.index,
        "weights": made.weights,
        "input": list(made.pictures.shape),
        **counts(origin, made),
        **({} if made.data is None else {"data": made.data.text}),
    }
    _write(folder / INDEX, json.dumps(index, indent=2) + "\n")
    write_stream(folder / WEIGHTS, lambda file: torch.save(made.network.state_dict(), file))
    _write(folder / NETWORK, text)
    if origin.drawing is not None:
        _write(folder / DRAWING, origin.drawing)
    compared = _onnx(made, folder, tell, opset, counts(origin, made)) if onnx else None
    if compared is None:
        (folder / ONNX).unlink(missing_ok=True)
    exported = Exported(folder, *(compared or (None, None)))
    facts = Facts(origin, made, command, exported.onnx_random, exported.onnx_real)
    _write(folder / CARD, card(facts))
    if compared is not None:
        index["opset"] = opset_of(folder / ONNX)
    files = [f for f in (WEIGHTS, NETWORK, ONNX, DRAWING, CARD) if (folder / f).is_file()]
    _write(folder / INDEX, json.dumps({**index, "complete": True, "files": files}, indent=2) + "\n")
    return exported


def _onnx(
    made: Made,
    folder: Path,
    tell: Callable[[str], None],
    opset: int | None,
    counted: Mapping[str, int],
) -> tuple[float, float | None] | None:
    """The largest differences on random and on real pictures; None when the packages are missing."""
    missing = missing_packages()
    if missing:
        tell(
            f"no {ONNX}: {', '.join(missing)} not installed; pip install 'multiobjective-nas[onnx]' brings what it "
            f"needs, --no-onnx does without"
        )
        return None
    path = folder / ONNX

    def written(place: Path) -> None:
        write_onnx(made.network, made.pictures.shape, place, opset)
        note(place, {name: str(value) for name, value in counted.items()})

    try:
        write_whole(path, written)
        generator = torch.Generator().manual_seed(0)
        random = [torch.randn(n, *made.pictures.shape, generator=generator) for n in BATCHES]
        on_random = compare_onnx(path, made.network, random)
        return on_random, None if made.real is None else compare_onnx(path, made.network, [made.real])
    except DataError:
        path.unlink(missing_ok=True)
        raise


def _write(path: Path, text: str) -> None:
    write_text(path, text)
