"""A page on this machine that lists the runs of a folder with their fronts, and follows their logs; it changes nothing."""

from __future__ import annotations

from nas.dashboard.server import Dashboard

__all__ = ["Dashboard"]
