"""Ask Ray again and again which machines it has: so one sees them join and leave, and Ray fall silent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import ray

from nas.executors.capacity import Node

_EVERY_S = 1.0


class Watch:
    """Calls `report(nodes, gone, asked)` about once a second and soon after `wake`, and `failed(reason)` where asking fails.

    On a thread of its own: while the cluster is away, the question hangs as long. `nodes` are those alive, `gone` tells
    whether this process's own node, which carries its connection, is not, `asked` when that was (monotonic seconds).
    No error ends it: a question that fails is asked again, and whoever hears nothing for long decides.
    """

    def __init__(
        self, report: Callable[[Sequence[Node], bool, float], None], failed: Callable[[str], None]
    ) -> None:
        self._report = report
        self._failed = failed
        self._own = ray.get_runtime_context().get_node_id()
        self._wake = threading.Event()
        self._stopped = False
        threading.Thread(target=self._main, name="nas-ray-watch", daemon=True).start()

    def wake(self) -> None:
        """Ask now."""
        self._wake.set()

    def stop(self) -> None:
        """Ask no more."""
        self._stopped = True
        self._wake.set()

    def _main(self) -> None:
        while not self._stopped:
            asked = time.monotonic()
            try:
                nodes = alive_nodes()
                gone = all(node.id != self._own for node in nodes)
                self._report(nodes, gone, asked)
            except BaseException as error:
                self._failed(repr(error))
            self._wake.wait(_EVERY_S)
            self._wake.clear()


def alive_nodes() -> list[Node]:
    """The nodes of the cluster now."""
    return [Node(n["NodeID"], dict(n["Resources"])) for n in ray.nodes() if n["Alive"]]
