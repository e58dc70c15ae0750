"""Licences of the known data sets, as stated by their authors."""

from __future__ import annotations

from collections.abc import Mapping

# By the name of the class that reads a data set. Sources: the data sets' own pages.
LICENCES: Mapping[str, str] = {
    "Digits": "CC BY 4.0 (UCI Machine Learning Repository, Optical Recognition of Handwritten Digits)",
    "Cifar10": "none stated by its authors, who ask to be cited (Krizhevsky 2009)",
    "Cifar100": "none stated by its authors, who ask to be cited (Krizhevsky 2009)",
}


def licence(data: str) -> str:
    """The licence of a data set, if known."""
    return LICENCES.get(data, "not known to this program; see the source of the images")
