"""The Python source that recreates a network: the calls that build it, and the classes and functions they need."""

from __future__ import annotations

import importlib
import inspect
import sys
import textwrap
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from torch import Tensor, nn

from nas.core.code_files import names_in
from nas.export.calls import (
    INDENT,
    Call,
    Expression,
    NotExportable,
    from_torch,
    is_plain,
    plain,
    quoted,
    torch_call,
    torch_class,
)
from nas.export.reach import Reached, declared, function_of, reached, source_of

_FREE = {"torch", *sys.stdlib_module_names}  # allowed imports of a standalone file
_HOMES = ("torch", "torch.nn", "torch.nn.functional")  # first search here for objects of torch
_PARTS = '''class Parts(nn.Module):
    """A module with named parts: layers, tensors and plain values."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            if isinstance(part, Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)'''
_GIVEN = '''def given(module, **values):
    """Set the values as attributes of the module and return it."""
    for name, value in values.items():
        setattr(module, name, value)
    return module'''
_STANDARD: dict[str, Any] = {"nn": nn, "Tensor": Tensor, "torch": sys.modules["torch"]}


class Source:
    """Collects the dependencies of a network during `write`; `imports` and `definitions` then return the text.

    `taken` are names used by the rest of the new file.
    """

    def __init__(self, taken: tuple[str, ...]) -> None:
        self._names: dict[str, Any] = {**_STANDARD, **{name: object() for name in taken}}
        self._imports: dict[str, str] = {}
        self._values: dict[str, str] = {}
        self._definitions: dict[str, str] = {}
        self._members: dict[
            type, dict[str, str]
        ] = {}  # of classes of modules: the text of each that is reached
        self._reached: dict[type, Reached] = {}
        self._given = False

    def write(self, module: nn.Module) -> Expression:
        """The call that creates a module like this one, without weights. Raises `NotExportable`."""
        cls, base = type(module), torch_class(module)
        _check_open(module)
        reach = self._reach(cls)
        function = self._module_class(cls) if reach.own else self._torch_name(base)
        if base is nn.Module:
            return Call(
                function, (*self._tensors(module), *self._attributes(module), *self._children(module))
            )
        call = torch_call(module, function, self.write)
        further = self._attributes(module) if reach.own else []
        if not further:
            return call
        self._given = True
        return Call("given", (("", call), *further))

    def imports(self) -> list[str]:
        """The import lines: whole packages first, then names from packages."""
        return sorted(self._imports.values(), key=lambda line: (line.startswith("from"), line))

    def definitions(self) -> list[str]:
        """Values, functions and classes as texts, base classes first."""
        values = ["\n".join(f"{name} = {text}" for name, text in self._values.items())] * bool(self._values)
        classes = sorted(self._members, key=lambda cls: len(cls.__mro__))
        made_of_parts = any(nn.Module in cls.__bases__ for cls in classes)
        helpers = [_PARTS] * made_of_parts + [_GIVEN] * self._given
        return [*values, *self._definitions.values(), *helpers, *map(self._class_text, classes)]

    def _reach(self, cls: type) -> Reached:
        if cls not in self._reached:
            self._reached[cls] = reached(cls)
        return self._reached[cls]

    def _tensors(self, module: nn.Module) -> Iterator[tuple[str, str]]:
        for name, parameter in module.named_parameters(recurse=False):
            frozen = "" if parameter.requires_grad else ", requires_grad=False"
            yield f"{name}=", f"nn.Parameter(torch.empty({plain(tuple(parameter.shape))}){frozen})"
        for name, buffer in module.named_buffers(recurse=False):
            if name in module._non_persistent_buffers_set:
                raise NotExportable(
                    f"{type(module).__qualname__}: its buffer {name!r} is not in the state dict"
                )
            yield f"{name}=", f"torch.zeros({plain(tuple(buffer.shape))}, dtype={buffer.dtype})"

    def _attributes(self, module: nn.Module) -> list[tuple[str, Expression]]:
        """The attributes of a user's module besides those of its torch class."""
        cls, base = type(module), torch_class(module)
        usual = set(vars(nn.Module())) | set(inspect.signature(base).parameters)
        for ancestor in base.__mro__:
            usual |= set(vars(ancestor).get("__annotations__", {}))
        wanted = self._reach(cls).attributes
        values: list[tuple[str, Expression]] = []
        for name, value in vars(module).items():
            if name in usual or (base is not nn.Module and name not in wanted):
                continue
            if is_plain(value):
                values.append((f"{name}=", plain(value)))
            elif name in wanted:
                values.append((f"{name}=", self._value(value, f"{cls.__qualname__}.{name}")))
        return values

    def _children(self, module: nn.Module) -> Iterator[tuple[str, Expression]]:
        for name, child in module._modules.items():
            yield f"{name}=", "None" if child is None else self.write(child)

    def _value(self, value: Any, what: str) -> Expression:
        """A value that is not plain: a function, or a record of plain fields."""
        if isinstance(value, (FunctionType, BuiltinFunctionType)):
            return self._refer(value.__name__, value, what)
        fields = getattr(type(value), "__dataclass_fields__", None)
        if fields is None:
            raise NotExportable(
                f"{what} has type {type(value).__name__}; expected a layer, a number, a text, or a tuple or "
                f"dataclass of these"
            )
        self._import("SimpleNamespace", "from types import SimpleNamespace", None)
        parts: list[tuple[str, Expression]] = []
        for name in fields:
            item = getattr(value, name)
            if is_plain(item):
                parts.append((f"{name}=", plain(item)))
            elif hasattr(type(item), "__dataclass_fields__"):
                parts.append((f"{name}=", self._value(item, f"{what}.{name}")))
        return Call("SimpleNamespace", tuple(parts))

    def _torch_name(self, cls: type) -> str:
        if getattr(nn, cls.__name__, None) is cls:
            return f"nn.{cls.__name__}"
        return self._refer(cls.__name__, cls, cls.__qualname__)

    def _module_class(self, cls: type) -> str:
        """Add a module's class with everything its forward pass reaches."""
        reach = self._reach(cls)
        for holder in {cls: None, **{holder: None for holder, _ in reach.members}}:
            self._take(holder.__name__, holder)
            self._members.setdefault(holder, {})
        for holder, name in reach.members:
            if name not in self._members[holder]:
                self._members[holder][name] = self._member(
                    vars(holder)[name], f"{holder.__qualname__}.{name}"
                )
        return cls.__name__

    def _member(self, member: Any, what: str) -> str:
        function = function_of(member)
        if function is None:
            if not is_plain(member):
                raise NotExportable(
                    f"{what}: expected a method or a plain value, got {type(member).__name__}"
                )
            return f"{what.rpartition('.')[2]} = {plain(member)}"
        self._globals(function, what)
        return source_of(function, what)

    def _class_text(self, cls: type) -> str:
        bases = ", ".join(dict.fromkeys(self._base_name(base) for base in cls.__bases__))
        said = inspect.cleandoc(cls.__doc__ or "") if "__doc__" in vars(cls) else ""
        body = [quoted(said)] * bool(said) + list(self._members[cls].values())
        return f"class {cls.__name__}({bases}):\n" + "\n\n".join(map(_indented, body or ["pass"]))

    def _base_name(self, base: type) -> str:
        if base is nn.Module:
            return "Parts"
        if base in self._members or base is object:
            return base.__name__
        if from_torch(base):
            return self._torch_name(base)
        return self._base_name(next(c for c in base.__mro__[1:] if c in self._members or from_torch(c)))

    def _globals(self, function: FunctionType, what: str) -> None:
        """Add the names that a function refers to."""
        if set(function.__code__.co_freevars) - {"__class__"}:
            raise NotExportable(f"{what} uses variables of an enclosing function")
        there = function.__globals__
        at_once, annotations = declared(function, what)
        for name in sorted(n for n in names_in(function.__code__) | at_once if n in there):
            self._refer(name, there[name], what)
        for name in sorted(n for n in annotations if n in there and n not in self._names):
            if _home(there[name]) is not None or isinstance(there[name], ModuleType):  # the rest is only read
                self._refer(name, there[name], what)

    def _refer(self, name: str, value: Any, what: str) -> str:
        """Define `name` as `value` in the new file."""
        if isinstance(value, ModuleType):
            return self._import(name, _import_line(value, name, what), value)
        home = None if is_plain(value) else _home(value)
        if home is not None:
            own = value.__name__
            return self._import(name, f"from {home} import {own}" + f" as {name}" * (own != name), value)
        if not self._take(name, value):
            return name
        if is_plain(value):
            self._values[name] = plain(value)
        elif isinstance(value, type):
            self._definitions[name] = self._plain_class(value)
        else:
            function = function_of(value)
            if function is None:
                raise NotExportable(f"{what} uses {name}, which has type {type(value).__name__}")
            self._definitions[name] = ""  # reserved first: its references may refer back to it
            self._globals(function, name)
            self._definitions[name] = source_of(function, name)
        return name

    def _plain_class(self, cls: type) -> str:
        """A class that is not a module: its source, or for an exception only a stub."""
        if issubclass(cls, Exception):
            base = "ValueError" if issubclass(cls, ValueError) else "Exception"
            said = inspect.cleandoc(cls.__doc__ or "Invalid input.").splitlines()[0]
            return f"class {cls.__name__}({base}):\n{_indented(quoted(said))}"
        for parent in cls.__bases__:
            if parent is not object:
                self._refer(parent.__name__, parent, cls.__qualname__)
        for member in vars(cls).values():
            function = function_of(member)
            if function is not None:
                self._globals(function, f"{cls.__qualname__}.{function.__name__}")
        return source_of(cls, cls.__qualname__)

    def _import(self, name: str, line: str, value: Any) -> str:
        if _STANDARD.get(name) is not value or value is None:
            self._take(name, value)
            self._imports[name] = line
        return name

    def _take(self, name: str, value: Any) -> bool:
        """Whether the name is new. Raises `NotExportable` if it already has another value."""
        if name not in self._names:
            self._names[name] = value
            return True
        held = self._names[name]
        if held is not value and not (is_plain(value) and is_plain(held) and held == value):
            raise NotExportable(f"two objects have the name {name!r}; rename one of them")
        return False


def _check_open(module: nn.Module) -> None:
    """Raise `NotExportable` for behaviour that a module's source does not show."""
    if module._forward_hooks or module._forward_pre_hooks:
        raise NotExportable(f"{type(module).__qualname__} has hooks")
    if "parametrizations" in module._modules:
        raise NotExportable(f"{type(module).__qualname__} has parametrised weights; remove them first")


def _import_line(module: ModuleType, name: str, what: str) -> str:
    full = module.__name__
    if full.split(".")[0] not in _FREE:
        raise NotExportable(f"{what} uses the package {full}; a standalone file may use only PyTorch")
    parent, _, last = full.rpartition(".")
    if name == full:
        return f"import {full}"
    return f"from {parent} import {last}" if name == last else f"import {full} as {name}"


def _home(value: Any) -> str | None:
    """The module of torch or the standard library that exports a value under its name."""
    name = getattr(value, "__name__", None)
    if not isinstance(name, str):
        return None
    for home in (*_HOMES, getattr(value, "__module__", None) or ""):
        free = home.split(".")[0] in _FREE and home not in ("builtins", "__main__")
        if free and getattr(importlib.import_module(home), name, None) is value:
            return home
    return None


def _indented(text: str) -> str:
    return textwrap.indent(text, INDENT)
