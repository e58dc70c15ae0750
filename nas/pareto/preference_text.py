"""The grammar of preferences: `error=5%, params<1M, madds:2` as terms with names, relations and numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.core.objectives import SUFFIXES, Objective

ASPIRE = "="
WEIGH = (":", "*")
PERCENT = ("%", "percent")  # units that accept a percent sign
FORM = (
    "expected terms such as error=5% (a target), params<1M (a limit) or madds:2 (a weight), joined by commas"
)

_TERM = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=|>=|<|>|=|:|\*)\s*(\S.*?)\s*")
_NUMBER = re.compile(
    r"([+-]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?)\s*([kKMG]?)\s*(%|[a-z][a-z-]*|)"
)


@dataclass(frozen=True)
class Term:
    """One term: an objective's name, the relation as written, the number, and its unit, if any."""

    name: str
    relation: str
    number: float
    unit: str
    text: str


def terms(text: str) -> tuple[Term, ...]:
    """Parse the terms of a preference, without knowledge of the objectives. Raises `ConfigError` for an invalid term."""
    if not isinstance(text, str):
        raise ConfigError(f"prefer: {FORM}; got {text!r}")
    if not text.strip():
        raise ConfigError(f"prefer: {FORM}; got nothing")
    return tuple(_term(part, text) for part in text.split(","))


def _term(part: str, whole: str) -> Term:
    match = _TERM.fullmatch(part)
    if match is None:
        hint = "; thousands have no commas: write 1_000_000 or 1M" if part.strip().isdigit() else ""
        raise ConfigError(f"prefer {whole!r}: {part.strip()!r} is not a term; {FORM}{hint}")
    name, relation, value = match[1], match[2], match[3]
    number = _NUMBER.fullmatch(value)
    if number is None or (number[2] and number[3] == "%"):
        hint = "; this looks like an architecture: select it with nas export --pick" if "/" in value else ""
        raise ConfigError(
            f"prefer {part.strip()!r}: expected a number, alone or with k, M, G (1M = 1e6), % or its unit, got {value!r}{hint}"
        )
    result = float(number[1].replace("_", "")) * SUFFIXES[number[2]]
    if not math.isfinite(result):
        raise ConfigError(f"prefer {part.strip()!r}: expected a finite number, got {value!r}")
    return Term(name, relation, result, number[3], part.strip())


def check_terms(found: Sequence[Term], objectives: Sequence[Objective]) -> None:
    """Raise `ConfigError` for a name that is not an objective, a wrong unit, or a repeated term."""
    known = {o.name: o for o in objectives}
    said: set[tuple[str, str]] = set()
    for term in found:
        if term.name not in known:
            raise ConfigError(
                f"prefer {term.text!r}: {term.name!r} is not an objective of this search"
                f"{did_you_mean(term.name, known)}; objectives: {', '.join(known)}"
            )
        unit = known[term.name].unit
        if term.unit == "%" and (unit not in PERCENT or term.relation in WEIGH):
            what = "a weight" if term.relation in WEIGH else f"{term.name} is in {unit or 'plain numbers'}"
            raise ConfigError(f"prefer {term.text!r}: % is for levels in percent, but {what}; remove it")
        if term.unit not in ("", "%") and (term.unit != unit or term.relation in WEIGH):
            of_name = f"{term.name} is in {unit or 'plain numbers'}"
            what = "a weight has no unit" if term.relation in WEIGH else of_name
            raise ConfigError(
                f"prefer {term.text!r}: {what}, got {term.unit!r}; numbers may have k, M or G (1M = 1e6)"
            )
        if term.relation in WEIGH and term.number <= 0:
            raise ConfigError(f"prefer {term.text!r}: expected a weight above 0, got {term.number:g}")
        kind = "aspiration" if term.relation == ASPIRE else "weight" if term.relation in WEIGH else "limit"
        if kind != "limit" and (term.name, kind) in said:
            raise ConfigError(f"prefer {term.text!r}: {term.name} has two {kind}s; give one")
        said.add((term.name, kind))
