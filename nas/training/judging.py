"""Load weights from a file into a network, and evaluate it: accuracy, and seconds per image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas.core.errors import DataError
from nas.core.text import command
from nas.core.tracebacks import why_not_loaded
from nas.training.data.account import announce
from nas.training.evaluator import reproducible
from nas.training.fresh import with_shapes
from nas.training.latency import LatencySettings, time_in_turns
from nas.training.recipe import Recipe
from nas.training.task import Classification, Scored, Task

SCHEMA = 1
_PLACES = ("average", "network", "state_dict")  # in our files; the moving average is preferred
_COUNTER = "num_batches_tracked"
_ANCHORS = "anchors"  # an exported detector stores its boxes; the detector itself computes them
_TIMING = LatencySettings(rounds=30, warm_up=5, extensions=0)

Build = Callable[..., nn.Module]  # (num_classes=, in_channels=)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A network on the test images; `latency` is the median of the seconds for one image on one thread."""

    score: Scored
    class_names: tuple[str, ...]
    latency: float


def read_state(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a file that a training, an export or `nas weights convert` wrote, by name, on the CPU.

    No code in the file is run. Raises `DataError` when it is missing, damaged, or not in one of our formats.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError(f"weights {path}: not found") from None
    except Exception as error:  # torch raises many kinds on damaged files
        raise DataError(
            f"weights {path}: cannot be read as a file of tensors ({why_not_loaded(error)})"
        ) from None
    if isinstance(content, Mapping) and content and all(isinstance(v, Tensor) for v in content.values()):
        state = {str(name): tensor for name, tensor in content.items()}  # the format of an export
        state.pop(_ANCHORS, None)
        return state
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise DataError(
            f"weights {path}: expected schema {SCHEMA}, got {schema}; convert a checkpoint of "
            f"MUXNet's authors with: {command('nas', 'weights', 'convert', Path(path))}"
        )
    assert isinstance(content, dict)
    kept = next((content[place] for place in _PLACES if isinstance(content.get(place), Mapping)), None)
    if kept is None:
        raise DataError(f"weights {path}: expected tensors under one of {', '.join(_PLACES)}; got none")
    return dict(kept)


def put_weights(network: nn.Module, path: str | Path, *, other_classes: bool = False) -> bool:
    """Load a file's weights into `network`; return whether all of them are used.

    With `other_classes`, a last linear layer of another size stays unchanged (for a training that continues with
    other classes). Raises `DataError` naming the first tensor that does not fit.
    """
    return put_state(network, read_state(path), path, other_classes=other_classes)


def put_state(
    network: nn.Module, theirs: dict[str, Tensor], path: str | Path, *, other_classes: bool = False
) -> bool:
    """Load tensors by name, read from `path`, into `network`; arguments and result as in `put_weights`.

    Counters of batches that older files lack stay unchanged. Raises `DataError` naming the first tensor that does not fit.
    """
    ours = network.state_dict()
    theirs = {n: t for n, t in ours.items() if n.endswith(_COUNTER) and t.ndim == 0} | theirs
    last = _last_linear(network) if other_classes else ""
    kept = {name for name in ours if last and name.rpartition(".")[0] == last}
    whole = all(name in theirs and theirs[name].shape == ours[name].shape for name in kept)
    if not whole:
        theirs |= {name: ours[name] for name in kept}
    for name, tensor in ours.items():
        if name not in theirs:
            raise DataError(f"weights {path}: tensor {name} {tuple(tensor.shape)} is missing: {_OTHER}")
        if theirs[name].shape != tensor.shape:
            raise DataError(
                f"weights {path}: tensor {name}: expected shape {tuple(tensor.shape)}, got "
                f"{tuple(theirs[name].shape)}: {_OTHER}"
            )
    extra = next((name for name in theirs if name not in ours), None)
    if extra is not None:
        shape = tuple(theirs[extra].shape)
        raise DataError(f"weights {path}: tensor {extra} {shape} has no place in the network: {_OTHER}")
    network.load_state_dict(theirs)
    return whole


_OTHER = "the weights belong to another network, or to other classes or channels"


def _last_linear(network: nn.Module) -> str:
    names = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    return names[-1] if names else ""


def starting_from(build: Build, path: Path, tell: Callable[[str], None]) -> Build:
    """The same builder, with networks that start from the weights in `path`; reports a classifier that does not."""

    def begun(**sizes: Any) -> nn.Module:
        network = build(**sizes)
        if not put_weights(network, path, other_classes=True):
            tell(f"the classifier starts from random weights: those in {path} are for other classes")
        return network

    return begun


def judge_weights(
    build: Build,
    data: Any,
    path: Path,
    resolution: int | None,
    threads: int | None = None,
    task: Task | None = None,
) -> Judgement:
    """Evaluate the weights in `path` on the test images, resized to `resolution` (None: as stored).

    Raises `DataError` when there is no test image, or the weights or the data cannot be read.
    """
    where = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    task = task or Classification()
    prepared = task.prepare(data, Recipe(resolution=resolution), where)
    announce(prepared.account)
    if not len(prepared.test):
        raise DataError(f"data {data}: there is no test image to evaluate on")
    network = build(num_classes=prepared.num_classes, in_channels=prepared.in_channels)
    with_shapes(network, lambda: prepared.example().shape)
    put_weights(network, path)
    network.to(where).eval()
    with reproducible(threads or torch.get_num_threads(), where):
        score = task.judge(network, prepared.test, prepared, nullcontext)
    image, _ = next(iter(prepared.test.batches([torch.zeros(1, dtype=torch.long)], None)))
    return Judgement(score, prepared.class_names, latency(network.to("cpu"), image.cpu()))


def latency(network: nn.Module, batch: Tensor) -> float:
    """Median seconds of a forward pass, on the CPU with one thread, after a short warm-up."""

    def run() -> object:
        with torch.inference_mode():
            return network(batch)

    return time_in_turns({"network": run}, _TIMING)["network"].median
