"""Checks of single values."""

from __future__ import annotations

import pytest

from nas.core.checks import check_seconds
from nas.core.errors import ConfigError


@pytest.mark.parametrize("seconds", [1e10, 1e300])
def test_a_time_that_no_timer_can_wait_is_refused(seconds: float):
    with pytest.raises(ConfigError, match="at most 1e\\+09"):
        check_seconds("seconds", seconds)
    check_seconds("seconds", 1e9)
