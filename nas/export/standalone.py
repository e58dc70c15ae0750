"""A Python file that builds a trained network with only PyTorch and checks itself."""

from __future__ import annotations

import copy
import math
import types
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.export.calls import Call, Expression, NotExportable, plain, quoted
from nas.export.source import Source

TOLERANCE = 1e-6  # of the largest output, between the network and that of the file
SHOWN = 8  # outputs compared by the file's check
_TAKEN = ("build", "load", "check", "given", "Parts", "IMAGE", "MEAN", "STD", "CLASSES", "EXPECTED")


@dataclass(frozen=True)
class ImageSpec:
    """The input of a network: image shape, normalisation by channel, class names."""

    shape: tuple[int, int, int]  # channels, height, width
    mean: tuple[float, ...]  # in units of the stored pixels
    std: tuple[float, ...]
    class_names: tuple[str, ...]


def probe(shape: tuple[int, int, int], batch: int = 2) -> Tensor:
    """Reproducible images (batch, *shape): sines of the positions."""
    count = batch * math.prod(shape)
    return torch.sin(torch.arange(count, dtype=torch.float64)).float().reshape(batch, *shape)


def standalone(network: nn.Module, images: ImageSpec, about: str) -> str:
    """The text of the file. `about` describes the network at its top.

    The network is in evaluation mode, on the CPU, and returns one tensor. Raises `NotExportable` if a part cannot be
    written or the built network gives other outputs.
    """
    network = copy.deepcopy(network).eval()
    _check_untied(network)
    source = Source(_TAKEN)
    try:
        call = source.write(network)
        body = source.definitions()
    except NotExportable as error:
        raise NotExportable(f"cannot write network.py: {error}") from None
    expected = outputs(network, probe(images.shape))
    text = _file(about, source, body, call, images, expected)
    difference = _difference(text, network, expected, images)
    if not difference <= TOLERANCE:
        raise NotExportable(
            f"cannot write network.py: the outputs of its network differ by {difference:.3g}; the forward pass must "
            f"depend only on layers and plain values"
        )
    return text


def outputs(network: nn.Module, images: Tensor) -> Tensor:
    """The output of a network in evaluation mode. Raises `NotExportable` unless it is one tensor."""
    with torch.no_grad():
        given = network(images)
    if not isinstance(given, Tensor):
        raise NotExportable(f"the network returns a {type(given).__name__}; expected one tensor")
    return given


def largest_difference(first: Tensor, second: Tensor) -> float:
    """The largest difference of two tensors relative to the largest entry; infinite for different shapes."""
    if first.shape != second.shape:
        return math.inf
    return float((first - second).abs().max() / first.abs().max().clamp_min(1e-12))


def _check_untied(network: nn.Module) -> None:
    names = [name for name, _ in network.named_parameters(remove_duplicate=False)]
    if len(names) != len(list(network.parameters())):
        raise NotExportable("cannot write network.py: two layers share one weight")


def _difference(text: str, network: nn.Module, expected: Tensor, images: ImageSpec) -> float:
    """The difference between the file's network and this one, with the same weights."""
    module = types.ModuleType("network")
    try:
        exec(compile(text, "network.py", "exec"), vars(module))
        built = module.build()
        built.load_state_dict(network.state_dict())
        return largest_difference(expected, outputs(built.eval(), probe(images.shape)))
    except NotExportable:
        raise
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else ""
        raise NotExportable(
            f"cannot write network.py: its network does not run ({type(error).__name__}: {reason})"
        ) from error


def _file(
    about: str, source: Source, body: list[str], call: Expression, images: ImageSpec, expected: Tensor
) -> str:
    built = call.laid_out(1, len("return ")) if isinstance(call, Call) else call
    first = [float(f"{x:.6g}") for x in expected.flatten()[:SHOWN].tolist()]
    head = "\n".join(
        [
            f"IMAGE = {plain(images.shape)}  # channels, height, width",
            f"MEAN = {plain(images.mean)}  # of the stored pixels, by channel",
            f"STD = {plain(images.std)}",
            Call("CLASSES = ", tuple(("", plain(n)) for n in images.class_names), ("[", "]")).laid_out(),
            "# First outputs of the trained network on the images of `check`.",
            f"EXPECTED = {plain(first)}",
        ]
    )
    whole = "\n\n\n".join([*body, f"def build():\n    {_BUILD}\n    return {built}"])
    ordered = ["from collections import OrderedDict"] * ("OrderedDict(" in whole)
    imports = _imports([*source.imports(), *ordered])
    top = "\n\n".join([quoted(about), "from __future__ import annotations", imports, head])
    return "\n\n\n".join([top, whole, _USE]) + "\n"


def _imports(lines: list[str]) -> str:
    """The import lines of the file: those of the standard library, then those of torch."""
    needed = {"import math", "import sys", "import torch", "from torch import Tensor, nn", *lines}
    order = sorted(needed, key=lambda line: (line.startswith("from"), line))
    ours = [line for line in order if line.split()[1].split(".")[0] == "torch"]
    return "\n".join([*(line for line in order if line not in ours), "", *ours])


_BUILD = '"""The network with its initial weights; `load` loads the trained ones."""'
_USE = '''def load(path="weights.pt"):
    """The trained network in evaluation mode, for images (b, *IMAGE) as (pixels - MEAN) / STD."""
    network = build()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval()


def check(path="weights.pt"):
    """Run the network on fixed images and compare its outputs with those at the export."""
    size = 2 * math.prod(IMAGE)
    images = torch.sin(torch.arange(size, dtype=torch.float64)).float().reshape(2, *IMAGE)
    with torch.no_grad():
        outputs = load(path)(images)
    expected = torch.tensor(EXPECTED)
    difference = (outputs.flatten()[: len(expected)] - expected).abs().max().item()
    return tuple(outputs.shape), difference / max(1e-12, expected.abs().max().item())


if __name__ == "__main__":
    shape, difference = check(*sys.argv[1:2])
    print(f"images {(2, *IMAGE)} give {shape}; largest difference {difference:.1e} of the largest output")
    sys.exit(0 if difference < 1e-4 else "The outputs of the network differ from those at the export.")'''
