"""YAML reader and writer of this package: YAML 1.2 numbers, and errors where the meaning is in doubt.

PyYAML follows YAML 1.1, where `1e-3` is a text, `1:30` is the number 90, `010` is 8, a date is not a text, and the second of
two equal keys wins silently. Here `1e-3` is a number, a date is a text, and base-60 numbers, leading zeros and repeated keys
are errors with the line. `yes`, `no`, `on` and `off` are booleans as values and texts as keys.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from nas.core.errors import ConfigError

DEPTH = 100  # levels of nesting
NODES = 200_000  # values of a document, with aliases expanded
CHARACTERS = 10_000_000

_INT, _FLOAT, _BOOL = (f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool"))
_STR, _TIMESTAMP, _MERGE, _VALUE = (
    f"tag:yaml.org,2002:{name}" for name in ("str", "timestamp", "merge", "value")
)
_EXACT = 2**53  # smaller whole numbers are exact as floats

_SIXTY = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_WHOLE = re.compile(r"[-+]?(?:[0-9][0-9_]*|0x[0-9a-fA-F_]+|0o[0-7_]+|0b[01_]+)")
_REAL = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+)"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")


class YamlError(ConfigError):
    """A text is not YAML, or its meaning is in doubt; the message starts with which, and ends with the line if known."""

    def __init__(self, said: str, mark: Any = None, *, malformed: bool = False) -> None:
        line = "" if mark is None else f" (line {mark.line + 1})"
        super().__init__(f"{'is not YAML' if malformed else 'cannot be used'}: {said}{line}")


def parse_yaml(text: str) -> Any:
    """Parse a YAML text into plain Python values. Raises `YamlError`; runs no code."""
    if len(text) > CHARACTERS:
        raise YamlError(f"{len(text):,} characters; at most {CHARACTERS:,} are read")
    try:
        return _Loader(text).get_single_data()
    except YamlError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(filter(None, (error.context, error.problem)))
        raise YamlError(said, mark, malformed=True) from None
    except yaml.YAMLError as error:
        raise YamlError(str(error).splitlines()[0], malformed=True) from None
    except (
        ValueError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:  # from a tag such as !!timestamp
        raise YamlError(f"{type(error).__name__}: {error}") from None


def dump_yaml(values: Any, *, width: int = 100) -> str:
    """Plain values as YAML that `parse_yaml` reads back unchanged."""
    return str(
        yaml.dump(values, Dumper=_Dumper, sort_keys=False, width=width, allow_unicode=True)  # a safe dumper
    )


def _error(node: Node, text: str) -> YamlError:
    return YamlError(text, node.start_mark)


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Rules that classify a plain scalar as number, boolean, null or text, for reading and writing."""
    kept = {
        first: [(tag, pattern) for tag, pattern in rules if tag not in (_INT, _FLOAT, _TIMESTAMP, _VALUE)]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for first in "-+0123456789.":
        numbers = [(_INT, _SIXTY), (_INT, _WHOLE), (_FLOAT, _REAL)]
        kept[first] = [*((tag, re.compile(f"(?:{p.pattern})$")) for tag, p in numbers), *kept.get(first, [])]
    return kept


class _Dumper(yaml.SafeDumper):
    """Quotes texts that `_Loader` would read as something else."""

    yaml_implicit_resolvers = _resolvers()


class _Loader(yaml.SafeLoader):
    """The safe loader with the rules above, and bounds on depth and size."""

    yaml_implicit_resolvers = _resolvers()

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def get_single_node(self) -> Any:
        """The root node, its size checked with all aliases expanded."""
        node = super().get_single_node()
        if node is not None:
            _count(node, {}, set())
        return node

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose one node; refuse deep nesting."""
        self._depth += 1
        if self._depth > DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise YamlError(f"nested deeper than {DEPTH} levels", mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        """Construct a mapping; refuse repeated keys. Keys from a merge (`<<`) may be overridden."""
        if not isinstance(node, MappingNode):
            raise _error(node, f"expected a mapping, got {node.value!r:.80}")
        self._check_keys(node)
        return super().construct_mapping(node, deep=deep)

    def construct_yaml_map(self, node: Any) -> Any:
        """Like the base class, with keys checked before merges are expanded."""
        data: dict[Hashable, Any] = {}
        yield data
        data.update(self.construct_mapping(node))

    def _check_keys(self, node: MappingNode) -> None:
        if getattr(node, "checked", False):  # merges are expanded into the node, so check it once
            return
        node.checked = True  # type: ignore[attr-defined]
        seen: dict[Hashable, int] = {}
        for key, _ in node.value:
            if (
                isinstance(key, ScalarNode)
                and key.tag == _BOOL
                and key.value.lower() not in ("true", "false")
            ):
                key.tag = _STR  # a key `on` or `no` is a name
            value: Any = "<<" if key.tag == _MERGE else self.construct_object(key, deep=True)
            if not isinstance(value, Hashable):
                raise _error(key, "a list or a mapping cannot be a key")
            line = key.start_mark.line + 1
            if value in seen:
                raise _error(
                    key,
                    f"the key {key.value!r} appears again (first in line {seen[value]}); keep one of them",
                )
            seen[value] = line

    def flatten_mapping(self, node: Any) -> None:
        """Expand merges, after checking the keys of each merged mapping."""
        for key, value in node.value:
            if key.tag == _MERGE:
                for merged in value.value if isinstance(value, SequenceNode) else [value]:
                    if isinstance(merged, MappingNode):
                        self._check_keys(merged)
        super().flatten_mapping(node)

    def construct_whole(self, node: Any) -> int:
        """Construct a whole number. Refuse base 60 and leading zeros, where YAML 1.1 and 1.2 differ."""
        text = self.construct_scalar(node)
        if _SIXTY.fullmatch(text):
            raise _error(
                node,
                f"{text} is the base-60 number {_base_60(text):g} in YAML 1.1 and a text in YAML 1.2; write the number "
                f"({_base_60(text):g}), or the text in quotes ('{text}')",
            )
        if _LEADING_ZERO.fullmatch(text):
            raise _error(
                node,
                f"{text} begins with 0: YAML 1.1 reads it in base 8, YAML 1.2 in base 10; write it without the 0, in "
                f"base 8 as 0o{text.lstrip('+-0') or '0'}, or in quotes if it is a text",
            )
        try:
            return int(text.replace("_", ""), 0)
        except ValueError:
            raise _error(node, f"{text[:40]!r} is not a readable whole number") from None

    def construct_real(self, node: Any) -> float | int:
        """Construct a number; a whole one without a point, such as 1e6, is an int."""
        text = self.construct_scalar(node).replace("_", "")
        low = text.lower()
        if low.lstrip("+-") in (".inf", ".nan"):
            return float(low.replace(".", ""))
        try:
            value = float(text)
        except ValueError:
            raise _error(node, f"{text[:40]!r} is not a number") from None
        if math.isinf(value):
            raise _error(node, f"{text[:40]} is too large for a number; write .inf if you mean infinity")
        return int(value) if "." not in text and value.is_integer() and abs(value) < _EXACT else value


_Loader.add_constructor(_INT, _Loader.construct_whole)
_Loader.add_constructor(_FLOAT, _Loader.construct_real)
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_yaml_map)
_Loader.add_constructor(_TIMESTAMP, _Loader.construct_undefined)  # type: ignore[type-var]


def _base_60(text: str) -> float:
    value = 0.0
    for part in text.lstrip("+-").replace("_", "").split(":"):
        value = 60 * value + float(part)
    return -value if text.startswith("-") else value


def _count(node: Node, known: dict[int, tuple[int, int]], above: set[int]) -> tuple[int, int]:
    """Count the values and levels of a node, with aliases expanded. Raises `YamlError` beyond the bounds."""
    if id(node) in known:
        return known[id(node)]
    if id(node) in above:
        raise _error(node, "an anchor that contains itself")
    if isinstance(node, ScalarNode):
        return 1, 1
    above.add(id(node))
    children = node.value if isinstance(node, SequenceNode) else [n for pair in node.value for n in pair]
    total, height = 1, 0
    for child in children:
        size, levels = _count(child, known, above)
        total, height = total + size, max(height, levels)
        if total > NODES:
            raise _error(node, f"more than {NODES:,} values, with aliases expanded")
    if height >= DEPTH:
        raise _error(node, f"nested deeper than {DEPTH} levels, with aliases expanded")
    above.discard(id(node))
    known[id(node)] = total, height + 1
    return known[id(node)]
