"""Values of an architecture's ONNX graph that are known before training."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

from nas.core.cost_timing import CostFailed
from nas.core.errors import ConfigError
from nas.core.records import Architecture
from nas.core.space import SearchSpace, can_build
from nas.core.task_spec import TaskSpec
from nas.deployment.fitting import unsupported
from nas.deployment.graph import GraphFacts, facts_of
from nas.deployment.onnx_file import NotExportable, check_packages, deployed_model
from nas.deployment.target import GIVE_SIZE, Target

FLOAT_LAYERS = "float_layers"  # attribute of a network: paths of its modules that stay in floating point
_KEPT = 20_000  # facts of one space
_FACTS: WeakKeyDictionary[Any, OrderedDict[Any, GraphFacts]] = WeakKeyDictionary()


def file_size(facts: GraphFacts, target: Target) -> float:
    """Bytes of the float ONNX file."""
    return float(facts.file_size)


def peak_memory(facts: GraphFacts, target: Target) -> float:
    """Bytes of activations that are in memory at once, at the target's precision."""
    return float(facts.peak_memory(target.precision))


def model_size(facts: GraphFacts, target: Target) -> float:
    """Bytes of the weights at the target's precision."""
    return float(facts.model_size(target.precision))


def unsupported_operators(facts: GraphFacts, target: Target) -> float:
    """Number of operator types that the target does not run; one more where the file needs a newer operator set."""
    known = facts.operators if target.operators is None else target.operators
    return float(len(unsupported(facts, known)) + (facts.opset > target.opset))


@dataclass(frozen=True)
class GraphValue:
    """A value of an architecture's graph: the function of a cheap objective or quantity."""

    value: Callable[[GraphFacts, Target], float]
    space: Any
    target: Target
    task: TaskSpec | None = None

    def for_task(self, task: TaskSpec) -> GraphValue:
        """The same for networks and images of the data. Raises `ConfigError` where the target's images have another size."""
        wanted, given = self.target.input_size, task.image_size
        if wanted is not None and given is not None and given != (wanted, wanted):
            raise ConfigError(
                f"target {self.target.name}: input_size is {wanted}, but the images have {given[0]} x {given[1]} pixels: set the recipe's resolution to "
                f"{wanted}, or remove input_size"
            )
        return replace(self, task=task)

    def __call__(self, architecture: Architecture) -> float:
        """Raises `CostFailed` for a network that cannot be written as ONNX."""
        return self.value(self._facts(architecture), self.target)

    def _facts(self, architecture: Architecture) -> GraphFacts:
        try:
            name = self.value.__name__
            return architecture_facts(self.space, architecture, self.target, self.task, name)
        except NotExportable as error:
            raise CostFailed(str(error), "cannot be exported") from error

    def reasons(self, architecture: Architecture) -> list[str]:
        """The operators that the target lacks, and a newer operator set; see `nas.core.cheap_values.HasReasons`."""
        if self.value is not unsupported_operators:
            return []
        facts, target = self._facts(architecture), self.target
        found = [f"the operator {name}" for name in unsupported(facts, target.operators or facts.operators)]
        return found + [f"opset {facts.opset}"] * (facts.opset > target.opset)


@dataclass(frozen=True)
class MakeGraphValue:
    """Makes a `GraphValue` for a space; an objective's `for_space`."""

    value: Callable[[GraphFacts, Target], float]
    target: Target

    def __call__(self, space: SearchSpace) -> GraphValue:
        name = self.value.__name__
        check_buildable(space, name)
        check_packages(f"objective {name!r}")
        return GraphValue(self.value, space, self.target)


def file_size_of(space: SearchSpace) -> GraphValue:
    """The `file_size` of a space's architectures, for the default target."""
    return MakeGraphValue(file_size, Target())(space)


def peak_memory_of(space: SearchSpace) -> GraphValue:
    """The `peak_memory` of a space's architectures, for the default target."""
    return MakeGraphValue(peak_memory, Target())(space)


def check_buildable(space: SearchSpace, objective: str) -> None:
    """Raises `ConfigError` for a space without networks."""
    if not can_build(space):
        raise ConfigError(
            f"objective {objective!r}: space {space.name!r} builds no networks to deploy (@space.build; in a SearchSpace a method build)"
        )


def architecture_facts(
    space: Any,
    architecture: Architecture,
    target: Target,
    task: TaskSpec | None = None,
    objective: str = "peak_memory",
) -> GraphFacts:
    """The facts of an architecture's graph, for images of the target's size, else the space's, else the data's. Cached. Raises `NotExportable`, `ConfigError`."""
    kept = _FACTS.setdefault(space, OrderedDict())
    key = (architecture, target.opset, target.input_size, target.int8.float_layers, task)
    found = kept.get(key)
    if found is None:
        from nas.training.latency import untrained

        network, shape = untrained(space, architecture, target.input_size, task, objective, GIVE_SIZE)
        found = network_facts(network, deployed_model(network, shape, target.opset), target)
        if len(kept) >= _KEPT:
            kept.popitem(last=False)
        kept[key] = found
    return found


def float_layers(network: Any, target: Target) -> tuple[list[str], list[str]]:
    """The layers of a network that stay in floating point, its own and those of the target, and the paths of all its modules.

    The target's list is for all networks of a space: a network may lack a layer. Names with a slash are those of ONNX nodes.
    """
    modules = [name for name, _ in network.named_modules()]
    of_target = [name for name in target.int8.float_layers if "/" in name or name in modules]
    return list(dict.fromkeys((*getattr(network, FLOAT_LAYERS, ()), *of_target))), modules


def network_facts(network: Any, model: bytes, target: Target) -> GraphFacts:
    """The facts of a network's ONNX file. Raises `NotExportable`, and `ConfigError` for a float layer that the network lacks."""
    from nas.deployment.int8 import float_nodes

    return facts_of(model, float_nodes(model, *float_layers(network, target)))
