"""Write an export's folder: weights, a file that needs only PyTorch, ONNX files and their script, a drawing, a model card."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nas.core.errors import ConfigError, ForeignFileError
from nas.core.files import absolute, check_no_links, make_folder
from nas.core.json_text import read_json
from nas.core.owned import OwnedFiles, check_empty, present
from nas.core.space import SearchSpace
from nas.deployment.target import Target, read_target
from nas.export.card import Facts, card, counts
from nas.export.making import UNTRAINED, Made, Run, from_kept
from nas.export.models import ONNX, onnx_models
from nas.export.origin import Origin, of_search
from nas.export.picks import KNEE, Pick, choose
from nas.export.quantised import Int8Export, check_int8_run, classifies, target_of
from nas.export.script import SCRIPT, script
from nas.export.standalone import standalone
from nas.spaces.modules import in_use
from nas.training.folder import is_training
from nas.training.from_config import trained_on

SCHEMA = 1
TRAINING = "training"  # subfolder of a full training
FOLDER = "export"  # default subfolder of the run
INDEX, CARD, DRAWING = "export.json", "README.md", "network.svg"
WEIGHTS, NETWORK, INT8 = "weights.pt", "network.py", "network.int8.onnx"
_FILES = (INDEX, WEIGHTS, NETWORK, ONNX, INT8, SCRIPT, DRAWING, CARD)


@dataclass(frozen=True)
class Exported:
    """A written export; differences are relative to the largest output, None without a comparison.

    `int8` has the values of the float and the 8-bit file, None without the latter.
    """

    folder: Path
    onnx_random: float | None
    onnx_real: float | None
    int8: Int8Export | None = None


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
    int8: bool = False,
    target: str | Path | Target | None = None,
    trust: bool = False,
) -> list[Exported]:
    """Export networks of a run with the weights kept by its search, one folder each, like `nas export`.

    `picks` as for `--pick`, `out` None is `RUN/export`. `space`, and `data` and `training` or `evaluate` as
    in `nas.search`, are needed only if the run was started from Python. `trust` imports code that the run's config names and you have not run before.
    `opset` is the version of ONNX's operator set (None: torch's default). `int8` also writes the network in 8 bits, measured for `target`: the
    name of a built-in target, the path of its file, or None for that of the run if it is built in. Raises `ConfigError` for a pick without a match,
    an occupied folder or a network that cannot be a standalone file, `DataError` if weights or data are missing.
    """
    _check_int8(int8, target, onnx)
    if space is not None and evaluate is None and (data, training) != (None, None):
        evaluate = trained_on(data, training, space)
    whole = Run.read(absolute(run), space, evaluate, trust=trust)
    chosen = choose(whole.table, picks)
    places = places_of(whole.folder, None if out is None else absolute(out), chosen, force)
    wanted = _target(whole, target) if int8 else None
    if wanted is not None:
        check_int8_run(whole, wanted)
    command = f"nas.export_run({str(run)!r}, {list(picks)!r})"
    exported = []
    for each, place in zip(chosen, places, strict=True):
        made = from_kept(whole, each)
        origin = of_search(whole, each, made)
        exported.append(write(origin, made, place, command, onnx, warnings.warn, opset, wanted))
    return exported


def _check_int8(int8: bool, target: object, onnx: bool) -> None:
    if target is not None and not int8:
        raise ConfigError("target: requires int8=True")
    if int8 and not onnx:
        raise ConfigError("int8=True and onnx=False contradict each other: remove one")


def _target(run: Run, given: str | Path | Target | None) -> Target:
    if isinstance(given, Target):
        return given
    return target_of(run) if given is None else read_target(str(given))


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
    target: Target | None = None,
) -> Exported:
    """Write an export; the next call rewrites an interrupted one. With a `target`, also in 8 bits (after `check_int8`).

    Without the packages of the extra `onnx`, skip that file with a notice. Raises `NotExportable` for a network that
    cannot be a standalone file, `DataError` if the outputs of ONNX differ.
    """
    made = dataclasses.replace(made, network=in_use(made.network))
    use = f'It needs only PyTorch: load("{WEIGHTS}") returns the network, `python {NETWORK} {WEIGHTS}` checks it.'
    text = standalone(made.network, made.images, f"{origin.about}\n\n{use}")
    models = onnx_models(made, tell, opset, target, counts(origin, made)) if onnx else None
    scripted = None if models is None else _script(origin, made)
    contents: dict[str, str | bytes | None] = {
        NETWORK: text,
        DRAWING: origin.drawing,
        SCRIPT: scripted,
        ONNX: None if models is None else models.float32,
        INT8: None if models is None else models.int8,
    }
    files = _begun(folder, origin, made, [name for name, held in contents.items() if held is not None])
    index = _index(folder)
    files.write_stream(WEIGHTS, lambda file: torch.save(made.network.state_dict(), file))
    for name, content in contents.items():
        _put(files, name, content)
    facts = Facts(origin, made, command, models, scripted is not None)
    files.write_text(CARD, card(facts))
    index |= {} if models is None else models.as_json()
    written = [f for f in _FILES[1:] if f in index["files"] and (folder / f).is_file()]
    files.write_text(INDEX, json.dumps({**index, "complete": True, "files": written}, indent=2) + "\n")
    if models is None:
        return Exported(folder, None, None)
    return Exported(folder, models.on_random, models.on_real, models.export)


def _script(origin: Origin, made: Made) -> str | None:
    """The script of a trained classifier."""
    if made.weights == UNTRAINED or made.reading is None or not classifies(made):
        return None
    return script(made.images, made.reading, f"Classify image files with {origin.name}.")


def _begun(folder: Path, origin: Origin, made: Made, further: Sequence[str]) -> OwnedFiles:
    """The folder's files, with an index of an incomplete export that names those to be written."""
    make_folder(folder)
    files = export_files(folder)
    planned = [WEIGHTS, CARD, *further]
    index: dict[str, Any] = {
        "schema": SCHEMA,
        "complete": False,
        **origin.index,
        "weights": made.weights,
        "input": list(made.images.shape),
        **counts(origin, made),
        **({} if made.data is None else {"data": made.data.text}),
        "files": sorted({*planned, *files.recorded()} - {INDEX}),
    }
    files.check([INDEX, *planned])
    files.write_text(INDEX, json.dumps(index, indent=2) + "\n")
    return files


def _put(files: OwnedFiles, name: str, content: str | bytes | None) -> None:
    """Write a file, or remove that of an earlier export."""
    if content is None:
        files.remove(name)
    elif isinstance(content, str):
        files.write_text(name, content)
    else:
        files.write_whole(name, lambda path: path.write_bytes(content))
