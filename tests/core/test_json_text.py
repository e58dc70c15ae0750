"""JSON that others wrote."""

from __future__ import annotations

import pytest

from nas.core.json_text import read_json


def test_a_text_that_is_nested_too_deeply_is_not_json():
    assert read_json('{"a": [1]}') == {"a": [1]}
    with pytest.raises(ValueError, match="nested too deeply"):
        read_json("[" * 200_000)
