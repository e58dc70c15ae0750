"""Hashes of the code of a run: the user's files and the local modules that they import.

A file is local when it belongs neither to Python, nor to an installed package, nor to this framework; versions identify
those. Nothing is imported or executed.
"""

from __future__ import annotations

import ast
import dis
import hashlib
import inspect
import linecache
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from types import CodeType, FunctionType, ModuleType
from typing import Any

from nas.core.kinds import in_standard_library, unwrapped

LOADED = "__nas_source__"  # attribute of a module loaded from a file: its `Source` when it was read
_ROOM = Path(__file__).resolve().parents[1]
_FRAMEWORK = tuple(f"{_ROOM.parent / name}/" for name in ("nas", "search_spaces", "surrogates"))
_INSTALLED = ("/site-packages/", "/dist-packages/")
_MOST = 2_000  # objects and files to follow


@dataclass(frozen=True)
class Source:
    """The content of a Python file."""

    path: str
    text: bytes

    @property
    def sha256(self) -> str:
        """Hash of the text with Unix line ends, since a checkout may convert them."""
        return hashlib.sha256(self.text.replace(b"\r\n", b"\n")).hexdigest()

    @classmethod
    def read(cls, path: str | Path) -> Source | None:
        """Read the file; None when it is unreadable."""
        try:
            return cls(str(path), Path(path).read_bytes())
        except (OSError, ValueError):
            return None


def is_local(file: str) -> bool:
    """Whether a file is the user's own code."""
    if file.startswith("<") or any(part in file for part in _INSTALLED):
        return False
    return not file.startswith(_FRAMEWORK) and not in_standard_library(file)


def is_framework(file: str) -> bool:
    """Whether a file belongs to this framework."""
    return file.startswith(_FRAMEWORK)


def code_of(things: Iterable[Any], base: Path) -> dict[str, str]:
    """Hash the code of these modules, classes, functions and objects.

    Keys are files, relative to `base` where inside it. Code of a notebook or a script has its qualified name as key
    (`__main__:train`, and the `__main__:RATE` that it uses), so that other lines of the script may change.
    """
    files: dict[str, Source] = {}
    found: dict[str, str] = {}
    waiting, seen = list(things), set[int]()
    while waiting and len(seen) < _MOST:
        thing = waiting.pop(0)
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, ModuleType):
            _add(_source_of(thing), files)
            continue
        inner = unwrapped(thing)
        owner = inner if isinstance(inner, (type, FunctionType)) else type(inner)
        waiting += [part for part in _within(thing) if _leads_on(part)]
        module = getattr(owner, "__module__", None)
        if module == "__main__":
            text = _text_of(owner)
            if text is not None:
                found[f"__main__:{owner.__qualname__}"] = _hash(text)
                for path in _imported(_script(owner, text)):
                    _add(Source.read(path), files)
            found |= {f"__main__:{name}": _hash(line) for name, line in _values_of(owner).items()}
            waiting += _globals_of(owner)
            continue
        for cls in owner.__mro__ if isinstance(owner, type) else [owner]:
            loaded = sys.modules.get(getattr(cls, "__module__", None) or "")
            file = _file_of(cls)
            if loaded is not None and getattr(loaded, LOADED, None) is not None:
                _add(_source_of(loaded), files)
            elif file is not None and is_local(file):
                _add(Source.read(file), files)
    for path, source in _closure(files).items():
        found[named_from(path, base)] = source.sha256
    return dict(sorted(found.items()))


def static_code(file: str | Path) -> dict[str, str]:
    """Hash a file and the local modules that it imports, by absolute path, without importing them."""
    first = Source.read(file)
    if first is None:
        return {}
    return {path: source.sha256 for path, source in _closure({first.path: first}).items()}


def changed(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the keys of `then` with a different hash in `now`. A moved file is matched by its name if that is unique.

    A module that became a package, or the reverse, has changed, also where its former file is still there.
    """
    different = []
    for key, text in then.items():
        if key in now:
            if now[key] != text:
                different.append(key)
            continue
        if key.endswith(".py") and (other := _other_form(key)) in now and other not in then:
            different.append(other)
            continue
        moved = [k for k in now if k not in then and PurePath(k).name == PurePath(key).name]
        if len(moved) == 1 and now[moved[0]] != text:
            different.append(moved[0])
    return different


def _other_form(key: str) -> str:
    """The path of the same module as a package, or of the same package as a module."""
    path = PurePath(key)
    other = (
        path.parent.with_suffix(".py") if path.name == "__init__.py" else path.with_suffix("") / "__init__.py"
    )
    return other.as_posix()


def named_from(path: str, base: Path | None) -> str:
    """The path of a file in a record: relative to `base` where inside it."""
    try:
        return Path(path).relative_to(base or Path.cwd()).as_posix()
    except ValueError:
        return Path(path).as_posix()


def _add(source: Source | None, files: dict[str, Source]) -> None:
    if source is not None:
        files.setdefault(source.path, source)


def _source_of(module: ModuleType) -> Source | None:
    """The text that a local module was loaded from."""
    known = getattr(module, LOADED, None)
    if isinstance(known, Source):
        return known
    file = getattr(module, "__file__", None)
    return Source.read(file) if isinstance(file, str) and file.endswith(".py") and is_local(file) else None


def _file_of(owner: Any) -> str | None:
    """The file that defines a class or function."""
    if isinstance(owner, FunctionType):
        return _path_of(owner.__code__)
    for member in vars(owner).values():
        inner = unwrapped(getattr(member, "fget", None) or getattr(member, "__func__", None) or member)
        if isinstance(inner, FunctionType) and inner.__module__ == owner.__module__:
            file = _path_of(inner.__code__)
            if file is not None:
                return file
    file = getattr(sys.modules.get(owner.__module__), "__file__", None)
    return file if isinstance(file, str) and file.endswith(".py") else None


def _path_of(code: CodeType) -> str | None:
    file = code.co_filename
    return str(Path(file).absolute()) if file.endswith(".py") and not file.startswith("<") else None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _text_of(owner: Any) -> str | None:
    try:
        return inspect.getsource(owner)
    except (OSError, TypeError, IndentationError, SyntaxError):
        return None


def _within(thing: Any) -> Iterator[Any]:
    """Iterate over the parts of a partial, a closure, a method or an object."""
    yield from getattr(thing, "args", ()) if hasattr(thing, "func") else ()
    for name in ("func", "__func__", "__self__", "__wrapped__"):
        inner = getattr(thing, name, None)
        if inner is not None:
            yield inner
    for cell in getattr(thing, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:  # an empty cell
            continue
    if not isinstance(thing, (type, FunctionType)):
        try:
            yield from list(vars(thing).values())
        except TypeError:
            yield from (getattr(thing, name, None) for name in getattr(type(thing), "__slots__", ()))


def _leads_on(part: Any) -> bool:
    """Whether a part of an object is code, or an instance of a user's class."""
    if isinstance(part, (str, bytes, int, float, ModuleType)) or part is None:
        return False
    if isinstance(part, (type, FunctionType)) or hasattr(part, "func") or hasattr(part, "__func__"):
        return True
    if type(part).__module__ in ("__main__", "builtins"):
        return type(part).__module__ == "__main__"
    loaded = sys.modules.get(type(part).__module__)
    file = _file_of(type(part)) if loaded is None else getattr(loaded, "__file__", None)
    return isinstance(file, str) and (is_local(file) or is_framework(file))


def _functions_of(owner: Any) -> list[FunctionType]:
    """A function itself, or the methods of a class."""
    members = [owner] if isinstance(owner, FunctionType) else [unwrapped(m) for m in vars(owner).values()]
    return [member for member in members if isinstance(member, FunctionType)]


def _globals_of(owner: Any) -> list[Any]:
    """Globals of a script that a function or class refers to: the script's own names and the user's modules."""
    found: list[Any] = list(owner.__mro__[1:-1]) if isinstance(owner, type) else []
    for function in _functions_of(owner):
        names = names_in(function.__code__)
        found += [function.__globals__[name] for name in sorted(names) if name in function.__globals__]
    return [x for x in found if isinstance(x, (type, FunctionType, ModuleType)) or _leads_on(x)]


def _values_of(owner: Any) -> dict[str, str]:
    """The lines of a script, or of a notebook's cell, that give the values which a function or class of it refers to."""
    found: dict[str, list[str]] = {}
    for function in _functions_of(owner):
        names = names_in(function.__code__)
        for name, line in _assignments(function.__code__.co_filename):
            if name in names and line not in found.setdefault(name, []):
                found[name].append(line)
    return {name: "\n".join(lines) for name, lines in found.items()}


def _script(owner: Any, text: str) -> Source:
    """The text of a function or class as a file beside its script, to find its imports."""
    inside = _functions_of(owner)
    place = inside[0].__code__.co_filename if inside else ""
    return Source(str(Path(place).absolute()), textwrap.dedent(text).encode("utf-8", "replace"))


def _assignments(file: str) -> Iterator[tuple[str, str]]:
    """The assignments at the top level of a script: name and text."""
    linecache.checkcache(file)
    text = "".join(linecache.getlines(file))
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in body:
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            for target in ast.walk(node):
                if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store):
                    yield target.id, ast.unparse(node)


def names_in(code: CodeType) -> set[str]:
    """The global names that compiled code reads, including inner functions."""
    names = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= names_in(constant)
    return names


def _closure(files: Mapping[str, Source]) -> dict[str, Source]:
    """These files and the local files that they import, directly or indirectly."""
    found = dict(files)
    waiting = list(files.values())
    while waiting and len(found) < _MOST:
        source = waiting.pop()
        for path in _imported(source):
            if path not in found:
                other = _loaded_as(path) or Source.read(path)
                if other is not None:
                    found[path] = other
                    waiting.append(other)
    return found


def _loaded_as(path: str) -> Source | None:
    for module in list(sys.modules.values()):
        known = getattr(module, LOADED, None) if isinstance(module, ModuleType) else None
        if isinstance(known, Source) and known.path == path:
            return known
    return None


@lru_cache(maxsize=256)
def _imports(source: Source) -> tuple[tuple[int, str], ...]:
    """All imports in a file: level of a relative import (0: absolute) and dotted name."""
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError):
        return ()
    found: dict[tuple[int, str], None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(0, alias.name): None for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            found[node.level, base] = None
            found |= {(node.level, f"{base}.{alias.name}".strip(".")): None for alias in node.names}
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            name = node.args[0].value
            if called in ("import_module", "__import__") and isinstance(name, str) and name:
                found[0, name] = None
    return tuple(found)


def _imported(source: Source) -> Iterator[str]:
    folder = Path(source.path).parent
    for level, name in _imports(source):
        if level:
            for _ in range(level - 1):
                folder = folder.parent
            yield from _below(folder, name)
            folder = Path(source.path).parent
            continue
        parts = name.split(".")
        for i in range(len(parts)):
            file = locate(".".join(parts[: i + 1]))
            if file is not None and file.endswith(".py") and is_local(file):
                yield str(Path(file).absolute())
        if locate(parts[0]) is None:
            yield from _below(folder, name)


def _below(folder: Path, name: str) -> Iterator[str]:
    """The files of a dotted name below a folder: the `__init__` of each package, then the module."""
    place = folder
    if (place / "__init__.py").is_file():
        yield str(place / "__init__.py")
    for part in filter(None, name.split(".")):
        for file in (place / f"{part}.py", place / part / "__init__.py"):
            if file.is_file() and is_local(str(file)):
                yield str(file.absolute())
        place = place / part


def locate(name: str) -> str | None:
    """The file of the module `name`, loaded or not; None when there is none. Imports nothing."""
    if name in sys.modules:
        file = getattr(sys.modules[name], "__file__", None)
        return file if isinstance(file, str) else None
    path: Any = None
    origin: str | None = None
    parts = name.split(".")
    for i in range(len(parts)):
        full = ".".join(parts[: i + 1])
        if full in sys.modules:
            path = getattr(sys.modules[full], "__path__", [])
            continue
        spec = next((s for f in sys.meta_path if (s := _spec(f, full, path)) is not None), None)
        if spec is None:
            return None
        path, origin = spec.submodule_search_locations or [], spec.origin
    return origin if isinstance(origin, str) else None


def _spec(finder: Any, name: str, path: Any) -> Any:
    try:
        return finder.find_spec(name, path)
    except Exception:  # a third-party finder
        return None
