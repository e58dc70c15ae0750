"""What the dashboard knows of a run, as its page gets it in JSON. Texts may hold anything; the page shows them as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.monitor.records import Best
    from nas.report.records import Number

RUNNING, STARTING = "running", "starting"
FINISHED, STOPPED, CRASHED = "finished", "stopped", "crashed"
UNREADABLE, UNREAD = "unreadable", "not read yet"


@dataclass(frozen=True)
class Row:
    """A run in the list.

    `detail` explains the state. `planned` is None for a study; `left` are estimated seconds. `sketch` has at most 32 points of the front in the first two
    objectives, from 0 to 100 along each. `changed` is when the log changed last, `alive` the last sign of life of its search (Unix times, by the disk's clock).
    """

    name: str
    state: str = UNREAD
    detail: str = ""
    space: str = ""
    algorithm: str = ""
    seed: int | None = None
    evaluated: int = 0
    planned: int | None = None
    failed: int = 0
    front_size: int = 0
    hypervolume: Number = None
    left: Number = None
    best: Sequence[Best] = ()
    sketch: Sequence[tuple[int, int]] = ()
    changed: float = 0.0
    alive: float = 0.0


@dataclass(frozen=True)
class Front:
    """The front of a run: values (k, m) in the objectives' own units, ordered by the first; `left_out` more points are omitted.

    Each objective has its `name` and `unit`, and whether to `maximize` it.
    """

    objectives: Sequence[Mapping[str, str | bool]] = ()
    points: Sequence[Sequence[Number]] = ()
    architectures: Sequence[str] = field(default=(), repr=False)
    left_out: int = 0
