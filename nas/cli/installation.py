"""Requirements of this package from its metadata, and their installed versions, without imports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

DISTRIBUTION = "multiobjective-nas"


@dataclass(frozen=True)
class Needed:
    """A required package: name, accepted versions, installed version (None: not installed)."""

    name: str
    wanted: str
    installed: str | None

    @property
    def fits(self) -> bool:
        """Whether the installed version is accepted."""
        return self.installed is not None and SpecifierSet(self.wanted).contains(
            self.installed, prereleases=True
        )

    def __str__(self) -> str:
        return f"{self.name} {self.installed or 'not installed'}" + (
            "" if self.fits else f" (needs {self.wanted})"
        )


def needed() -> Mapping[str, tuple[Needed, ...]]:
    """The required packages of each extra, and under "" those of the package itself.

    Raises `PackageNotFoundError` if this package is not installed.
    """
    about = metadata.distribution(DISTRIBUTION)
    return by_extra(about.requires or (), about.metadata.get_all("Provides-Extra") or ())


def by_extra(requirements: Iterable[str], extras: Iterable[str]) -> Mapping[str, tuple[Needed, ...]]:
    """Requirements in metadata form (`numpy>=2; extra == "x"`), grouped by extra."""
    read = [Requirement(text) for text in requirements]
    return {
        extra: tuple(Needed(r.name, str(r.specifier), _version(r.name)) for r in read if _only_for(r, extra))
        for extra in ("", *extras)
    }


def supported_python() -> SpecifierSet:
    """The supported Python versions."""
    return SpecifierSet(str(metadata.distribution(DISTRIBUTION).metadata["Requires-Python"]))


def _only_for(requirement: Requirement, extra: str) -> bool:
    """Whether a requirement belongs to an extra but not to the package itself; "" is the package."""
    always = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    if not extra:
        return always
    return not always and requirement.marker is not None and requirement.marker.evaluate({"extra": extra})


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
