"""Write an export's folder: weights, a file that needs only PyTorch, ONNX, a drawing, a model card."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nas.core.errors import ConfigError, DataError, ForeignFileError
from nas.core.files import absolute, check_no_links, make_folder
from nas.core.json_text import read_json
from nas.core.owned import OwnedFiles, check_empty, present
from nas.core.space import SearchSpace
from nas.export.card import Facts, card, counts
from nas.export.making import Made, Run, from_kept
from nas.export.onnx_file import compare_onnx, missing_packages, note, opset_of, write_onnx
from nas.export.origin import Origin, of_search
from nas.export.picks import KNEE, Pick, choose
from nas.export.standalone import standalone
from nas.spaces.modules import in_use
from nas.training.folder import is_training
from nas.training.from_config import trained_on

SCHEMA = 1
TRAINING = "training"  # subfolder of a full training
FOLDER = "export"  # default subfolder of the run
INDEX, WEIGHTS, NETWORK, ONNX, DRAWING, CARD = (
    "export.json",
    "weights.pt",
    "network.py",
    "network.onnx",
    "network.svg",
    "README.md",
)
_FILES = (INDEX, WEIGHTS, NETWORK, ONNX, DRAWING, CARD)
BATCHES = (1, 2, 5)  # batch sizes of random images to compare ONNX on


@dataclass(frozen=True)
class Exported:
    """A written export; differences are relative to the largest output, None without a comparison."""

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
    data: Any = None,
    training: Mapping[str, Any] | None = None,
    onnx: bool = True,
    force: bool = False,
    opset: int | None = None,
    trust: bool = False,
) -> list[Exported]:
    """Export networks of a run with the weights kept by its search, one folder each, like `nas export`.

    `picks` as for `--pick`, `out` None is `RUN/export`. `space`, and `data` and `training` or `evaluate` as
    in `nas.search`, are needed only if the run was started from Python. `trust` imports code that the run's config names and you have not run before.
    `opset` is the version of ONNX's operator set (None: torch's default). Raises `ConfigError` for a pick without a match,
    an occupied folder or a network that cannot be a standalone file, `DataError` if weights or data are missing.
    """
    if space is not None and evaluate is None and (data, training) != (None, None):
        evaluate = trained_on(data, training, space)
    whole = Run.read(absolute(run), space, evaluate, trust=trust)
    chosen = choose(whole.table, picks)
    places = places_of(whole.folder, None if out is None else absolute(out), chosen, force)
    command = f"nas.export_run({str(run)!r}, {list(picks)!r})"
    exported = []
    for each, place in zip(chosen, places, strict=True):
        made = from_kept(whole, each)
        exported.append(write(of_search(whole, each, made), made, place, command, onnx, warnings.warn, opset))
    return exported


def places_of(run: Path, out: Path | None, chosen: Sequence[Pick], force: bool) -> list[Path]:
    """The folder of each network's export. Raises as `check_free`, and for a folder behind a link."""
    base = run if out is None else out
    places = [(run / FOLDER if out is None else out) / each.name for each in chosen]
    for place in places:
        check_no_links(place, base)
        check_free(place, force)
    return places


def check_free(folder: Path, force: bool) -> None:
    """Check that an export can be written to a folder, changing nothing.

    Raises `ForeignFileError` if it holds other files, `ConfigError` if it holds a complete export without `force`
    or is read-only.
    """
    if folder.exists() and not folder.is_dir():
        raise ForeignFileError(f"{folder} is a file; choose another folder with --out, or move the file")
    files = export_files(folder)
    if not force and _index(folder).get("complete"):
        raise ConfigError(
            f"{folder} already holds an export; overwrite it with --force or choose another with --out"
        )
    try:
        files.check(_FILES)
    except OSError as error:
        raise ConfigError(
            f"{error.filename}: cannot be written ({error.strerror}); allow writing (chmod u+w) or choose another folder "
            "with --out"
        ) from None


def export_files(folder: Path) -> OwnedFiles:
    """The files of the export in a folder. Raises `ForeignFileError` if it holds other files."""
    names = _Index(folder)
    if not names.names():
        trained = [f"{TRAINING}/"] if is_training(folder / TRAINING) else []
        check_empty(folder, trained, "export", "choose another folder with --out")
    return OwnedFiles(folder, names, "export")


class _Index:
    """The names of an export's files, listed in its `export.json`, which is written before them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> frozenset[str]:
        index = _index(self._folder)
        if not {"schema", "complete", "weights"} <= index.keys():
            return frozenset()
        listed = index.get("files")
        if not isinstance(listed, list):  # interrupted, in a version that listed them at the end
            listed = present(self._folder, _FILES)
        return frozenset([INDEX, *(name for name in listed if isinstance(name, str))])

    def add(self, names: Iterable[str]) -> None:
        """Do nothing: `write` puts the names into the index."""


def _index(folder: Path) -> dict[str, Any]:
    try:
        values = read_json((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def write(
    origin: Origin,
    made: Made,
    folder: Path,
    command: str,
    onnx: bool,
    tell: Callable[[str], None],
    opset: int | None = None,
) -> Exported:
    """Write an export; the next call rewrites an interrupted one.

    Without the packages of the extra `onnx`, skip that file with a notice. Raises `NotExportable` for a network that
    cannot be a standalone file, `DataError` if the outputs of ONNX differ.
    """
    made = dataclasses.replace(made, network=in_use(made.network))
    use = f'It needs only PyTorch: load("{WEIGHTS}") returns the network, `python {NETWORK} {WEIGHTS}` checks it.'
    text = standalone(made.network, made.images, f"{origin.about}\n\n{use}")
    make_folder(folder)
    files = export_files(folder)
    planned = [
        WEIGHTS,
        NETWORK,
        CARD,
        *([] if origin.drawing is None else [DRAWING]),
        *([ONNX] if onnx else []),
    ]
    known = {*planned, *files.recorded()} - {INDEX}
    index: dict[str, Any] = {
        "schema": SCHEMA,
        "complete": False,
        **origin.index,
        "weights": made.weights,
        "input": list(made.images.shape),
        **counts(origin, made),
        **({} if made.data is None else {"data": made.data.text}),
    }
    files.check([INDEX, *planned])
    files.write_text(INDEX, json.dumps({**index, "files": sorted(known)}, indent=2) + "\n")
    files.write_stream(WEIGHTS, lambda file: torch.save(made.network.state_dict(), file))
    files.write_text(NETWORK, text)
    if origin.drawing is not None:
        files.write_text(DRAWING, origin.drawing)
    compared = _onnx(made, files, tell, opset, counts(origin, made)) if onnx else None
    if compared is None:
        files.remove(ONNX)
    exported = Exported(folder, *(compared or (None, None)))
    facts = Facts(origin, made, command, exported.onnx_random, exported.onnx_real)
    files.write_text(CARD, card(facts))
    if compared is not None:
        index["opset"] = opset_of(folder / ONNX)
    written = [f for f in (WEIGHTS, NETWORK, ONNX, DRAWING, CARD) if f in known and (folder / f).is_file()]
    files.write_text(INDEX, json.dumps({**index, "complete": True, "files": written}, indent=2) + "\n")
    return exported


def _onnx(
    made: Made, files: OwnedFiles, tell: Callable[[str], None], opset: int | None, counted: Mapping[str, int]
) -> tuple[float, float | None] | None:
    """The largest differences on random and real images; None if the packages are missing."""
    missing = missing_packages()
    if missing:
        tell(
            f"no {ONNX}: {', '.join(missing)} not installed; install them with pip install 'multiobjective-nas[onnx]', "
            f"or use --no-onnx"
        )
        return None
    path = files.folder / ONNX

    def written(place: Path) -> None:
        write_onnx(made.network, made.images.shape, place, opset)
        note(place, {name: str(value) for name, value in counted.items()})

    try:
        files.write_whole(ONNX, written)
        generator = torch.Generator().manual_seed(0)
        random = [torch.randn(n, *made.images.shape, generator=generator) for n in BATCHES]
        on_random = compare_onnx(path, made.network, random)
        return on_random, None if made.real is None else compare_onnx(path, made.network, [made.real])
    except DataError:
        files.remove(ONNX)
        raise
