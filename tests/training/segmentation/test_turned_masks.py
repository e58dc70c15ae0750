"""Masks of images with an EXIF orientation: turned with the image where their size says that they fit it as stored, else refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from exif import stored_as
from mask_files import png, write_camvid
from PIL import Image

from nas.core.errors import DataError
from nas.training.tasks.segmentation.data import CamVid

UPRIGHT = np.kron(np.array([[0, 1, 2], [3, 4, 5]]), np.ones((8, 8), int))  # classes, (16, 24)


def oriented(pixels: np.ndarray, orientation: int, form: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels).astype(np.uint8)).save(buffer, form, exif=exif)
    return buffer.getvalue()


def pair(tmp_path: Path, image: bytes, mask: bytes) -> tuple[np.ndarray, np.ndarray]:
    row = {"split": "train", "image_id": "a", "jpeg": image, "label_png": mask}
    return CamVid(str(write_camvid(tmp_path / "c.parquet", [row])), validation=0).load().train.pair(0)


def image_of(classes: np.ndarray, orientation: int) -> bytes:
    return oriented(np.repeat((classes * 40)[..., None], 3, axis=2), orientation, "PNG")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_with_the_same_orientation_is_turned_with_its_image(tmp_path: Path, orientation: int) -> None:
    stored = stored_as(UPRIGHT, orientation)
    image, mask = pair(tmp_path, image_of(stored, orientation), oriented(stored, orientation, "PNG"))
    assert np.array_equal(mask, UPRIGHT)
    assert np.array_equal(image[0], UPRIGHT * 40)


@pytest.mark.parametrize("fits", ["stored", "shown"])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_the_size_of_a_mask_decides_whether_it_fits_the_image_as_stored_or_as_shown(
    tmp_path: Path, orientation: int, fits: str
) -> None:
    stored = stored_as(UPRIGHT, orientation)
    image, mask = pair(tmp_path, image_of(stored, orientation), png(stored if fits == "stored" else UPRIGHT))
    assert np.array_equal(mask, UPRIGHT)
    assert np.array_equal(image[0], UPRIGHT * 40)


@pytest.mark.parametrize("orientation", [2, 3, 4, 6])
def test_a_mask_that_may_mean_either_is_refused_with_the_reason(tmp_path: Path, orientation: int) -> None:
    classes = UPRIGHT[:, :16] if orientation == 6 else UPRIGHT  # a square image
    with pytest.raises(DataError, match=f"EXIF orientation {orientation}, its mask has none"):
        pair(tmp_path, image_of(stored_as(classes, orientation), orientation), png(classes))
