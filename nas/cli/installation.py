"""What this package needs, from its own metadata, and what of it is installed; nothing is imported for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

DISTRIBUTION = "multiobjective-nas"


@dataclass(frozen=True)
class Needed:
    """A package that is needed: its name, the versions that will do, and the one that is installed (None: none)."""

    name: str
    wanted: str
    installed: str | None

    @property
    def fits(self) -> bool:
        """Whether an installed version will do."""
        return self.installed is not None and SpecifierSet(self.wanted).contains(
            self.installed, prereleases=True
        )

    def __str__(self) -> str:
        return f"{self.name} {self.installed or 'not installed'}" + (
            "" if self.fits else f" (needs {self.wanted})"
        )


def needed() -> Mapping[str, tuple[Needed, ...]]:
    """The packages that are needed for each extra, and under "" those that always are.

    Raises `PackageNotFoundError` when this package runs from a folder that was never installed.
    """
    about = metadata.distribution(DISTRIBUTION)
    return by_extra(about.requires or (), about.metadata.get_all("Provides-Extra") or ())


def by_extra(requirements: Iterable[str], extras: Iterable[str]) -> Mapping[str, tuple[Needed, ...]]:
    """Requirements as metadata state them (`numpy>=2; extra == "x"`), sorted by the extra that brings them."""
    read = [Requirement(text) for text in requirements]
    return {
        extra: tuple(Needed(r.name, str(r.specifier), _version(r.name)) for r in read if _only_for(r, extra))
        for extra in ("", *extras)
    }


def supported_python() -> SpecifierSet:
    """The versions of Python that the package is for."""
    return SpecifierSet(str(metadata.distribution(DISTRIBUTION).metadata["Requires-Python"]))


def _only_for(requirement: Requirement, extra: str) -> bool:
    """Whether an extra brings a requirement that the package alone does not; "" is the package alone."""
    always = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    if not extra:
        return always
    return not always and requirement.marker is not None and requirement.marker.evaluate({"extra": extra})


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
