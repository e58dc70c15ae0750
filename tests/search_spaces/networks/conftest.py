"""timm, where it is installed and can be imported."""

from __future__ import annotations

from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def timm(torchvision: ModuleType) -> ModuleType:
    """timm, which needs torchvision."""
    return pytest.importorskip("timm", reason="timm is not installed; it comes with the extra 'dev'")  # type: ignore[no-any-return]
