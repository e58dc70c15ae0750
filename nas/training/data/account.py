"""The use of every file of a data set: used, ignored with the reason, or damaged."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from nas.core.errors import ConfigError
from nas.core.text import counted

REPAIR_OR_SKIP = "Repair or remove them, or set skip_damaged: true"
NAMED = 3  # files of each reason that are named; the others are counted
NOTICES = logging.getLogger("nas.data")  # printed by a command before it starts


@dataclass(frozen=True, slots=True)
class Damage:
    """One fault of a data set: its place and its reason."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """Files ignored for the same reason; the first few by name."""

    reason: str
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        more = ", ..." if self.count > len(self.examples) else ""
        return f"{self.count:,} {self.reason} ({', '.join(self.examples)}{more})"


@dataclass(frozen=True, slots=True)
class Account:
    """Images used, files ignored by reason, damaged ones that were skipped, and notes on how the set was read."""

    used: int = 0
    ignored: tuple[Ignored, ...] = ()
    skipped: tuple[Damage, ...] = ()
    notes: tuple[str, ...] = ()

    def parts(self) -> list[str]:
        """Notes for the user, a phrase each; empty where every file is used."""
        found = list(self.notes)
        if self.ignored:
            total = sum(i.count for i in self.ignored)
            found.append(f"{counted(total, 'file')} ignored: {'; '.join(map(str, self.ignored))}")
        if self.skipped:
            first = "; ".join(f"{d.where}: {d.reason}" for d in self.skipped[:NAMED])
            more = "; ..." if len(self.skipped) > NAMED else ""
            found.append(f"{len(self.skipped):,} damaged skipped: {first}{more}")
        return found

    def line(self) -> str:
        """The account in one line; empty where every file is used and nothing is noted."""
        found = self.parts()
        return f"data: {self.used:,} images used; {'; '.join(found)}" if found else ""


def damage_lines(
    account: Account, damage: Sequence[Damage], skipping: bool, limit: int, advice: str = ""
) -> list[str]:
    """The end of a report: ignored files, at most `limit` damages spelt out, and the number of damages with the `advice` unless they are skipped."""
    word = "skipped" if skipping else "damaged"
    text = [f"  ignored: {ignored}" for ignored in account.ignored]
    text += [f"  {word}: {d.where}: {d.reason}" for d in damage[:limit]]
    text += [f"  and {len(damage) - limit} more"] if len(damage) > limit else []
    if not damage:
        return [*text, "  nothing is damaged"]
    return [*text, f"  {len(damage):,} {word}{f'. {advice}' if advice and not skipping else ''}"]


def value_of_an_image(images: int, error: float = 10.0) -> str:
    """The step of the error on this many validation images, and the difference between two networks that is noise, as text.

    Noise is 1.96 standard deviations of the difference of two such errors, both near `error` (percent); an error measured on
    n images has the variance error (100 - error) / n.
    """
    noise = 1.96 * math.sqrt(2.0 * error * (100.0 - error) / images)
    return (
        f"{counted(images, 'validation image')}: {100.0 / images:.3g} points of error each; near {error:.0f}% error, differences below about "
        f"{noise:.{0 if noise >= 2 else 1}f} points between two networks are noise"
    )


def announce(account: Account) -> None:
    """Report an account on the logger `nas.data`, in one line, unless it is empty."""
    line = account.line()
    if line:
        NOTICES.warning("%s", line)


@dataclass(slots=True)
class Tally:
    """Collects ignored files as they are found."""

    found: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, reason: str, name: str, count: int = 1) -> None:
        self.counts[reason] = self.counts.get(reason, 0) + count
        names = self.found.setdefault(reason, [])
        if len(names) < NAMED:
            names.append(name)

    def ignored(self) -> tuple[Ignored, ...]:
        return tuple(Ignored(r, n, tuple(self.found[r])) for r, n in self.counts.items())


def way_of(damaged: str, skip_damaged: object) -> str:
    """`damaged` (refuse or skip), unless `skip_damaged` is given. Raises `ConfigError` for another value of `skip_damaged`."""
    if skip_damaged is None:
        return damaged
    if not isinstance(skip_damaged, bool):
        raise ConfigError(f"data: skip_damaged must be true or false, not {skip_damaged!r}")
    return "skip" if skip_damaged else "refuse"


def complaint(name: str, damage: Sequence[Damage], advice: str) -> str:
    """An error that names the first few damages and counts all."""
    shown = "; ".join(f"{d.where}: {d.reason}" for d in damage[:5])
    more = f"; and {len(damage) - 5} more" if len(damage) > 5 else ""
    return f"{name}: {len(damage)} damaged: {shown}{more}. {advice}"
