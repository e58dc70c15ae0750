"""Figures and tables of a run, and the report: one HTML page about one or several searches, which opens offline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.core.lazy import lazy_names

if TYPE_CHECKING:
    from nas.report.sources import Source, read_source
    from nas.report.writing import PAGE, write_page, write_report

__all__ = ["PAGE", "Source", "read_source", "write_page", "write_report"]

__getattr__ = lazy_names(  # loads matplotlib
    __name__, {".sources": ("Source", "read_source"), ".writing": ("PAGE", "write_page", "write_report")}
)
