"""What a supernet belongs to: its space, data, recipe and settings; and which spaces and data it serves."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nas.core.code_files import code_of
from nas.core.errors import ConfigError
from nas.core.files import absolute
from nas.core.space import SearchSpace, for_task
from nas.core.task_spec import TaskSpec
from nas.sharing.extremes import sampler
from nas.sharing.layout import Entries, HasSharedEntries, Places
from nas.sharing.settings import SupernetSettings
from nas.sharing.supernet import on_meta
from nas.spaces.space import Space
from nas.training.data import load
from nas.training.data.account import NOTICES
from nas.training.data.base import Pictures, Splits
from nas.training.recipe import Recipe

SCHEMA = 1
SAMPLED = 16  # networks, and images of a part that is not in memory
MOST_BYTES = 256 * 2**20  # of the images of a part that are all read
REMEDY = "choose another folder, or delete this one to train a new supernet there"

_OFF: dict[str, Any] = {
    "shrink": 0.0,
    "smallest": False,
    "limits": [],
}  # settings that are recorded where they have an effect
_OF_SUPERNET = {  # parts of the recipe that differ from those of a candidate
    "lr": "supernet: {lr: ...}, or three times the recipe's",
    "epochs": "supernet: {epochs: ...}, or ten times the recipe's",
}
_CONTENT = ("fixed", "networks", "images", "code")  # earlier versions recorded none of these
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")  # of a function or an object in a text

Identity = dict[str, Any]  # plain values


def identity(
    space: SearchSpace, data: Any, recipe: Recipe, task: TaskSpec, settings: SupernetSettings
) -> Identity:
    """What a supernet belongs to; equal for trainings that give the same weights. Raises `DataError` for unreadable data."""
    optional = {
        "shrink": settings.shrink,
        "smallest": settings.smallest,
        "limits": sorted(settings.limits or ()),
    }
    return {
        "schema": SCHEMA,
        **belonging(space, task, data),
        "code": code_digest(space),
        "recipe": {**dataclasses.asdict(recipe), "augment": list(recipe.augment)},
        "random": settings.random,
        "seed": settings.seed,
        **{name: value for name, value in optional.items() if value != _OFF[name]},
    }


def belonging(space: SearchSpace, task: TaskSpec, data: Any = None) -> Identity:
    """The space, task and data of a supernet, whatever its training; without `data` those of any."""
    fixed = sorted([int(gene), int(value)] for gene, value in space.fixed_genes.items())
    return {
        "space": space.name,
        "cardinalities": list(map(int, space.cardinalities)),
        "task": task.as_json(),
        **({} if data is None else {"data": repr(data)}),
        **({"fixed": fixed} if fixed else {}),
        "networks": networks_digest(for_task(space, task), task),
        **({} if data is None else {"images": images_digest(load(data))}),
    }


def folder_name(about: Identity) -> str:
    """The name of a supernet's folder: its space, and a key of everything that it belongs to."""
    return f"{about['space']}-{_digest(json.dumps(about, sort_keys=True))}"


def networks_digest(space: SearchSpace, task: TaskSpec) -> str:
    """A digest of 16 random networks of the space, always the same: names and shapes of their parameters, their places in the shared tensors, and the layers as text."""
    rng, draw, places = np.random.default_rng(0), sampler(space), Places(space)
    parts: list[Any] = []
    with torch.random.fork_rng(devices=[]):
        for architecture in [draw(rng) for _ in range(SAMPLED)]:
            torch.manual_seed(0)
            network = on_meta(space, task, architecture)
            parts += [
                list(map(int, architecture.genes)),
                [
                    [n, list(p.shape), places.name(architecture, n), _plain(places.entries(architecture, n))]
                    for n, p in network.named_parameters()
                ],
                [[n, list(b.shape)] for n, b in network.named_buffers()],
                _ADDRESS.sub("", repr(network)),
            ]
    return _digest(json.dumps(parts))


def _plain(entries: Entries) -> list[Any]:
    return [
        [x.start, x.stop] if isinstance(x, slice) else None if x is None else np.asarray(x).tolist()
        for x in entries
    ]


def code_digest(space: SearchSpace) -> str:
    """A digest of the code of the space, wherever its files are; "" for a space of the framework."""
    hashes = sorted(code_of([space], absolute(".")).values())
    return _digest(json.dumps(hashes)) if hashes else ""


_KNOWN: dict[int, tuple[Splits, str]] = {}  # by the loaded data, which stay in memory


def images_digest(splits: Splits) -> str:
    """A digest of the classes, labels and pixels of the training and validation images.

    Of images that are decoded on demand, or more than 256 MB, the pixels of 16, evenly spaced.
    """
    found = _KNOWN.get(id(splits))
    if found is None:
        about = hashlib.blake2b(json.dumps(list(map(str, splits.class_names))).encode(), digest_size=6)
        for part in (splits.train, splits.validation):
            about.update(np.asarray(part.labels, dtype="<i8").tobytes())
            for pixels in _some_of(part):
                about.update(f"{pixels.shape}".encode() + np.ascontiguousarray(pixels).tobytes())
        found = _KNOWN[id(splits)] = splits, about.hexdigest()
    return found[1]


def _some_of(part: Pictures) -> Iterable[Any]:
    if part.images is not None and part.images.nbytes <= MOST_BYTES:
        return [part.images]
    places = np.linspace(0, len(part) - 1, min(SAMPLED, len(part))).round().astype(np.int64)
    return (part.take(places[i : i + 1], None, None) for i in range(len(places)))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


# -- comparing


def check_same(folder: Path, found: Identity, asked: Identity, space: SearchSpace) -> None:
    """Raise `ConfigError` unless the supernet in `folder`, recorded as `found`, is that of the training `asked`."""
    _check_values(folder, {**_OFF, **found}, {**_OFF, **asked})
    if not _is_earlier(found) and found.get("fixed", []) != asked.get("fixed", []):
        raise _other_fixed(folder, found, asked, space)
    _check_content(folder, found, asked, space)


def check_space(folder: Path, found: Identity, space: SearchSpace) -> None:
    """Raise `ConfigError` for a supernet of a space with another name, or other options."""
    asked = {"space": space.name, "cardinalities": list(map(int, space.cardinalities))}
    _check_values(folder, found, asked)


def check_serves(folder: Path, found: Identity, asked: Identity, space: SearchSpace) -> None:
    """Raise `ConfigError` unless the supernet in `folder`, recorded as `found`, serves the networks and data `asked` (`belonging`).

    A supernet serves its space with further fixed parameters too.
    """
    _check_values(folder, found, asked)
    here = asked.get("fixed", [])
    if any(pair not in here for pair in found.get("fixed", [])):
        raise _other_fixed(folder, found, asked, space)
    _check_content(folder, found, asked, space)


def notice_changed_code(folder: Path, found: Identity, space: SearchSpace) -> None:
    """Warn where the code of the space is not that of the supernet's training."""
    if "code" in found and found["code"] != code_digest(space):
        NOTICES.warning(
            "%s: the code of the space has changed since this supernet was trained; train a new one if its networks compute something else",
            folder,
        )


def _is_earlier(found: Identity) -> bool:
    """Whether a record is of a version that recorded neither networks nor images."""
    return "networks" not in found


def _check_values(folder: Path, found: Identity, asked: Identity) -> None:
    images = asked.get("images")
    same_images = images is not None and found.get("images") == images  # whatever the spelling of their path
    for key, value in asked.items():
        if key in _CONTENT or (key == "data" and same_images):
            continue
        if found.get(key) != value:
            raise ConfigError(
                f"{folder} holds a supernet of {_named(key)} {_shown(key, found.get(key), value)}; {REMEDY}"
            )


def _check_content(folder: Path, found: Identity, asked: Identity, space: SearchSpace) -> None:
    """Compare what a record has: networks, if the same parameters are fixed, and images."""
    if _is_earlier(found) and isinstance(space, HasSharedEntries):
        raise other_version(folder, space.name, "its networks shared other entries of the tensors")
    same_fixed = found.get("fixed", []) == asked.get("fixed", [])
    if same_fixed and found.get("networks", asked["networks"]) != asked["networks"]:
        raise other_version(folder, space.name, "its networks had other layers or shapes")
    if "images" in asked and found.get("images", asked["images"]) != asked["images"]:
        raise ConfigError(f"{folder} holds a supernet of other images: their content differs; {REMEDY}")


def other_version(folder: Path, space: str, reason: str) -> ConfigError:
    """The error of a supernet whose space builds other networks now."""
    return ConfigError(f"{folder} holds a supernet of another version of space {space!r}: {reason}; {REMEDY}")


def _other_fixed(folder: Path, found: Identity, asked: Identity, space: SearchSpace) -> ConfigError:
    there, here = (_fixed_text(space, about.get("fixed", [])) for about in (found, asked))
    return ConfigError(
        f"{folder} holds a supernet of a part of the space: its fixed parameters are {there}, those here: {here}; "
        f"fix the same, {REMEDY}"
    )


def _fixed_text(space: SearchSpace, pairs: Sequence[Sequence[int]]) -> str:
    """Fixed genes as `depth=2`; by number in a space without names."""
    genes = space.declaration.genes if isinstance(space, Space) else ()
    texts = [
        f"{genes[i].name}={genes[i].words[v]}"
        if i < len(genes) and v < len(genes[i].words)
        else f"gene {i}={v}"
        for i, v in pairs
    ]
    return ", ".join(texts) or "none"


def _named(key: str) -> str:
    return {
        "cardinalities": "another version of the space: options a gene",
        "task": "other images or classes:",
        "data": "other data:",
        "limits": "other limits:",
        "random": "another number of random networks:",
    }.get(key, f"another {key}:")


def _shown(key: str, found: Any, asked: Any) -> str:
    if isinstance(found, dict) and isinstance(asked, dict):
        differing = [k for k in asked if found.get(k) != asked[k]]
        own = [f"{k}: {said}" for k, said in _OF_SUPERNET.items() if key == "recipe" and k in differing]
        shown = ", ".join(f"{k} {found.get(k)!r} there, {asked[k]!r} here" for k in differing)
        return shown + (f" (of the supernet's training, {'; '.join(own)})" if own else "")
    return f"{found!r:.200} there, {asked!r:.200} here"
