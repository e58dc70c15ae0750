"""The digits are those of scikit-learn, read without importing it."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.datasets

from nas.training.data import digits


@pytest.mark.parametrize("there", [True, False])
def test_the_digits_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    bunch = sklearn.datasets.load_digits()
    if there:
        monkeypatch.delattr(sklearn.datasets, "load_digits")
    else:
        monkeypatch.setattr(digits, "find_spec", lambda name: None)
    images, labels = digits._images_and_labels()
    assert (images.dtype, labels.dtype) == (np.uint8, np.int64)
    assert np.array_equal(images[:, 0], bunch.images)
    assert np.array_equal(labels, bunch.target)
