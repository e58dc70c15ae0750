"""Transforms of the target keep the order, come back, and carry a surrogate's predictions with them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.core.errors import ConfigError
from surrogates.constant import Constant
from surrogates.gaussian_process import GaussianProcess
from surrogates.targets import Identity, Log, Logit, RankNormal, Tamed, Transform, Transformed, restore

TRANSFORMS: list[Transform] = [
    Tamed(),
    Tamed(Identity()),
    Identity(),
    Log(),
    Logit(scale=100.0),
    RankNormal(),
    RankNormal(share=1.0, base=Identity()),
    RankNormal(share=0.0),
]
errors = st.lists(st.floats(0.5, 95.0), min_size=1, max_size=30)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
@given(errors)
def test_the_inverse_undoes_the_transform(transform: Transform, values: list[float]) -> None:
    y = np.array(values)
    fitted = transform.fit(y)
    np.testing.assert_allclose(fitted.inverse(fitted.forward(y)), y, rtol=1e-6)


# Tamed ends its inverse a little beyond the worst value seen, on purpose: see the last test
@pytest.mark.parametrize("transform", [t for t in TRANSFORMS if not isinstance(t, Tamed)], ids=repr)
def test_values_never_seen_come_back_too(transform: Transform) -> None:
    fitted = transform.fit(np.array([5.0, 6.0, 8.0, 20.0]))
    new = np.array([1.0, 4.9, 5.5, 7.0, 30.0, 90.0])
    np.testing.assert_allclose(fitted.inverse(fitted.forward(new)), new, rtol=1e-9)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
def test_the_order_is_kept_within_and_beyond_the_data(transform: Transform) -> None:
    fitted = transform.fit(np.array([5.0, 6.0, 6.0, 8.0, 20.0]))
    assert (np.diff(fitted.forward(np.linspace(1.0, 90.0, 200))) > 0).all()


@pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
def test_a_constant_target_survives(transform: Transform) -> None:
    X = np.arange(12.0).reshape(6, 2)
    mean, std = Transformed(GaussianProcess(), transform).fit(X, np.full(6, 7.0)).predict(X)
    np.testing.assert_allclose(mean, 7.0, rtol=1e-9)
    assert np.isfinite(std).all()


@pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
def test_one_row_survives(transform: Transform) -> None:
    mean, std = (
        Transformed(GaussianProcess(), transform)
        .fit(np.ones((1, 2)), np.array([7.0]))
        .predict(np.ones((3, 2)))
    )
    np.testing.assert_allclose(mean, 7.0, rtol=1e-9)
    assert np.isfinite(std).all()


def test_ranks_alone_do_not_see_the_size_of_gaps() -> None:
    ranks = RankNormal(share=1.0)
    near = ranks.fit(np.array([1.0, 2.0, 3.0])).forward(np.array([1.0, 2.0, 3.0]))
    far = ranks.fit(np.array([1.0, 2.0, 90.0])).forward(np.array([1.0, 2.0, 90.0]))
    np.testing.assert_allclose(near, far)
    assert near[1] == pytest.approx(0.0)


def test_a_share_of_none_is_the_standardised_base() -> None:
    y = np.array([1.0, 2.0, 10.0])
    expected = (np.log(y) - np.log(y).mean()) / np.log(y).std()
    np.testing.assert_allclose(RankNormal(share=0.0).fit(y).forward(y), expected)


def test_equal_targets_have_equal_scores() -> None:
    scores = RankNormal().fit(np.array([3.0, 5.0, 5.0, 9.0])).forward(np.array([5.0, 5.0]))
    assert scores[0] == scores[1]


def test_the_deviation_of_a_logarithm_is_relative() -> None:
    _, std = restore(Log(), np.log(np.array([1.0, 100.0])), np.array([0.1, 0.1]))
    assert std[1] == pytest.approx(100 * std[0])
    assert std[0] == pytest.approx(0.1, rel=0.01)


def test_logit_keeps_predictions_inside_the_scale() -> None:
    np.testing.assert_allclose(Logit(100.0).inverse(np.array([-900.0, 900.0])), [0.0, 100.0], atol=1e-9)


@pytest.mark.parametrize(
    ("transform", "y"), [(Log(), [1.0, 0.0]), (Logit(), [0.5, 2.0]), (RankNormal(), [-1.0, 2.0])], ids=repr
)
def test_targets_outside_the_domain_are_refused(transform: Transform, y: list[float]) -> None:
    with pytest.raises(ConfigError, match="expected targets"):
        transform.fit(np.array(y))


def test_the_wrapped_model_is_fitted_to_transformed_targets() -> None:
    y = np.array([1.0, np.e**2])
    mean, _ = Transformed(Constant(), Log()).fit(np.zeros((2, 1)), y).predict(np.zeros((1, 1)))
    assert mean[0] == pytest.approx(np.e)


def test_the_tail_of_bad_values_is_compressed_and_the_good_half_is_not() -> None:
    y = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 100.0])
    fitted = Tamed(Identity()).fit(y)
    assert (
        fitted.forward(y[:5]).tolist() == y[:5].tolist()
    )  # up to as far above the median as the best is below
    assert fitted.forward(y)[5] < 20.0


def test_a_wild_prediction_means_little_more_than_the_worst_that_was_seen() -> None:
    fitted = Tamed().fit(np.array([5.0, 6.0, 8.0, 90.0]))
    assert 90.0 < fitted.inverse(np.array([1e6]))[0] < 200.0
