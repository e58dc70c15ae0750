"""timm and torchvision, where they are installed and can be imported."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import torch


@pytest.fixture(scope="session")
def torchvision() -> Iterator[ModuleType]:
    """torchvision; a build whose compiled operators do not load gets names for the two that it asks for on import."""
    kept: Any = None
    try:
        found = importlib.import_module("torchvision")
    except ImportError:
        pytest.skip("torchvision is not installed; it comes with the extra 'dev'")
    except RuntimeError:  # its operators are missing: a build for GPUs on a machine without
        kept = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            kept.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        found = importlib.import_module("torchvision")
    yield found
    del kept


@pytest.fixture(scope="session")
def timm(torchvision: ModuleType) -> ModuleType:
    """timm, which needs torchvision."""
    return pytest.importorskip("timm", reason="timm is not installed; it comes with the extra 'dev'")  # type: ignore[no-any-return]
