"""Networks that cannot be cut, by what their modules hold: found before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from nas.core.errors import ConfigError

# hooks that compute a layer's weights before each pass, and the call that ends this
_COMPUTED = {
    WeightNorm: "torch.nn.utils.remove_weight_norm({module}, {name!r})",
    SpectralNorm: "torch.nn.utils.remove_spectral_norm({module}, {name!r})",
    BasePruningMethod: "torch.nn.utils.prune.remove({module}, {name!r})",
}


def check_network(network: nn.Module) -> None:
    """Raises `ConfigError` for a network that cannot be cut or tuned, with the module and the remedy.

    Refused are TorchScript, shared parameters, weights that a hook computes, other types than float32, tensors that are neither parameters nor buffers, and networks that are frozen as a whole.
    """
    if any(isinstance(part, torch.jit.ScriptModule) for part in network.modules()):
        raise ConfigError("a TorchScript module cannot be cut: give the Python module from which it was made")
    _check_unshared(network)
    known = {id(tensor) for tensor in (*network.parameters(), *network.buffers())}
    for path, module in network.named_modules():
        where = (
            f"module {path!r} ({type(module).__name__})" if path else f"the network ({type(module).__name__})"
        )
        _check_uncomputed(where, path, module)
        _check_registered(where, module, known)
    _check_types(network)
    parameters = list(network.parameters())
    if parameters and not any(p.requires_grad for p in parameters):
        raise ConfigError(
            "the whole network is frozen (requires_grad=False), so smaller ones could not be tuned: call requires_grad_(True) on it, or on the parts to tune"
        )


def frozen(network: nn.Module) -> list[str]:
    """The outermost modules whose parameters are all frozen (requires_grad=False)."""
    found: list[str] = []
    for path, module in network.named_modules():
        parameters = list(module.parameters())
        inside = any(not outer or path.startswith(f"{outer}.") for outer in found)
        if parameters and not inside and not any(p.requires_grad for p in parameters):
            found.append(path)
    return found


def _check_unshared(network: nn.Module) -> None:
    known: dict[int, str] = {}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        other = known.setdefault(id(parameter), name)
        if other != name:
            raise ConfigError(
                f"parameters {other!r} and {name!r} are one tensor: a network with shared parameters cannot be cut; give each layer its own weights"
            )


def _check_uncomputed(where: str, path: str, module: nn.Module) -> None:
    for hook in module._forward_pre_hooks.values():
        for kind, remedy in _COMPUTED.items():
            if isinstance(hook, kind):
                name = getattr(hook, "name", None) or getattr(hook, "_tensor_name", "weight")
                call = remedy.format(
                    module=f"network.get_submodule({path!r})" if path else "network", name=name
                )
                raise ConfigError(
                    f"{where}: {kind.__module__} computes its {name!r} before each pass, and such a layer cannot be copied: call {call} "
                    "first, which keeps the computed weights"
                )


def _check_registered(where: str, module: nn.Module, known: Collection[int]) -> None:
    for name, value in vars(module).items():
        if name.startswith("_") and name in _OF_MODULES:
            continue
        if any(t.dim() and id(t) not in known for t in _tensors(value)):  # a number works on every device
            call = f"self.register_buffer({name!r}, ...)"
            raise ConfigError(
                f"{where} keeps a tensor in its attribute {name!r}, which is neither a parameter nor a buffer: it would be "
                f"neither cut nor moved to another device; register it by {call}, or remove it"
            )


_OF_MODULES = frozenset(vars(nn.Module()))  # its own parameters, buffers, children and hooks


def _tensors(value: object) -> Iterator[Tensor]:
    """A value that is a tensor, or those in a list, tuple or dictionary."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        yield from (one for one in value if isinstance(one, Tensor))
    elif isinstance(value, dict):
        yield from (one for one in value.values() if isinstance(one, Tensor))


def _check_types(network: nn.Module) -> None:
    for name, parameter in network.named_parameters():
        if parameter.is_meta:
            raise ConfigError(
                f"parameter {name!r} is on the meta device, without values: build the network on the CPU"
            )
        if parameter.dtype != torch.float32:
            kind = str(parameter.dtype).removeprefix("torch.")
            raise ConfigError(
                f"parameter {name!r} is of type {kind}, but networks are tuned and measured in float32: convert the whole network by .float()"
            )
