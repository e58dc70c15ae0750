"""The files that a training owns in its folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nas.core.json_text import read_json
from nas.core.owned import Manifest, OwnedFiles, open_folder, present

KIND = "training"
NETWORK = "network.json"  # further files of `nas train`
FILES = ("config.json", "log.csv", "checkpoint.pt", "weights.pt", "result.json")
_SAYS = (("config.json", {"seed", "data", "recipe"}), (NETWORK, {"schema", "network", "space"}))


def training_files(out: Path) -> OwnedFiles:
    """The files of the training in `out`, begun or new; changes nothing.

    Raises `ForeignFileError` when the folder holds files but no training.
    """
    return open_folder(
        out, KIND, earlier=_earlier, advice="choose another folder with --out (out_dir in Python)"
    )


def is_training(folder: Path) -> bool:
    """Whether a folder holds a training, finished or not."""
    return Manifest.there(folder, KIND) or bool(_earlier(folder))


def _earlier(folder: Path) -> Iterable[str]:
    """Files of a training written by a version that kept no list of them."""
    for name, keys in _SAYS:
        try:
            values = read_json((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(values, dict) and keys <= values.keys():
            return present(folder, [*FILES, NETWORK])
    return ()
