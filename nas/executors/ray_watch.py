"""Ask Ray repeatedly for its machines, to notice when they join or leave and when Ray stops answering."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import ray

from nas.executors.capacity import Node

_EVERY_S = 1.0


class Watch:
    """Calls `report(nodes, gone, asked)` about once a second and soon after `wake`, and `failed(reason)` where asking fails.

    Runs on its own thread, since the question hangs while the cluster is away. `nodes` are those alive, `gone` is whether
    this process's node, which carries its connection, is dead, `asked` is the time of the question (monotonic seconds).
    After an error it asks again; the pool decides when the silence is too long.
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
