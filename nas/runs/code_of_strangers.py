"""Trust check before importing the code that a run's config names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from nas.core.errors import ConfigError
from nas.core.plugins import guarded
from nas.core.text import printable
from nas.core.trust import Named, Trusted, named_code, where_of

OURS = ("nas.", "search_spaces.", "surrogates.")


class NotTrusted(ConfigError):
    """A run names code that its user has neither run before nor allowed now; nothing was imported."""


def unknown_code(found: Sequence[Named], trusted: Trusted) -> list[Named]:
    """The code named by a run that its user has not started before in this version."""
    return [named for named in found if not trusted.knows(named)]


def listed(found: Sequence[Named], trusted: Trusted) -> list[str]:
    """One line for each piece of code."""
    return [
        printable(str(named), newlines=False)
        + (" (changed since you ran it)" if trusted.changed(named) else "")
        for named in found
    ]


def refused(what: str, found: Sequence[Named], trusted: Trusted, allow: str) -> NotTrusted:
    """The error that lists the code to import and the way to allow it."""
    lines = "; ".join(listed(found, trusted))
    return NotTrusted(
        f"{what} would import and run code that its config names: {lines}. Read that code first; if you trust it, {allow}"
    )


def allowing(found: Sequence[Named]) -> AbstractContextManager[None]:
    """Allow only these imports by name in this block, not others that a run's config names."""
    places = {named.place for named in found}

    def gate(kind: str, name: str, counted_from: Path | None) -> None:
        place = name.rpartition(":")[0]
        where = str(where_of(place, counted_from)) if place.endswith(".py") else f"module {place}"
        if where not in places and not place.startswith(OURS):
            raise NotTrusted(
                f"{kind} {name!r}: not imported, because only files of a run name it; read it, then name it yourself, or pass --trust where the command has it"
            )

    return guarded(gate)


def allow_in_python(
    config: Mapping[str, Any], base: Path | None, parts: Sequence[str], trust: bool, what: str
) -> AbstractContextManager[None]:
    """For Python functions, which cannot ask: raise `NotTrusted` unless all code was started before, or `trust` is set."""
    if trust:
        return nullcontext()
    found = named_code({key: config.get(key) for key in parts}, base)
    trusted = Trusted()
    unknown = unknown_code(found, trusted)
    if unknown:
        raise refused(what, unknown, trusted, "pass trust=True, or give the space yourself (space=...)")
    return allowing(found)


Ask = Callable[[str, Sequence[str]], bool]


def allow(
    found: Sequence[Named], *, trust: bool, what: str, ask: Ask | None, known: Sequence[Named] = ()
) -> AbstractContextManager[None]:
    """Decide which of a run's `found` code may be imported, besides the user's own code `known`.

    Asks through `ask` if interactive (None: raises `NotTrusted`); a yes is remembered.
    """
    if trust:
        return nullcontext()
    trusted = Trusted()
    unknown = unknown_code(found, trusted)
    if unknown:
        if ask is None:
            raise refused(what, unknown, trusted, "pass --trust")
        if not ask(what, listed(unknown, trusted)):
            raise NotTrusted(f"{what} was not allowed to import code; nothing was run")
        trusted.remember(unknown)
    return allowing([*found, *known])
