"""Noise of sensors and broken pixels. Parameters are in `apply`."""

from __future__ import annotations

import numpy as np

from nas.training.corruptions.warping import Picture


def gaussian_noise(x: Picture, scale: float, rng: np.random.Generator) -> Picture:
    """Normal noise of standard deviation `scale`."""
    return x + scale * rng.standard_normal(x.shape, dtype=np.float32)


def shot_noise(x: Picture, photons: float, rng: np.random.Generator) -> Picture:
    """Poisson noise of a sensor that white gives `photons`."""
    return (rng.poisson(x * photons) / photons).astype(np.float32)


def impulse_noise(x: Picture, share: float, rng: np.random.Generator) -> Picture:
    """A `share` of all values becomes 0 or 1, half each."""
    draw = rng.random(x.shape, dtype=np.float32)
    return np.where(draw < share / 2, np.float32(0), np.where(draw < share, np.float32(1), x))
