"""Noise of sensors and broken pixels. Parameters are in `apply`."""

from __future__ import annotations

import numpy as np

from nas.training.corruptions.warping import FloatImage


def gaussian_noise(x: FloatImage, scale: float, rng: np.random.Generator) -> FloatImage:
    """Normal noise of standard deviation `scale`."""
    return x + scale * rng.standard_normal(x.shape, dtype=np.float32)


def shot_noise(x: FloatImage, photons: float, rng: np.random.Generator) -> FloatImage:
    """Poisson noise of a sensor that white gives `photons`."""
    return (rng.poisson(x * photons) / photons).astype(np.float32)


def impulse_noise(x: FloatImage, share: float, rng: np.random.Generator) -> FloatImage:
    """A `share` of all values becomes 0 or 1, half each."""
    draw = rng.random(x.shape, dtype=np.float32)
    return np.where(draw < share / 2, np.float32(0), np.where(draw < share, np.float32(1), x))
