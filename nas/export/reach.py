"""Find references in code: names that a function loads, class members that a forward pass reaches."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from nas.export.calls import NotExportable, from_torch

_FOR_TOOLS = re.compile(r"  # (type: ignore|noqa)[^\n]*")  # comments dropped in the new file


@dataclass(frozen=True)
class Reached:
    """The reach of a forward pass: members by class, in order, and attribute names of `self`."""

    members: tuple[tuple[type, str], ...]
    attributes: frozenset[str]

    @property
    def own(self) -> bool:
        """Whether code outside torch runs."""
        return bool(self.members)


def reached(cls: type) -> Reached:
    """Follow `forward` through a module's class and its bases up to torch's. Raises `NotExportable`."""
    members: dict[tuple[type, str], None] = {}
    attributes: set[str] = set()
    waiting: list[tuple[str, tuple[type, ...]]] = [("forward", cls.__mro__)]
    while waiting:
        name, among = waiting.pop(0)
        holder = next((c for c in among if name in vars(c)), None)
        if holder is None or holder is object or from_torch(holder) or (holder, name) in members:
            continue
        members[holder, name] = None
        function = function_of(vars(holder)[name])
        if function is not None:
            mine, above = _of_self(function, f"{holder.__qualname__}.{name}")
            attributes |= mine
            after = cls.__mro__[cls.__mro__.index(holder) + 1 :]
            waiting += [(n, cls.__mro__) for n in sorted(mine)] + [(n, after) for n in sorted(above)]
    return Reached(tuple(members), frozenset(attributes))


def function_of(member: Any) -> FunctionType | None:
    """The function of a method, property, static or class method; None for anything else."""
    if isinstance(member, property):
        member = member.fget
    if isinstance(member, (staticmethod, classmethod)):
        member = member.__func__
    if not callable(member) or isinstance(member, type):
        return None
    member = inspect.unwrap(member)
    return member if isinstance(member, FunctionType) else None


def source_of(thing: FunctionType | type, what: str) -> str:
    """The source of a function or class, unindented. Raises `NotExportable` if unavailable."""
    try:
        text = textwrap.dedent(inspect.getsource(thing))
    except (OSError, TypeError):
        raise NotExportable(f"{what}: source not found; define it in a file") from None
    return _FOR_TOOLS.sub("", text).rstrip()


def declared(function: FunctionType, what: str) -> tuple[set[str], set[str]]:
    """The names in a function's decorators, defaults and annotations."""
    tree = _tree(function, what)
    defaults = [*tree.args.defaults, *(d for d in tree.args.kw_defaults if d is not None)]
    arguments = [*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs]
    said = [a.annotation for a in arguments if a.annotation is not None] + [tree.returns] * bool(tree.returns)
    local = [n.annotation for n in ast.walk(tree) if isinstance(n, ast.AnnAssign)]
    return set(_names(*tree.decorator_list, *defaults)), set(_names(*said, *local))


def _names(*trees: ast.AST | None) -> Iterator[str]:
    for tree in trees:
        if tree is not None:
            yield from (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def _tree(function: FunctionType, what: str) -> ast.FunctionDef:
    try:
        node = ast.parse(source_of(function, what)).body[0]
    except SyntaxError:  # a lambda within an expression
        raise NotExportable(f"{what}: expected a function defined by `def`") from None
    if not isinstance(node, ast.FunctionDef):
        raise NotExportable(f"{what}: expected a function defined by `def`")
    return node


def _of_self(function: FunctionType, what: str) -> tuple[set[str], set[str]]:
    """The attributes that a method uses of its first argument and of `super()`."""
    tree = _tree(function, what)
    arguments = [*tree.args.posonlyargs, *tree.args.args]
    first = arguments[0].arg if arguments else ""
    mine, above = set(), set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        if isinstance(node.value, ast.Name) and node.value.id == first:
            mine.add(node.attr)
        elif isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "super":
            above.add(node.attr)
    return mine, above
