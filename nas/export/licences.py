"""Under what terms the known data sets may be used, where their authors say so."""

from __future__ import annotations

from collections.abc import Mapping

# By the name of the class that reads a data set. Sources: the data sets' own pages.
LICENCES: Mapping[str, str] = {
    "Digits": "CC BY 4.0 (UCI Machine Learning Repository, Optical Recognition of Handwritten Digits)",
    "Cifar10": "none stated by its authors, who ask to be cited (Krizhevsky 2009)",
    "Cifar100": "none stated by its authors, who ask to be cited (Krizhevsky 2009)",
}


def licence(data: str) -> str:
    """What is known of a data set's licence."""
    return LICENCES.get(data, "not known to this program; see where the pictures come from")
