"""What this package needs, from its own metadata, and what of it is installed; nothing is imported for it."""

from __future__ import annotations

from collections.abc import Mapping
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
    found: dict[str, list[Needed]] = {"": []}
    found |= {extra: [] for extra in about.metadata.get_all("Provides-Extra") or []}
    for text in about.requires or []:
        requirement = Requirement(text)
        for extra, packages in found.items():
            if _only_for(requirement, extra):
                packages.append(
                    Needed(requirement.name, str(requirement.specifier), _version(requirement.name))
                )
    return {extra: tuple(packages) for extra, packages in found.items()}


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
