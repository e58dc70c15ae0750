"""Write modules as constructor calls: `nn.Conv2d(3, 8, 3, padding=1, bias=False)`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from nas.core.errors import ConfigError

WIDTH = 100  # characters of a line
INDENT = "    "
_ALIKE = {
    "kernel_size",
    "stride",
    "padding",
    "dilation",
    "output_padding",
}  # one number may stand for all sides
_SKIPPED = {"self", "device", "dtype"}
_UNKNOWN = object()

# Arguments that a layer stores under other names.
_READ: Mapping[str, Callable[[Any], Any]] = {
    "bias": lambda layer: getattr(layer, "bias", getattr(layer, "in_proj_bias", None)) is not None,
    "add_bias_kv": lambda layer: layer.bias_k is not None,
}


class NotExportable(ConfigError):
    """A network that cannot be written as a standalone file; the message gives the part and the reason."""


@dataclass(frozen=True)
class Call:
    """A call, or with other `brackets` a list or mapping; each argument has a prefix (`name=`, or none)."""

    function: str
    arguments: tuple[tuple[str, str | Call], ...] = ()
    brackets: tuple[str, str] = ("(", ")")

    def __str__(self) -> str:
        inside = ", ".join(f"{prefix}{value}" for prefix, value in self.arguments)
        return f"{self.function}{self.brackets[0]}{inside}{self.brackets[1]}"

    def laid_out(self, indent: int = 0, before: int = 0) -> str:
        """One line if short enough after `before` characters, else one line per argument."""
        flat = str(self)
        if not self.arguments or len(INDENT) * indent + before + len(flat) < WIDTH:
            return flat
        lines = []
        for prefix, value in self.arguments:
            text = value.laid_out(indent + 1, len(prefix)) if isinstance(value, Call) else value
            lines.append(f"{INDENT * (indent + 1)}{prefix}{text},")
        first, last = self.brackets
        return "\n".join([f"{self.function}{first}", *lines, f"{INDENT * indent}{last}"])


Expression = str | Call
Writer = Callable[[nn.Module], Expression]


def torch_class(module: nn.Module) -> type[nn.Module]:
    """The nearest torch base class of a module."""
    return next(c for c in type(module).__mro__ if from_torch(c))


def from_torch(cls: type) -> bool:
    """Whether torch itself defines a class."""
    return cls.__module__.split(".")[0] == "torch"


def torch_call(module: nn.Module, function: str, inside: Writer) -> Call:
    """The call of `function` that creates a torch layer or container like `module`.

    `inside` writes its submodules. Raises `NotExportable` for a layer whose settings cannot be read.
    """
    if isinstance(module, nn.Sequential):
        return _sequential(module, function, inside)
    if isinstance(module, nn.ModuleList):
        items = tuple(("", inside(item)) for item in module)
        return Call(f"{function}(", items, ("[", "])")) if items else Call(function)
    if isinstance(module, nn.ModuleDict):
        return Call(function, (("", _mapping(module, inside)),))
    if isinstance(module, nn.Identity) or torch_class(module).__init__ is nn.Module.__init__:
        return Call(function)  # has no settings
    return Call(function, tuple(_settings(module)))


def _sequential(module: nn.Sequential, function: str, inside: Writer) -> Call:
    names = list(module._modules)
    if names == [str(i) for i in range(len(names))]:
        return Call(function, tuple(("", inside(item)) for item in module))
    return Call(function, (("", Call("OrderedDict", (("", _mapping(module, inside)),))),))


def _mapping(module: nn.Module, inside: Writer) -> Call:
    items = tuple(
        (f"{plain(name)}: ", inside(item)) for name, item in module._modules.items() if item is not None
    )
    return Call("", items, ("{", "}"))


def _settings(layer: nn.Module) -> Iterator[tuple[str, str]]:
    """The arguments that create a layer like this one, without defaults."""
    cls = torch_class(layer)
    for p in inspect.signature(cls).parameters.values():
        if p.name in _SKIPPED or p.name.startswith("_"):
            continue
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            raise NotExportable(f"{cls.__qualname__} does not store its constructor arguments")
        value = _READ.get(p.name, lambda x, name=p.name: getattr(x, name, _UNKNOWN))(layer)
        if value is _UNKNOWN and p.default is None:
            continue
        if p.name in _ALIKE and isinstance(value, tuple) and len(set(value)) == 1:
            value = value[0]
        if not is_plain(value):
            raise NotExportable(f"{cls.__qualname__}: cannot read its argument {p.name!r}")
        if p.default is p.empty:
            yield "", plain(value)
        elif value != p.default or type(value) is not type(p.default):
            yield f"{p.name}=", plain(value)


def is_plain(value: Any) -> bool:
    """Whether a value consists only of numbers, texts, None, tuples, lists, sets and mappings."""
    if isinstance(value, (tuple, list, set, frozenset)):
        return type(value) in (tuple, list, set, frozenset) and all(map(is_plain, value))
    if isinstance(value, dict):
        return type(value) is dict and all(is_plain(k) and is_plain(v) for k, v in value.items())
    return value is None or type(value) in (bool, int, float, str)


def plain(value: Any) -> str:
    """A plain value as a Python literal; equal values give equal texts."""
    if isinstance(value, float) and value - value != 0:  # infinite or NaN
        return f"float({str(value)!r})"
    if isinstance(value, (set, frozenset)):
        items = ", ".join(sorted(map(plain, value)))
        return f"{type(value).__name__}({{{items}}})" if items else f"{type(value).__name__}()"
    if isinstance(value, tuple):
        return f"({', '.join(map(plain, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, list):
        return f"[{', '.join(map(plain, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{plain(k)}: {plain(v)}' for k, v in value.items())}}}"
    if isinstance(value, str) and '"' not in value and "\\" not in value and value.isprintable():
        return f'"{value}"'
    return repr(value)


def quoted(text: str) -> str:
    """Quote any text as a docstring."""
    text = text.replace("\\", "\\\\").replace('"""', "'''")
    return f'"""{text}\n"""' if "\n" in text or text.endswith('"') else f'"""{text}"""'
