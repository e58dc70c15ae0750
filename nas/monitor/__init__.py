"""The status of a run, from a search in this process or from the log that another process writes."""

from __future__ import annotations

from nas.engine.work import Work
from nas.monitor.live import LiveStatus
from nas.monitor.records import Best, Heading, Judgement, RunStatus

__all__ = ["Best", "Heading", "Judgement", "LiveStatus", "RunStatus", "Work"]
