"""Labels of channels: which are cut together, and which are among some."""

from __future__ import annotations

import numpy as np
import pytest

from nas.pruning.labels import FIXED, Labels, among


def test_labels_that_are_tied_have_the_smallest_as_root() -> None:
    labels = Labels()
    first, second = labels.new("a", 0, 4), labels.new("b", 0, 4)
    labels.tie(first, second)
    assert labels.roots(second).tolist() == first.tolist()
    labels.tie(second[:2], second[2:])
    assert labels.roots(first).tolist() == [1, 2, 1, 2]
    labels.fix(second[:1])
    assert labels.roots(first).tolist() == [FIXED, 2, FIXED, 2]
    with pytest.raises(ValueError, match="vectors of one length"):
        labels.tie(first, second[:2])


def test_random_ties_give_the_sets_of_a_slow_search() -> None:
    rng = np.random.default_rng(0)
    labels = Labels()
    every = labels.new("a", 0, 40)
    pairs = rng.choice(every, (25, 2))
    for a, b in pairs.reshape(5, 5, 2).transpose(0, 2, 1):
        labels.tie(a, b)
    sets = {int(label): {int(label)} for label in every}
    for a, b in pairs.tolist():
        joined = sets[a] | sets[b]
        sets |= dict.fromkeys(joined, joined)
    assert labels.roots(every).tolist() == [min(sets[int(label)]) for label in every]


@pytest.mark.parametrize("chosen", [[], [3], [1, 2, 9], [FIXED, 2]])
def test_labels_among_some(chosen: list[int]) -> None:
    vector = np.array([0, 1, 2, 3, 9, 10, 2])
    wanted = np.isin(vector, [c for c in chosen if c != FIXED])
    assert among(chosen)(vector).tolist() == wanted.tolist()
