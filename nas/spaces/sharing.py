"""Names of the tensors that networks of a declared space share."""

from __future__ import annotations

from nas.spaces.choices import Choices


def shared_name(choices: Choices, parameters: tuple[str, ...], name: str) -> str:
    """The name of a network's parameter, with the texts among the choices that decide its layer.

    Numbers (widths, kernels, counts) give slices of one tensor; a text, such as the name of an operation, stands for
    another layer. A text decides the layers below its item: ``stages.0.operation`` those below ``stages.0``; a parameter outside
    of repeats decides the layers below a module of its name.
    """
    path = f".{name}"
    decided = ""
    for parameter in parameters:
        value = choices.get(parameter)
        if isinstance(value, str):
            item = parameter.rpartition(".")[0] or parameter
            if f".{item}." in path:
                decided += f"[{parameter}={value}]"
    return name + decided
