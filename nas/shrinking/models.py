"""The network to shrink, as a config names it: a function of yours, a listed network, or an architecture of a space."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nas.core.errors import ConfigError
from nas.core.network_names import CELL, MUXNET, OWN
from nas.core.plugins import find, registry
from nas.core.space import can_build, for_task, parsed
from nas.core.task_spec import TaskSpec
from nas.core.tracebacks import called, summarize_exception
from nas.pruning.checks import check_network
from nas.spaces.making import make_space
from nas.training.evaluator import HasResolution

AnyModel = str | Mapping[str, Any]
_FORMS = (
    "expected file.py:function, a listed network (nas list models), a MUXNet text, SPACE:ARCHITECTURE, or a mapping of space and "
    "architecture"
)


def normal_model(model: Any) -> AnyModel:
    """The model as a config records it: `SPACE:ARCHITECTURE` becomes a mapping of `space` and `architecture`.

    Raises `ConfigError` for anything but a text or such a mapping.
    """
    if isinstance(model, Mapping):
        if set(model) != {"space", "architecture"}:
            raise ConfigError(f"model: {_FORMS}, got {dict(model)!r:.200}")
        return {"space": _part(model["space"]), "architecture": str(model["architecture"])}
    if not isinstance(model, str) or not model.strip():
        raise ConfigError(f"model: {_FORMS}, got {model!r:.200}")
    if CELL.fullmatch(model):
        return {"space": {"name": "nasbench101"}, "architecture": model}
    first, colon, rest = model.partition(":")
    if colon and not MUXNET.match(model):
        if first in registry("space"):
            return {"space": {"name": first}, "architecture": rest}
        own = OWN.fullmatch(model)
        if own is not None:
            return {"space": {"name": own[1]}, "architecture": own[2]}
    return model


def _part(space: Any) -> dict[str, Any]:
    part = {"name": space} if isinstance(space, str) else space
    if not isinstance(part, Mapping) or not isinstance(part.get("name"), str):
        raise ConfigError(f"model: space: expected a name, or a mapping with `name`, got {space!r:.200}")
    return dict(part)


def recipe_of_model(model: AnyModel, recipe: Any, base: Path | None = None) -> Any:
    """The settings of a recipe with the image side of the model, if that is an architecture which defines one and they have none."""
    given = {} if recipe is None else recipe
    if not isinstance(model, Mapping) or not isinstance(given, Mapping) or given.get("resolution"):
        return recipe
    part = dict(model["space"])
    space = make_space(str(part.pop("name")), part, base)
    if not isinstance(space, HasResolution):
        return recipe
    side = space.resolution(parsed(space, str(model["architecture"])))
    return recipe if side is None else {**given, "resolution": side}


def built_model(model: Any, task: TaskSpec, base: Path | None = None) -> nn.Module:
    """The network for the channels, classes and image size of `task`, with its own first weights.

    Relative file names start at `base`. Raises `ConfigError` for an unknown model, one that cannot be built, and one that does not
    return a number for each class of the data.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = _builder(normal_model(model), task, base)()
    return checked_network(network, task, str(model))


def _builder(model: AnyModel, task: TaskSpec, base: Path | None) -> Callable[[], Any]:
    sizes = {"num_classes": task.num_classes, "in_channels": task.in_channels}
    if isinstance(model, Mapping):
        part = dict(model["space"])
        space = make_space(str(part.pop("name")), part, base)
        if not can_build(space):
            raise ConfigError(f"model: space {space.name!r} builds no networks")
        built: Any = for_task(space, task)
        architecture = parsed(built, str(model["architecture"]))
        return lambda: built.build(architecture, **sizes)
    if ":" in model and not MUXNET.match(model):
        function = find("model", model, base)
        return lambda: called_with(function, sizes, f"model {model}")
    from search_spaces.networks import network_builder

    return lambda: network_builder(model, task.image_size)(**sizes)


def called_with(function: Any, sizes: Mapping[str, int], what: str) -> Any:
    """The result of a function or class, called with those of `sizes` that it takes by keyword. Raises `ConfigError`."""
    if isinstance(function, nn.Module):
        return function
    if not callable(function):
        raise ConfigError(
            f"{what}: expected a function that returns a network, got {type(function).__name__}"
        )
    try:
        known = inspect.signature(function).parameters
    except (TypeError, ValueError):
        known = {}  # type: ignore[assignment]
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    any_name = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())
    given = {
        name: value
        for name, value in sizes.items()
        if (known[name].kind in kinds if name in known else any_name)
    }
    return called(what, function, **given)


def checked_network(network: Any, task: TaskSpec, name: str) -> nn.Module:
    """The network in evaluation mode. Raises `ConfigError` unless it can be cut and returns one number for each class of the data."""
    if not isinstance(network, nn.Module):
        raise ConfigError(f"model {name}: expected a torch.nn.Module, got {type(network).__name__}")
    if task.image_size is None:
        raise ConfigError(
            "model: the images have several sizes; set their side, evaluator.recipe.resolution (in Python: recipe)"
        )
    check_cuttable(network, name)
    network.eval()
    images = torch.zeros(1, task.in_channels, *task.image_size)
    tensor = next(network.parameters(), images)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            output = network(images.to(tensor.device))
    except Exception as error:
        raise ConfigError(
            f"model {name}: the forward pass fails for images of shape {tuple(images.shape)} ({task}): "
            f"{summarize_exception(error)}; let the function take in_channels and num_classes"
        ) from error
    expected = (1, task.num_classes)
    if not isinstance(output, torch.Tensor):
        raise ConfigError(
            f"model {name}: expected a tensor of shape {expected} as output, got {type(output).__name__}"
        )
    if tuple(output.shape) != expected:
        raise ConfigError(
            f"model {name}: its output for an image has shape {tuple(output.shape)}, but the data have {task.num_classes} classes: "
            f"expected {expected}; let the function take num_classes, and train the network for these classes"
        )
    return network


def check_cuttable(network: nn.Module, name: str) -> None:
    """`nas.pruning.checks.check_network`, with the model's name in the error."""
    try:
        check_network(network)
    except ConfigError as error:
        raise ConfigError(f"model {name}: {error}") from None


def means_path(model: str) -> bool:
    """Whether a text can only be meant as a path."""
    from search_spaces.networks import LISTED_NETWORKS

    if ":" in model or MUXNET.match(model) or CELL.fullmatch(model) or model in LISTED_NETWORKS:
        return False
    return "/" in model or os.sep in model or Path(model).exists() or model.endswith(".py")
