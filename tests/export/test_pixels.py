"""Decoded images and the network's input."""

from __future__ import annotations

import numpy as np
import torch

from nas.export.pixels import Reading, normalised, random_pixels, to_pixels
from nas.export.standalone import ImageSpec
from nas.training import Recipe
from nas.training.data import Digits
from nas.training.feed import Normalise
from nas.training.task import Classification

COLOUR = ImageSpec((3, 4, 64), (123.675, 116.28, 103.53), (58.395, 57.12, 57.375), ("a", "b"))


def test_pixels_are_normalised_as_in_the_training_and_found_again() -> None:
    pixels = np.arange(2 * 4 * 64 * 3).reshape(2, 4, 64, 3).astype(np.uint8)
    images = normalised(pixels, COLOUR)
    trained = Normalise(torch.tensor(COLOUR.mean), torch.tensor(COLOUR.std), False)(torch.from_numpy(pixels))
    assert torch.equal(images, trained)
    assert np.array_equal(to_pixels(images, COLOUR), pixels)


def test_random_images_lie_around_the_mean() -> None:
    pixels = random_pixels(5, COLOUR, torch.Generator().manual_seed(0))
    assert (pixels.shape, pixels.dtype) == ((5, 4, 64, 3), np.uint8)
    assert 0.7 < normalised(pixels, COLOUR).std() < 1.5


def test_the_stored_size_of_images_is_that_before_they_are_enlarged() -> None:
    prepared = Classification().prepare(Digits(), Recipe(resolution=16), torch.device("cpu"))
    assert prepared.example().shape[2:] == (16, 16)
    assert Reading.of(Digits(), prepared) == Reading((8, 8), 1.0, 16)
    assert Reading.described("Digits", {}, (16, 16)) == Reading((8, 8), 1.0, 16)
    assert Reading.described("Folder", {"resolution": 32, "keep": 0.5}, (64, 64)) == Reading((32, 32), 0.5)
    assert Reading.described("Own", {}, (24, 32)) == Reading((24, 32))
