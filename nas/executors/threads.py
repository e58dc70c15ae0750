"""Limit an evaluation to its number of threads.

Two workers of one thread train faster than one process of two, and libraries that spin while they wait make
an oversubscribed machine many times slower. The number of threads also changes the last digits of a sum, so
the same trial gives the same values on every executor only when all use the same number.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class ThreadLimit:
    """Holds this process to `threads` threads from the first `apply` to `restore`.

    Libraries not yet loaded read the environment on import; those already loaded are set through threadpoolctl;
    PyTorch is set on every `apply`, since an evaluation may have changed its count. Never imports PyTorch.
    """

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads
        self._environment: dict[str, str | None] | None = None
        self._pools: list[Any] = []
        self._modules_seen = -1
        self._torch_before: int | None = None

    def apply(self) -> None:
        """Set the limit; a few microseconds unless modules were imported since the last time."""
        if self._environment is None:
            self._environment = {name: os.environ.get(name) for name in _VARIABLES}
            os.environ.update(dict.fromkeys(_VARIABLES, str(self.threads)))
        if len(sys.modules) != self._modules_seen:
            self._limit_pools()
            self._modules_seen = len(sys.modules)
        torch = _loaded_torch()
        if torch is not None and (now := torch.get_num_threads()) != self.threads:
            if self._torch_before is None:
                self._torch_before = now
            torch.set_num_threads(self.threads)

    def restore(self) -> None:
        """Restore the previous numbers of threads; does nothing the second time."""
        for name, value in (self._environment or {}).items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        for pool in reversed(self._pools):
            pool.restore_original_limits()
        torch = _loaded_torch()
        if torch is not None and self._torch_before is not None:
            torch.set_num_threads(self._torch_before)
        self._environment, self._pools, self._modules_seen, self._torch_before = None, [], -1, None

    def _limit_pools(self) -> None:
        try:
            threadpoolctl = importlib.import_module("threadpoolctl")
        except (
            ImportError
        ):  # comes with scikit-learn; without it the environment still holds for new libraries
            return
        self._pools.append(threadpoolctl.threadpool_limits(limits=self.threads))


def _loaded_torch() -> Any:
    torch = sys.modules.get("torch")
    return torch if hasattr(torch, "set_num_threads") else None  # absent while torch is half imported
