"""Make the cut network: a copy of the original whose tensors have the remaining channels alone."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.pruning.labels import Vector, among
from nas.pruning.structure import Structure

Lost = Callable[[Vector], NDArray[np.bool_]]  # which labels of a vector are cut


def cut(
    network: nn.Module,
    structure: Structure,
    gone: Collection[int],
    removed: Collection[str] = (),
    share: bool = False,
) -> nn.Module:
    """A copy of the network without the units `gone` and the blocks `removed`, with the weights that remain.

    The original is unchanged; with `share` the copy has the same tensors and layers of PyTorch where they stay whole. Tensors on the meta device have shapes alone.
    """
    lost = among(gone)
    memo = _empty_tables(network)
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        if any(name.startswith(f"{block}.") for block in removed):
            memo[id(tensor)] = torch.empty(0)  # not copied
            continue
        memo[id(tensor)] = _remaining(tensor, structure.tensors.get(name, ()), lost, share)
    shared = _whole_layers(network, structure, memo) if share else {}
    memo |= {id(layer): layer for layer in shared.values()}
    made = copy.deepcopy(network, memo)
    for block in removed:
        parent, _, own = block.rpartition(".")
        setattr(made.get_submodule(parent), own, nn.Identity())
    modules = dict(made.named_modules())
    for name, module in modules.items():
        if module is not shared.get(name):
            _set_sizes(module, name in structure.depthwise)
    _resize(modules, structure, lost)
    return made


def _empty_tables(network: nn.Module) -> dict[int, Any]:
    """A memo of `copy.deepcopy` with the copies of modules' empty tables, of which each has a dozen: most of the time of a copy."""
    return {
        id(table): type(table)()
        for module in network.modules()
        for table in vars(module).values()
        if type(table) in (dict, OrderedDict) and not table
    }


def _whole_layers(network: nn.Module, structure: Structure, memo: Mapping[int, Any]) -> dict[str, nn.Module]:
    """By path the layers of PyTorch that stay as they are: nothing of them is cut, and they refer to no other module."""
    resized = {one.module for one in structure.resized}
    return {
        name: module
        for name, module in network.named_modules()
        if type(module).__module__.startswith("torch.nn.modules.")
        and not any(module.children())
        and not module._forward_hooks
        and not module._forward_pre_hooks
        and name not in resized
        and all(memo[id(t)] is t for t in (*module.parameters(), *module.buffers()))
    }


def _remaining(tensor: Tensor, axes: Sequence[Vector], lost: Lost, share: bool) -> Tensor:
    stays = [~lost(units) for units in axes]
    partly = {d: np.flatnonzero(s) for d, s in enumerate(stays) if not s.all()}
    if share and not partly:
        return tensor
    if tensor.is_meta:
        found = tensor.new_empty([len(partly.get(d, range(size))) for d, size in enumerate(tensor.shape)])
    else:
        found = tensor.detach().clone(memory_format=torch.contiguous_format)
        for d, places in partly.items():
            found = found.index_select(d, torch.from_numpy(places).to(found.device))
    return nn.Parameter(found, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else found


def _set_sizes(module: nn.Module, depthwise: bool) -> None:
    """Set the attributes of a layer that describe its tensors."""
    if isinstance(module, nn.modules.conv._ConvNd):
        first, second = module.weight.shape[:2]
        if depthwise:
            module.groups = _groups(module)
        results, arguments = (second, first) if module.transposed else (first, second)
        module.out_channels = results * (module.groups if module.transposed else 1)
        module.in_channels = arguments * (1 if module.transposed else module.groups)
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.modules.batchnorm._NormBase):
        for tensor in (module.weight, module.running_mean):
            if tensor is not None:
                module.num_features = len(tensor)
    elif isinstance(module, nn.LayerNorm) and module.weight is not None:
        module.normalized_shape = tuple(module.weight.shape)
    elif isinstance(module, nn.GroupNorm) and module.weight is not None:
        module.num_channels = len(module.weight)
    elif isinstance(module, nn.PReLU):
        module.num_parameters = len(module.weight)


def _groups(module: Any) -> int:
    """The groups that remain of a convolution whose groups are cut as a whole."""
    channels = (
        module.in_channels if module.transposed else module.out_channels
    )  # of the weights' first dimension
    each: int = channels // module.groups
    return int(module.weight.shape[0]) // each


def _resize(modules: Mapping[str, nn.Module], structure: Structure, lost: Lost) -> None:
    """Set the numbers of channels that modules keep as attributes."""
    for one in structure.resized:
        module, size = modules.get(one.module), int((~lost(one.labels)).sum())
        if module is None:
            continue  # of a removed block
        if one.item is None:
            setattr(module, one.name, size)
        else:
            value = list(getattr(module, one.name))
            value[one.item] = size
            setattr(module, one.name, type(getattr(module, one.name))(value))
